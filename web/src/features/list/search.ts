/** Search in the list: what is loaded is looked through at once, the server is asked when the typing pauses. */
import { useEffect, useMemo, useState } from "react";
import type { LoadedList } from "@/api/cache";
import type { Filter } from "@/api/desk";
import { useConversationList } from "@/api/hooks";
import type { DeskConversation } from "@/api/types";

const PAUSE_MS = 200;
/** What the server takes. */
const QUERY_LENGTH = 100;

export const NONE: DeskConversation[] = [];

/** A list as the rows need it: loaded from the server, or found. */
export interface ListShown {
  data: LoadedList | undefined;
  isPending: boolean;
  isError: boolean;
  isLoadingMore: boolean;
  refetch: () => unknown;
  loadMore: () => Promise<void>;
}

/** Conversations of the view, in any status, whose contact (or, among the loaded, last message) has the words. */
export function useSearch(
  filter: Filter,
  words: string,
  loaded = NONE,
): ListShown & { isSearching: boolean } {
  const asked = usePaused(words).slice(0, QUERY_LENGTH);
  const wanted = useMemo<Filter>(() => ({ ...filter, status: "all", query: asked }), [filter, asked]);
  const answer = useConversationList(wanted, asked !== "");
  const items = useMemo(() => {
    const found = (answer.data?.items ?? NONE).filter((item) => asked === words || matches(item, words));
    const known = new Set(found.map((item) => item.id));
    const here = loaded.filter((item) => !known.has(item.id) && matches(item, words));
    return [...found, ...here].sort((a, b) => Date.parse(b.active_at) - Date.parse(a.active_at));
  }, [answer.data, loaded, asked, words]);
  const isSearching = words !== "" && (asked !== words.slice(0, QUERY_LENGTH) || answer.isFetching);
  const isNothing = items.length === 0;
  return {
    data: { items, next: asked === words ? (answer.data?.next ?? null) : null },
    isPending: isNothing && isSearching,
    isError: isNothing && answer.isError,
    isLoadingMore: answer.isLoadingMore,
    refetch: answer.refetch,
    loadMore: answer.loadMore,
    isSearching,
  };
}

function matches({ contact, last_message }: DeskConversation, words: string): boolean {
  const lower = words.toLocaleLowerCase();
  return [contact.name, contact.username, contact.address, last_message?.text].some((text) =>
    text?.toLocaleLowerCase().includes(lower),
  );
}

function usePaused(words: string): string {
  const [paused, setPaused] = useState(words);
  useEffect(() => {
    const timer = setTimeout(() => setPaused(words), words === "" ? 0 : PAUSE_MS);
    return () => clearTimeout(timer);
  }, [words]);
  return paused;
}
