/**
 * Drafts of chats follow their writer: told to the server when the writing pauses, one request at a time and the last
 * words last; at once when they were sent or taken back. Those of other devices are taken as they are told.
 */

import { listShared, listUntold, loadDraft, markUntold, quoteKept, saveDraft } from "@/lib/drafts";
import { createStore } from "@/lib/store";
import { ApiError, request } from "./http";
import { sessionStore } from "./session";
import type { Page, WrittenDraft } from "./types";

const SAVE_AFTER_MS = 800;
const RETRY_MS = 5_000;
const LEAVING_MS = 2_000;
/** Within this a line that holds tells us what we have written ourselves. */
const ECHO_MS = 10_000;
/** How long a line may be dead before that is found out. */
const DEAD_LINE_MS = 35_000;

interface Words {
  text: string;
  replyTo: string | null;
}

/** The last draft that another device wrote; a new object each time, so that it is heard. */
export const arrivedDraft = createStore<({ conversation: string } & Words) | null>(null);

/** What the server was told or has told last. */
const known = new Map<string, string>();
/** Like no words: a request was lost, and the server has them or has them not. */
const UNSURE = "";
/** What it is still to be told. */
const wanted = new Map<string, Words>();
const pauses = new Map<string, ReturnType<typeof setTimeout>>();
const running = new Set<string>();
/** Whose words are read from this device once more before they are told: another tab may have written on. */
const kept = new Set<string>();
/** What was written from here and comes back by the personal stream, oldest first. */
const echoes = new Map<string, string[]>();
const echoTimers = new Map<string, ReturnType<typeof setTimeout>>();
/** What came before an echo that is still expected. */
const held = new Map<string, Words>();
let isLineUp = false;

const sign = ({ text, replyTo }: Words): string => `${replyTo ?? ""} ${text}`;
const isNothing = ({ text, replyTo }: Words): boolean => text.trim() === "" && !replyTo;
const NOTHING = sign({ text: "", replyTo: null });
const isKnown = (conversation: string, words: Words): boolean =>
  (known.get(conversation) ?? NOTHING) === sign(words);

function wordsHere(conversation: string): Words {
  const { text, replyTo } = loadDraft(conversation);
  return { text, replyTo: replyTo ?? null };
}

