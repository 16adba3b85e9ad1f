/**
 * What this device keeps of the chats, so that they open without a network: the list, the members and the newest
 * messages of the chats that were open lately. One person's at a time; forgotten at signing out.
 */
import type { QueryClient } from "@tanstack/react-query";
import { keys } from "./cache";
import { chatKeys } from "./chat-cache";
import { type Thread, trimThread } from "./patches";
import type { Chat, Member } from "./types";

const DATABASE = "parley";
const STORE = "kept";
const CHATS = 200;
const THREADS = 30;
const MESSAGES = 60;
const SAVE_AFTER_MS = 1_500;

export interface Kept {
  chats: Chat[];
  threads: Record<string, Thread>;
  members: Record<string, Member[]>;
}

/** What is worth keeping of the cache, bounded. Pure. */
export function collectKept(client: QueryClient): Kept | null {
  const chats = client.getQueryData<Chat[]>(chatKeys.list);
  if (!chats) return null;
  const known = new Set(chats.map((chat) => chat.id));
  const recent = client
    .getQueryCache()
    .findAll({ queryKey: ["thread"] })
    .filter((query) => known.has(String(query.queryKey[1])))
    .sort((a, b) => b.state.dataUpdatedAt - a.state.dataUpdatedAt);
  const threads: Kept["threads"] = {};
  const members: Kept["members"] = {};
  for (const query of recent) {
    const thread = query.state.data as Thread | undefined;
    // A window that does not reach the newest message cannot be continued.
    if (!thread || thread.has_after || Object.keys(threads).length >= THREADS) continue;
    const id = String(query.queryKey[1]);
    threads[id] = trimThread(thread, MESSAGES, "before");
    const who = client.getQueryData<Member[]>(chatKeys.members(id));
    if (who) members[id] = who;
  }
  return { chats: chats.slice(0, CHATS), threads, members };
}

/** Puts it into an empty cache. The list and the members are asked for anew; threads go on from their cursors. */
export function restoreKept(client: QueryClient, kept: Kept): void {
  if (client.getQueryData(chatKeys.list)) return;
  client.setQueryData(chatKeys.list, kept.chats);
  for (const [id, thread] of Object.entries(kept.threads)) client.setQueryData(keys.thread(id), thread);
  for (const [id, who] of Object.entries(kept.members)) client.setQueryData(chatKeys.members(id), who);
  void client.invalidateQueries({ queryKey: chatKeys.list, refetchType: "none" });
  void client.invalidateQueries({ queryKey: ["members"], refetchType: "none" });
}

export const loadKept = (me: string): Promise<Kept | undefined> =>
  withStore<Kept | undefined>("readonly", (store) => store.get(me)).catch(() => undefined);

export const forgetKept = (): Promise<unknown> =>
  withStore("readwrite", (store) => store.clear()).catch(() => undefined);

/** Saves what changed, a while after it did; returns how to stop. */
export function startKeeping(client: QueryClient, me: string): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const save = () => {
    timer = undefined;
    const kept = collectKept(client);
    // A full or forbidden storage costs the opening without a network, nothing else.
    if (kept) void withStore("readwrite", (store) => store.put(kept, me)).catch(() => undefined);
  };
  const stop = client.getQueryCache().subscribe((event) => {
    const kind = event.query.queryKey[0];
    if (event.type !== "updated" || !["chats", "thread", "members"].includes(String(kind))) return;
    timer ??= setTimeout(save, SAVE_AFTER_MS);
  });
  const hide = () => document.visibilityState === "hidden" && timer !== undefined && save();
  document.addEventListener("visibilitychange", hide);
  return () => {
    clearTimeout(timer);
    stop();
    document.removeEventListener("visibilitychange", hide);
  };
}

function withStore<T>(
  mode: IDBTransactionMode,
  run: (store: IDBObjectStore) => IDBRequest<T> | IDBRequest<unknown>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction(STORE, mode);
      const asked = run(transaction.objectStore(STORE));
      asked.onsuccess = () => resolve(asked.result as T);
      asked.onerror = () => reject(asked.error);
      transaction.oncomplete = transaction.onabort = () => database.close();
    };
  });
}
