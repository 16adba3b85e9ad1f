/** What of the chats is on screen in this tab, and how a chat is called. */
import type { Chat, Message } from "@/api/types";
import { makePanel } from "./panel";
import { createStore } from "./store";

export type ChatDialog = "new" | null;
export const chatDialogStore = createStore<ChatDialog>(null);

/** The message that is being forwarded. */
export const forwardStore = createStore<Message | null>(null);

/** The chat whose menu is open, and where on the screen. */
export const chatMenuStore = createStore<{ id: string; x: number; y: number } | null>(null);

/** The message whose readers are shown. */
export const readersStore = createStore<Message | null>(null);

export const isMuted = (chat: Chat): boolean =>
  chat.muted_until !== null && Date.parse(chat.muted_until) > Date.now();

/** What counts on the rail and in the title: unread, but not what one muted or put away, unless one is called. */
export const needsReading = (chat: Chat): boolean =>
  chat.unread > 0 && (chat.mentions > 0 || (!isMuted(chat) && !chat.is_archived));

/** Beside the chats. */
export const chatPanel = makePanel("parley.chat-panel", false);

/** A direct chat is called by the other one. Null: nobody has given it a name. */
export const chatTitle = (chat: Chat): string | null => chat.peer?.name ?? chat.title;

/** Whether one may write there: in a broadcast only those who run it do. */
export const mayWrite = ({ kind, role }: Chat): boolean =>
  role === "owner" || role === "moderator" || (role === "member" && kind !== "broadcast");

/** Whose hue and picture stand for the chat: a direct one's are those of the other. */
export const chatFace = (chat: Chat): string => chat.peer?.id ?? chat.id;