/** Tells the server what is being written, once the writing pauses; that nothing is, at once. */
export function tellDraft(conversation: string, text: string, replyTo: string | null): void {
  const words = { text, replyTo };
  clearTimeout(pauses.get(conversation));
  pauses.delete(conversation);
  kept.delete(conversation);
  if (!running.has(conversation) && isKnown(conversation, words)) {
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

/** Who leaves neither: waits until the server knows all, no longer than a person would. */
export async function tellDraftsNow(): Promise<void> {
  const told = Promise.all([...pauses.keys()].map(tell));
  await Promise.race([told, new Promise((resolve) => setTimeout(resolve, LEAVING_MS))]);
}

/** One request after another for each conversation: an earlier one that is slow must not come last. */
async function tell(conversation: string): Promise<void> {
  clearTimeout(pauses.get(conversation));
  pauses.delete(conversation);
  if (running.has(conversation)) return;
  running.add(conversation);
  try {
    for (let words = nextWords(conversation); words; words = nextWords(conversation)) {
      const outcome = isKnown(conversation, words) ? "told" : await put(conversation, words);
      if (outcome === "later") {
        // A session that ran out is gone on with by signing in, which reads all drafts again.
        if (sessionStore.get().phase !== "signed_out") setTimeout(retellDrafts, RETRY_MS);
        return;
      }
      if (wanted.get(conversation) === words) {
        if (outcome === "refused") keepHere(conversation);
        settle(conversation);
      }
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

function nextWords(conversation: string): Words | undefined {
  if (kept.delete(conversation)) wanted.set(conversation, wordsHere(conversation));
  return wanted.get(conversation);
}

/** What the server refuses it would refuse again: the words stay on this device, and are not missed on the server. */
function keepHere(conversation: string): void {
  saveDraft(conversation, { ...loadDraft(conversation), isShared: false });
}

async function put(conversation: string, words: Words): Promise<"told" | "refused" | "later"> {
  const path = `/v1/conversations/${conversation}/draft`;
  expectEcho(conversation, sign(words));
  try {
    if (isNothing(words)) await request("DELETE", path, { keepalive: true });
    else
      await request("PUT", path, { body: { text: words.text, reply_to_id: words.replyTo }, keepalive: true });
  } catch (error) {
    forgetEcho(conversation, sign(words));
    if (error instanceof ApiError && error.status === 401) return "later";
    if (error instanceof ApiError && !error.isTemporary) return "refused";
    known.set(conversation, UNSURE);
    return "later";
  }
  known.set(conversation, sign(words));
  return "told";
}

function expectEcho(conversation: string, signed: string): void {
  echoes.set(conversation, [...(echoes.get(conversation) ?? []), signed]);
  expireEchoes(conversation, DEAD_LINE_MS + ECHO_MS);
}

/** It was not written. */
function forgetEcho(conversation: string, signed: string): void {
  const expected = echoes.get(conversation) ?? [];
  const at = expected.lastIndexOf(signed);
  if (at >= 0)
    expectOnly(
      conversation,
      expected.filter((_, place) => place !== at),
    );
}

/** Whether this was expected; if so it, and what was expected before it, is so no more. */
function takeEcho(conversation: string, signed: string): boolean {
  const expected = echoes.get(conversation) ?? [];
  const at = expected.indexOf(signed);
  if (at < 0) return false;
  held.delete(conversation);
  expectOnly(conversation, expected.slice(at + 1));
  return true;
}

function expectOnly(conversation: string, expected: string[]): void {
  if (expected.length > 0) echoes.set(conversation, expected);
  else giveUpEchoes(conversation);
}

/** What we wrote may have told nothing, for the server had it already; while the line is away nothing comes anyway. */
function expireEchoes(conversation: string, ms: number): void {
  clearTimeout(echoTimers.get(conversation));
  if (isLineUp)
    echoTimers.set(
      conversation,
      setTimeout(() => giveUpEchoes(conversation), ms),
    );
}

/** Nothing more is expected: what was held back until now is the server's last word. */
function giveUpEchoes(conversation: string): void {
  clearTimeout(echoTimers.get(conversation));
  echoTimers.delete(conversation);
  echoes.delete(conversation);
  const words = held.get(conversation);
  held.delete(conversation);
  if (words && !wanted.has(conversation)) accept(conversation, words);
}

/** Whether the personal stream comes in: echoes are waited for while it does not. */
export function noteLine(isUp: boolean): void {
  isLineUp = isUp;
  for (const conversation of echoes.keys()) expireEchoes(conversation, ECHO_MS);
}

/** A draft as the server has it now. What is being written here this moment goes before it. */
export function takeDraft(conversation: string, draft: WrittenDraft | null): void {
  const words = { text: draft?.text ?? "", replyTo: draft?.reply_to_id ?? null };
  if (takeEcho(conversation, sign(words)) || wanted.has(conversation)) return;
  // What comes before our own words is older than they are, or what the server has left of them.
  if (echoes.has(conversation)) held.set(conversation, words);
  else accept(conversation, words);
}

function accept(conversation: string, words: Words): void {
  if (known.get(conversation) === sign(words)) return;
  known.set(conversation, sign(words));
  const quote = quoteKept(conversation, words.replyTo);
  saveDraft(conversation, { ...words, quote, isNote: false, isShared: true });
  arrivedDraft.set({ conversation, ...words });
}

function takeGone(conversation: string): void {
  saveDraft(conversation, { text: "", isNote: false });
  arrivedDraft.set({ conversation, text: "", replyTo: null });
}

/** Reads the drafts of all chats, once a session; the personal stream tells the rest. */
export async function loadDrafts(): Promise<void> {
  known.clear();
  held.clear();
  for (const conversation of [...echoes.keys()]) giveUpEchoes(conversation);
  let cursor: string | null = null;
  const gone = new Set(listShared());
  const untold = new Set(listUntold());
  // Of whoever was signed in before.
  for (const conversation of wanted.keys()) if (!untold.has(conversation)) wanted.delete(conversation);
  do {
    const page: Page<WrittenDraft> = await request("GET", "/v1/drafts", { query: { cursor, limit: 100 } });
    for (const draft of page.items) {
      const { conversation_id: id, text, reply_to_id: replyTo } = draft;
      gone.delete(id);
      // Words that the server has refused are not given up for older ones that it has.
      if (untold.has(id) || loadDraft(id).isShared === false) known.set(id, sign({ text, replyTo }));
      else takeDraft(id, draft);
    }
    cursor = page.next;
  } while (cursor);
  // Sent or taken back on another device while this one was away.
  for (const id of gone) if (!untold.has(id)) takeGone(id);
  // Written or sent here while the server could not be told.
  for (const id of untold) {
    const { text, replyTo } = wordsHere(id);
    tellDraft(id, text, replyTo);
    if (wanted.has(id)) kept.add(id);
  }
}
