/** What of the desk is on screen in this tab: filter, panel, dialogs, what the composer replies to or edits. */
import type { Filter } from "@/api/desk";
import type { Actor, ConversationStatus, DeskConversation, Message } from "@/api/types";
import { makePanel } from "./panel";
import { createStore } from "./store";

export const filterStore = createStore<Filter>({ status: "open", inbox_id: null, assignee: null });
/** Beside the desk. */
export const deskPanel = makePanel("parley.panel", true);

export type Dialog = "palette" | "help" | "snooze" | "assign" | "rail" | null;
export const dialogStore = createStore<Dialog>(null);
/** The conversation that snoozing or assigning is asked for; null: the open one. */
export const dialogAbout = createStore<string | null>(null);

/** The conversation whose menu is open, and where on the screen. */
export const conversationMenuStore = createStore<{ id: string; x: number; y: number } | null>(null);

/** What of a conversation is to be another. */
export interface ConversationChange {
  status?: ConversationStatus;
  snoozed_until?: string;
  assignee?: Actor | null;
}

/** The change that gives a conversation the status it has here. */
export const statusOf = ({ status, snoozed_until }: DeskConversation): ConversationChange => ({
  status,
  ...(snoozed_until ? { snoozed_until } : {}),
});

/** What the composer is about, besides a new message. */
export type Composing =
  /** `quote`: the words of it that are answered; null: the whole. */
  { kind: "reply"; message: Message; quote: string | null } | { kind: "edit"; message: Message } | null;
export const composingStore = createStore<Record<string, Composing>>({});

export const setComposing = (conversation: string, composing: Composing): void =>
  composingStore.set((all) => ({ ...all, [conversation]: composing }));

/** Asks the composer to take the focus, in a mode. A new object each time, so that it is heard again. */
export const focusRequest = createStore<{ conversation: string; isNote: boolean | null } | null>(null);

/** Asks the thread to show a message, wherever it stands in the history. */
export const jumpRequest = createStore<{ conversation: string; id: string; position: number } | null>(null);

/** Asks the list to put the focus in its search. */
export const searchRequest = createStore(0);

/** Order of the list on screen, for the keys that go up and down. */
export const visibleOrder = createStore<string[]>([]);
