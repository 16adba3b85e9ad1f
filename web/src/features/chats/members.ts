/** The members of a chat as they are shown and searched: all at hand in a small one, page after page in a large one. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { chatKeys, knowsAll } from "@/api/chat-cache";
import { findMembers } from "@/api/chats";
import { useMembers } from "@/api/hooks";
import type { Chat, Member, MemberRole } from "@/api/types";
import { usePaused } from "@/lib/usePaused";

const RANK: Record<MemberRole, number> = { owner: 0, moderator: 1, member: 2, reader: 3 };
export const ROLES = Object.keys(RANK) as MemberRole[];
/** Lines that come on screen at once. */
const STEP = 100;

export interface MemberList {
  items: Member[];
  isPending: boolean;
  error: unknown;
  hasMore: boolean;
  showMore: () => void;
  retry: () => void;
}

/** Whether a word of the name begins so. Pure. */
export const isNamedSo = (name: string, words: string): boolean =>
  ` ${name.toLocaleLowerCase()}`.includes(` ${words.toLocaleLowerCase()}`);

export function useMemberList(chat: Chat, query: string): MemberList {
  const words = query.trim().replace(/\s+/g, " ");
  const known = useMembers(chat.id);
  const isWhole = known.isPending || (known.data !== undefined && knowsAll(chat, known.data.length));
  const asked = usePaused(words);
  const found = useInfiniteQuery({
    queryKey: chatKeys.found(chat.id, asked),
    queryFn: ({ pageParam, signal }) => findMembers(chat.id, asked, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    enabled: !isWhole,
    staleTime: 30_000,
    gcTime: 60_000,
  });
  const [shown, setShown] = useState({ words, count: STEP });
  const count = shown.words === words ? shown.count : STEP;
  const sorted = useMemo(
    () =>
      (known.data ?? [])
        .filter((member) => words === "" || isNamedSo(member.actor.name, words))
        .sort((a, b) => RANK[a.role] - RANK[b.role] || a.actor.name.localeCompare(b.actor.name)),
    [known.data, words],
  );
  if (isWhole) {
    return {
      items: sorted.slice(0, count),
      isPending: known.isPending,
      error: known.data ? null : known.error,
      hasMore: sorted.length > count,
      showMore: () => setShown({ words, count: count + STEP }),
      retry: () => void known.refetch(),
    };
  }
  return {
    items: found.data?.pages.flatMap((page) => page.items) ?? [],
    isPending: found.isPending,
    error: found.error,
    hasMore: found.hasNextPage && !found.isError,
    showMore: () => void (found.isFetching || found.fetchNextPage()),
    retry: () => void (found.data ? found.fetchNextPage() : found.refetch()),
  };
}

/** For the mark below a list: calls once it comes near the screen, again whenever `version` is another. */
export function useNearEnd<E extends HTMLElement>(onNear: () => void, version: unknown) {
  const mark = useRef<E>(null);
  const latest = useRef(onNear);
  latest.current = onNear;
  useEffect(() => {
    void version;
    if (!mark.current) return;
    const watcher = new IntersectionObserver(
      (entries) => entries.some((one) => one.isIntersecting) && latest.current(),
      { rootMargin: "300px" },
    );
    watcher.observe(mark.current);
    return () => watcher.disconnect();
  }, [version]);
  return mark;
}
