/** Whether one's own words were read: by anybody else who was there when they were said. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { chatKeys } from "@/api/chat-cache";
import { useMe, useMembers, useOwnNewest } from "@/api/hooks";
import { listReaders } from "@/api/messages";
import type { Chat, Member, Message } from "@/api/types";

/** In larger ones not every reading is told live: the server tells so to at most as many who look. */
const TOLD_LIVE = 100;
/** How often the server is asked of words there that nobody is known to have read. */
const ASK_MS = 10_000;

export type IsRead = (said: Pick<Message, "number" | "created_at">) => boolean;

/** What the members at hand tell. Pure; asking costs little however many they are. */
export function readBy(members: Member[], me: string): IsRead {
  const others = members
    .filter((one) => one.actor.id !== me)
    .map((one) => ({ from: Date.parse(one.joined_at), to: one.read_number }))
    .sort((a, b) => a.from - b.from);
  // Of each and all who were there before.
  let to = 0;
  for (const one of others) to = one.to = Math.max(to, one.to);
  return ({ number, created_at }) => {
    if (number === null) return false;
    const at = Date.parse(created_at);
    let [low, high] = [0, others.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((others[middle]?.from ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return (others[low - 1]?.to ?? 0) >= number;
  };
}

export function useIsRead(chat: Chat): IsRead {
  const me = useMe().actor.id;
  const members = useMembers(chat.id).data;
  const told = useMemo(() => readBy(members ?? [], me), [members, me]);
  const newest = useOwnNewest(chat.id);
  const isLarge = (chat.member_count ?? 0) > TOLD_LIVE;
  const asked = useQuery({
    queryKey: [...chatKeys.readTo(chat.id), newest?.id],
    queryFn: async () => (newest ? (await listReaders(chat.id, newest.id)).read_number : 0),
    enabled: ({ state }) =>
      isLarge && newest !== undefined && !told(newest) && (state.data ?? 0) < (newest.number ?? 0),
    refetchInterval: ASK_MS,
    placeholderData: keepPreviousData,
    gcTime: 0,
    staleTime: 0,
    retry: false,
  });
  const readTo = asked.data ?? 0;
  return useMemo(
    () => (said) => told(said) || (said.number !== null && said.number <= readTo),
    [told, readTo],
  );
}
