/** Drafts of chats follow their writer: kept on the server a moment after a pause, taken from other devices as told. */

import { loadDraft, saveDraft } from "@/lib/drafts";
import { createStore } from "@/lib/store";
import { request } from "./http";
import type { Page, WrittenDraft } from "./types";

const SAVE_AFTER_MS = 800;

/** The last draft that another device wrote; a new object each time, so that it is heard. */
export const arrivedDraft = createStore<{
  conversation: string;
  text: string;
  replyTo: string | null;
} | null>(null);

/** What the server was told or has told last; an echo of it changes nothing. */
const known = new Map<string, string>();
const waiting = new Map<string, ReturnType<typeof setTimeout>>();

/** Tells the server what is being written, once the writing pauses. */
export function tellDraft(conversation: string, text: string, replyTo: string | null): void {
  clearTimeout(waiting.get(conversation));
  waiting.delete(conversation);
  if ((known.get(conversation) ?? NOTHING) === sign(text, replyTo)) return;
  waiting.set(
    conversation,
    setTimeout(() => void put(conversation, text, replyTo), SAVE_AFTER_MS),
  );
}

const sign = (text: string, replyTo: string | null): string => `${replyTo ?? ""} ${text}`;
const NOTHING = sign("", null);

async function put(conversation: string, text: string, replyTo: string | null): Promise<void> {
  waiting.delete(conversation);
  const before = known.get(conversation);
  known.set(conversation, sign(text, replyTo));
  try {
    const path = `/v1/conversations/${conversation}/draft`;
    if (text.trim() === "" && !replyTo) await request("DELETE", path);
    else await request("PUT", path, { body: { text, reply_to_id: replyTo } });
  } catch {
    // It is kept here all the same; the next change tells it again.
    if (before === undefined) known.delete(conversation);
    else known.set(conversation, before);
  }
}

/** A draft as the server has it now. What is being written here this moment goes before it. */
export function takeDraft(conversation: string, draft: WrittenDraft | null): void {
  const text = draft?.text ?? "";
  const replyTo = draft?.reply_to_id ?? null;
  if (waiting.has(conversation) || known.get(conversation) === sign(text, replyTo)) return;
  known.set(conversation, sign(text, replyTo));
  saveDraft(conversation, { text, isNote: false, replyTo });
  arrivedDraft.set({ conversation, text, replyTo });
}

/** Reads the drafts of all chats, once a session; the personal stream tells the rest. */
export async function loadDrafts(): Promise<void> {
  known.clear();
  let cursor: string | null = null;
  do {
    const page: Page<WrittenDraft> = await request("GET", "/v1/drafts", { query: { cursor, limit: 100 } });
    for (const draft of page.items) {
      const here = loadDraft(draft.conversation_id);
      const isNewer = here.text !== draft.text && (here.at ?? 0) > Date.parse(draft.changed_at);
      // Written here while the server could not be told.
      if (isNewer) tellDraft(draft.conversation_id, here.text, here.replyTo ?? null);
      else takeDraft(draft.conversation_id, draft);
    }
    cursor = page.next;
  } while (cursor);
}
