/** Who can be given a conversation of the desk. */
import { useQuery } from "@tanstack/react-query";
import { keys } from "@/api/cache";
import { isNamed, useColleagues } from "@/api/colleagues";
import { listInboxMembers } from "@/api/desk";
import { useConversation, useMe } from "@/api/hooks";
import type { Actor } from "@/api/types";

/** Those who see a conversation, oneself first; `words` in lower case. */
export function useAssignable(conversation: string, words: string) {
  const me = useMe().actor;
  const inbox = useConversation(conversation).data?.inbox_id ?? "";
  const members = useQuery({
    queryKey: keys.inboxMembers(inbox),
    queryFn: () => listInboxMembers(inbox),
    enabled: inbox !== "",
  });
  const ids = members.data?.map((one) => one.id);
  const found = useColleagues(words, "seeing", ids);
  const others = found.people.filter((one) => one.id !== me.id);
  const people: Actor[] = [...(isNamed(me, words) ? [me] : []), ...others];
  return { people, isPending: found.isPending, isError: found.isError || members.isError };
}
