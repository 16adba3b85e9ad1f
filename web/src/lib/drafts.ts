/** What is being written in each conversation: kept in localStorage, so that it survives a closed window. */
import { createStore } from "./store";

export interface Writing {
  text: string;
  isNote: boolean;
  /** The message it answers. */
  replyTo?: string | null;
  /** The words of it that are quoted. They stay on this device: the server's draft has no place for them. */
  quote?: string | null;
  /** It is kept on the server too; what is gone there is gone here. */
  isShared?: boolean;
}

const PREFIX = "parley.draft.";
const OWNER = "parley.drafts-of";
const UNTOLD = "parley.drafts-untold";
const EMPTY: Writing = { text: "", isNote: false };

/** Which conversations have words waiting, for the list. */
export const draftTexts = createStore<Record<string, string>>(readAll());

export function loadDraft(conversation: string): Writing {
  try {
    const kept = localStorage.getItem(PREFIX + conversation);
    return kept ? { ...EMPTY, ...(JSON.parse(kept) as Writing) } : EMPTY;
  } catch {
    return EMPTY;
  }
}

export function saveDraft(conversation: string, writing: Writing): void {
  const isEmpty = writing.text.trim() === "" && !writing.replyTo;
  try {
    if (isEmpty) localStorage.removeItem(PREFIX + conversation);
    else localStorage.setItem(PREFIX + conversation, JSON.stringify(writing));
  } catch {
    // Without storage a draft lives as long as the tab.
  }
  draftTexts.set((all) => {
    const { [conversation]: _old, ...rest } = all;
    const text = writing.text.trim();
    return text === "" ? rest : { ...rest, [conversation]: text };
  });
}

/** What is left of the words when those taken are gone: what was written behind them, or instead of them. Pure. */
export const withoutTaken = (text: string, taken: string): string =>
  text.startsWith(taken) ? text.slice(taken.length).trimStart() : text;

/** What is quoted in the draft here, if it answers this message. */
export function quoteKept(conversation: string, replyTo: string | null): string | null {
  const kept = loadDraft(conversation);
  return replyTo && kept.replyTo === replyTo ? (kept.quote ?? null) : null;
}

/** Words begun by somebody else in this browser are not for who signs in now. */
export function claimDrafts(actor: string): void {
  const owner = localStorage.getItem(OWNER);
  if (owner !== null && owner !== actor) forgetDrafts();
  localStorage.setItem(OWNER, actor);
}

export function forgetDrafts(): void {
  localStorage.removeItem(UNTOLD);
  for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key);
  draftTexts.set({});
}

/** Conversations with a draft here that the server keeps as well. */
export const listShared = (): string[] =>
  Object.keys(localStorage)
    .filter((key) => key.startsWith(PREFIX))
    .map((key) => key.slice(PREFIX.length))
    .filter((conversation) => loadDraft(conversation).isShared);

/** Conversations whose draft here is newer than the server's, as far as is known. */
export function listUntold(): string[] {
  try {
    return JSON.parse(localStorage.getItem(UNTOLD) ?? "[]") as string[];
  } catch {
    return [];
  }
}

/** Remembers beyond a closed window that the server is still to be told of a draft, or that it was. */
export function markUntold(conversation: string, isUntold: boolean): void {
  const others = listUntold().filter((one) => one !== conversation);
  try {
    localStorage.setItem(UNTOLD, JSON.stringify(isUntold ? [...others, conversation] : others));
  } catch {
    // Without storage it is remembered as long as the tab lives.
  }
}

function readAll(): Record<string, string> {
  const found: Record<string, string> = {};
  for (let i = 0; i < localStorage.length; i += 1) {
    const key = localStorage.key(i);
    if (key?.startsWith(PREFIX))
      found[key.slice(PREFIX.length)] = loadDraft(key.slice(PREFIX.length)).text.trim();
  }
  return found;
}
