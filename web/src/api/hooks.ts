/** What screens read: queries over the cache that `sync.ts` keeps fresh. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useStore } from "@/lib/store";
import { findConversation, keepConversation, keys, type LoadedList } from "./cache";
import { chatKeys } from "./chat-cache";
import { getChat, listMembers } from "./chats";
import {
  type Filter,
  getConversation,
  getCounts,
  listChannels,
  listConversations,
  listInboxes,
} from "./desk";
import { listMessages } from "./messages";
import type { Presence } from "./presence";
import { listScheduled, scheduledKeys } from "./scheduled";
import { sessionStore } from "./session";
import { useSync } from "./sync";
import type { Me, Message, MessagePage } from "./types";

const HALF_HOUR_MS = 30 * 60_000;
/** How long the lists on screen may take to tell a name before it is asked for. */
const LEARNING_MS = 400;
/** What was found for some words is soon not looked at any more. */
const FOUND_KEPT_MS = 60_000;

export const useSession = () => useSyncExternalStore(sessionStore.subscribe, sessionStore.get);

export function useMe(): Me {
  const session = useSession();
  if (session.phase !== "signed_in") throw new Error("useMe needs a signed-in person");
  return session.me;
}

/** Whether the desk is theirs too; others have their chats. */
export const useHasDesk = (): boolean => ["owner", "admin", "agent"].includes(useMe().actor.role ?? "");

export const useIsAdmin = (): boolean => ["owner", "admin"].includes(useMe().actor.role ?? "");

export const useInboxes = () => useQuery({ queryKey: keys.inboxes, queryFn: listInboxes });
export const useChannels = () =>
  useQuery({ queryKey: keys.channels, queryFn: listChannels, staleTime: Number.POSITIVE_INFINITY });
export const useCounts = () => useQuery({ queryKey: keys.counts, queryFn: getCounts });

export function useConversationList(filter: Filter, isWanted = true) {
  const sync = useSync();
  const client = useQueryClient();
  const [isLoadingMore, setLoadingMore] = useState(false);
  const running = useRef(false);
  const query = useQuery({
    queryKey: keys.list(filter),
    queryFn: async ({ signal }): Promise<LoadedList> => {
      const page = await listConversations(filter, null, signal);
      sync.noteToken(page.token);
      return { items: page.items, next: page.next };
    },
    enabled: isWanted,
    staleTime: filter.query ? FOUND_KEPT_MS : Number.POSITIVE_INFINITY,
    gcTime: filter.query ? FOUND_KEPT_MS : HALF_HOUR_MS,
  });
  const next = query.data?.next ?? null;
  const loadMore = useCallback(async () => {
    if (!next || running.current) return;
    running.current = true;
    setLoadingMore(true);
    try {
      const page = await listConversations(filter, next);
      client.setQueryData<LoadedList>(keys.list(filter), (list) => {
        if (!list) return list;
        const known = new Set(list.items.map((item) => item.id));
        const fresh = page.items.filter((item) => !known.has(item.id));
        return { items: [...list.items, ...fresh], next: page.next };
      });
    } finally {
      running.current = false;
      setLoadingMore(false);
    }
  }, [client, filter, next]);
  return { ...query, loadMore, isLoadingMore };
}

/** A conversation of the desk; of "" there is none. */
export function useConversation(id: string) {
  const client = useQueryClient();
  const me = useMe().actor.id;
  return useQuery({
    queryKey: keys.conversation(id),
    queryFn: async () => {
      const conversation = await getConversation(id);
      keepConversation(client, conversation, me);
      return conversation;
    },
    enabled: id !== "",
    initialData: () => findConversation(client, id),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: HALF_HOUR_MS,
  });
}

/** All chats of this person; from the first reading on they are live. */
export function useChats() {
  const sync = useSync();
  return useQuery({
    queryKey: chatKeys.list,
    queryFn: ({ signal }) => sync.chats.load(signal),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
  });
}

/** One chat of the list; one that is not in it (yet) is asked for. */
export function useChat(id: string) {
  const sync = useSync();
  const list = useChats();
  const chat = list.data?.find((one) => one.id === id);
  const isGone = useStore(sync.gone, (gone) => gone.has(id));
  const asked = useQuery({
    queryKey: ["chat", id],
    queryFn: async () => {
      const found = await getChat(id);
      sync.chats.keep(found);
      return found.id;
    },
    enabled: !list.isPending && !chat && !isGone,
    gcTime: 0,
  });
  return { chat, isError: list.isError || (asked.isError && !chat), error: asked.error ?? list.error };
}

/** Whether somebody is here, and when they were last; null is not known, or not for us to know. */
export function usePresence(actor: string | undefined): Presence | undefined {
  const { store } = useSync().presence;
  return useSyncExternalStore(store.subscribe, () => (actor ? store.get()[actor] : undefined));
}

/**
 * How to call people: as `known` does, which reads what is on screen; those of `wanted` whom it does not know are asked
 * for, once it had the time to learn them.
 */
export function useNames(
  wanted: string[],
  known: (actor: string) => string | undefined,
): (actor: string) => string | undefined {
  const { names } = useSync();
  const told = useStore(names.store);
  const missing = wanted.filter((actor) => known(actor) === undefined).join();
  useEffect(() => {
    if (!missing) return;
    const timer = setTimeout(() => names.want(missing.split(",")), LEARNING_MS);
    return () => clearTimeout(timer);
  }, [names, missing]);
  return (actor) => known(actor) ?? told[actor];
}

/** One's messages to be sent later: in a conversation, or (null) in all. */
export const useScheduled = (conversation: string | null) =>
  useQuery({
    queryKey: scheduledKeys.of(conversation),
    queryFn: () => listScheduled(conversation),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });

/** Of no conversation, "", there are none. */
export const useMembers = (id: string) =>
  useQuery({
    queryKey: chatKeys.members(id),
    queryFn: () => listMembers(id),
    enabled: id !== "",
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: HALF_HOUR_MS,
  });

const threadOf = (id: string) => ({
  queryKey: keys.thread(id),
  queryFn: ({ signal }: { signal: AbortSignal }) => listMessages(id, {}, signal),
  staleTime: Number.POSITIVE_INFINITY,
  gcTime: HALF_HOUR_MS,
});

/** The newest of one's own words in a thread that is on screen. */
export function useOwnNewest(id: string): Message | undefined {
  const me = useMe().actor.id;
  const select = useCallback(
    ({ items }: MessagePage) =>
      items.findLast((one) => one.sender.id === me && one.number !== null && !one.deleted_at),
    [me],
  );
  return useQuery({ ...threadOf(id), enabled: false, select }).data;
}

/** The thread on screen: history first, then the stream is followed from the history's head. */
export function useThread(id: string) {
  const sync = useSync();
  const query = useQuery(threadOf(id));
  const isLoaded = query.data !== undefined;
  useEffect(() => (isLoaded ? sync.follow(id) : undefined), [sync, id, isLoaded]);
  return query;
}
