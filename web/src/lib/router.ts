/** Addresses of the app over the History API: a handful of screens need no library. */
import { createStore, useStore } from "./store";

const path = createStore(location.pathname);
window.addEventListener("popstate", () => path.set(location.pathname));

export function navigate(to: string, { replace = false } = {}): void {
  if (to === location.pathname && !location.hash) return;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  path.set(location.pathname);
}

export const usePath = (): string => useStore(path);

/** The one-time token of a link: behind `#`, so that it never reaches a server log. */
export const hashToken = (): string => new URLSearchParams(location.hash.slice(1)).get("token") ?? "";

export const conversationPath = (id: string): string => `/inbox/${id}`;

export const chatPath = (id: string): string => `/chats/${id}`;

/** Where a conversation of this address's list is opened. */
export const siblingPath = (current: string, id: string): string =>
  current.startsWith("/chats") ? chatPath(id) : conversationPath(id);

export function openChatOf(current: string): string | null {
  return current.match(/^\/chats\/(cnv_[\w-]+)$/)?.[1] ?? null;
}

export function openConversationOf(current: string): string | null {
  return current.match(/^\/inbox\/(cnv_[\w-]+)$/)?.[1] ?? null;
}
