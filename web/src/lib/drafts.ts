/** What is being written in each conversation: kept in localStorage, so that it survives a closed window. */
import { createStore } from "./store";

export interface Writing {
  text: string;
  isNote: boolean;
  /** When it was written, in milliseconds. */
  at?: number;
}

const PREFIX = "parley.draft.";
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
  const isEmpty = writing.text.trim() === "";
  try {
    if (isEmpty) localStorage.removeItem(PREFIX + conversation);
    else localStorage.setItem(PREFIX + conversation, JSON.stringify({ ...writing, at: Date.now() }));
  } catch {
    // Without storage a draft lives as long as the tab.
  }
  draftTexts.set((all) => {
    const { [conversation]: _old, ...rest } = all;
    return isEmpty ? rest : { ...rest, [conversation]: writing.text.trim() };
  });
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
