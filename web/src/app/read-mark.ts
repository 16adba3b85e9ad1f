/** Whether one's own words were read: by anybody else who was there when they were said. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { askAgain } from "@/api/asking";
import { chatKeys } from "@/api/chat-cache";
import { useMe, useMembers, useOwnNewest } from "@/api/hooks";
import { listReaders } from "@/api/messages";
import type { Chat, Message, Reached } from "@/api/types";

/** In larger ones not every reading is told live: the server tells so to at most as many who look. */
const TOLD_LIVE = 100;

export type IsRead = (said: Pick<Message, "number" | "created_at">) => boolean;

/** What is known of others. Pure; asking costs little however many they are. */
export function readBy(others: Reached[]): IsRead {
  const steps = others
    .map((one) => ({ from: Date.parse(one.joined_at), to: one.read_number }))
    .sort((a, b) => a.from - b.from);
  // Of each and all who were there before.
  let to = 0;
  for (const one of steps) to = one.to = Math.max(to, one.to);
  return ({ number, created_at }) => {
    if (number === null) return false;
    const at = Date.parse(created_at);
    let [low, high] = [0, steps.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((steps[middle]?.from ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return (steps[low - 1]?.to ?? 0) >= number;
  };
}

/** In a large chat the server is asked beside the newest of one's words, until somebody is known to have read them. */
export function useIsRead(chat: Chat): IsRead {
  const me = useMe().actor.id;
  const members = useMembers(chat.id).data;
  const others = useMemo(() => members?.filter((one) => one.actor.id !== me) ?? [], [members, me]);
  const told = useMemo(() => readBy(others), [others]);
  const newest = useOwnNewest(chat.id);
  const isLarge = (chat.member_count ?? 0) > TOLD_LIVE;
  const asked = useQuery({
    queryKey: [...chatKeys.readTo(chat.id), newest?.id],
    queryFn: async () => (newest ? (await listReaders(chat.id, newest.id)).reached : []),
    enabled: ({ state }) =>
      isLarge && newest !== undefined && !told(newest) && !readBy(state.data ?? [])(newest),
    refetchInterval: askAgain,
    placeholderData: keepPreviousData,
    gcTime: 0,
    staleTime: 0,
    retry: false,
  }).data;
  return useMemo(() => (asked ? readBy([...others, ...asked]) : told), [told, others, asked]);
}
