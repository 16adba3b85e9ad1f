/**
 * Drafts of chats follow their writer: told to the server when the writing pauses, one request at a time and the last
 * words last; at once when they were sent or taken back. Those of other devices are taken as they are told.
 */

import { listShared, listUntold, loadDraft, markUntold, saveDraft } from "@/lib/drafts";
import { createStore } from "@/lib/store";
import { ApiError, request } from "./http";
import type { Page, WrittenDraft } from "./types";

const SAVE_AFTER_MS = 800;
const RETRY_MS = 5_000;
/** Within this the personal stream tells us what we have written ourselves. */
const ECHO_MS = 10_000;

interface Words {
  text: string;
  replyTo: string | null;
}

/** The last draft that another device wrote; a new object each time, so that it is heard. */
export const arrivedDraft = createStore<({ conversation: string } & Words) | null>(null);

/** What the server was told or has told last. */
const known = new Map<string, string>();
/** What it is still to be told. */
const wanted = new Map<string, Words>();
const pauses = new Map<string, ReturnType<typeof setTimeout>>();
const running = new Set<string>();
/** What was written from here and comes back by the personal stream, oldest first. */
const echoes = new Map<string, string[]>();

const sign = ({ text, replyTo }: Words): string => `${replyTo ?? ""} ${text}`;
const isNothing = ({ text, replyTo }: Words): boolean => text.trim() === "" && !replyTo;
const NOTHING = sign({ text: "", replyTo: null });

/** Tells the server what is being written, once the writing pauses; that nothing is, at once. */
export function tellDraft(conversation: string, text: string, replyTo: string | null): void {
  const words = { text, replyTo };
  clearTimeout(pauses.get(conversation));
  pauses.delete(conversation);
  if (!running.has(conversation) && (known.get(conversation) ?? NOTHING) === sign(words)) {
    settle(conversation);
    return;
  }
  wanted.set(conversation, words);
  markUntold(conversation, true);
  if (isNothing(words)) void tell(conversation);
  else
    pauses.set(
      conversation,
      setTimeout(() => void tell(conversation), SAVE_AFTER_MS),
    );
}

/** Tells what could not be told while the server was away. */
export function retellDrafts(): void {
  for (const conversation of wanted.keys()) if (!pauses.has(conversation)) void tell(conversation);
}

/** A page that goes away does not wait for a pause. */
window.addEventListener("pagehide", () => {
  for (const conversation of pauses.keys()) void tell(conversation);
});

/** One request after another for each conversation: an earlier one that is slow must not come last. */
async function tell(conversation: string): Promise<void> {
  clearTimeout(pauses.get(conversation));
  pauses.delete(conversation);
  if (running.has(conversation)) return;
  running.add(conversation);
  try {
    for (let words = wanted.get(conversation); words; words = wanted.get(conversation)) {
      if (!(await put(conversation, words))) {
        setTimeout(retellDrafts, RETRY_MS);
        return;
      }
      if (wanted.get(conversation) === words) settle(conversation);
      // What is being typed waits for its own pause.
      if (pauses.has(conversation)) return;
    }
  } finally {
    running.delete(conversation);
  }
}

function settle(conversation: string): void {
  wanted.delete(conversation);
  markUntold(conversation, false);
}

/** False: it could not be told, and is tried again. */
async function put(conversation: string, words: Words): Promise<boolean> {
  const path = `/v1/conversations/${conversation}/draft`;
  const forget = expectEcho(conversation, sign(words));
  try {
    if (isNothing(words)) await request("DELETE", path, { keepalive: true });
    else
      await request("PUT", path, { body: { text: words.text, reply_to_id: words.replyTo }, keepalive: true });
  } catch (error) {
    forget();
    // What the server refuses it would refuse again: the words stay on this device.
    return error instanceof ApiError && !error.isTemporary;
  }
  known.set(conversation, sign(words));
  return true;
}

function expectEcho(conversation: string, signed: string): () => void {
  echoes.set(conversation, [...(echoes.get(conversation) ?? []), signed]);
  const forget = () => takeEcho(conversation, signed);
  setTimeout(forget, ECHO_MS);
  return () => void forget();
}

/** Whether this was expected; if so it, and what was expected before it, is so no more. */
function takeEcho(conversation: string, signed: string): boolean {
  const expected = echoes.get(conversation) ?? [];
  const at = expected.indexOf(signed);
  if (at < 0) return false;
  echoes.set(conversation, expected.slice(at + 1));
  return true;
}

/** A draft as the server has it now. What is being written here this moment goes before it. */
export function takeDraft(conversation: string, draft: WrittenDraft | null): void {
  const words = { text: draft?.text ?? "", replyTo: draft?.reply_to_id ?? null };
  if (takeEcho(conversation, sign(words)) || wanted.has(conversation)) return;
  if (known.get(conversation) === sign(words)) return;
  known.set(conversation, sign(words));
  saveDraft(conversation, { ...words, isNote: false, isShared: true });
  arrivedDraft.set({ conversation, ...words });
}

function takeGone(conversation: string): void {
  saveDraft(conversation, { text: "", isNote: false });
  arrivedDraft.set({ conversation, text: "", replyTo: null });
}

/** Reads the drafts of all chats, once a session; the personal stream tells the rest. */
export async function loadDrafts(): Promise<void> {
  known.clear();
  let cursor: string | null = null;
  const gone = new Set(listShared());
  const untold = new Set(listUntold());
  do {
    const page: Page<WrittenDraft> = await request("GET", "/v1/drafts", { query: { cursor, limit: 100 } });
    for (const draft of page.items) {
      const { conversation_id: id, text, reply_to_id: replyTo } = draft;
      gone.delete(id);
      if (untold.has(id)) known.set(id, sign({ text, replyTo }));
      else takeDraft(id, draft);
    }
    cursor = page.next;
  } while (cursor);
  // Sent or taken back on another device while this one was away.
  for (const id of gone) if (!untold.has(id)) takeGone(id);
  // Written or sent here while the server could not be told.
  for (const id of untold) {
    const here = loadDraft(id);
    tellDraft(id, here.text, here.replyTo ?? null);
  }
}
