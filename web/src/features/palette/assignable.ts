/** Who can be given a conversation of the desk: found by name, page after page, however many people there are. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { keys } from "@/api/cache";
import { findPeople } from "@/api/chats";
import { listInboxMembers } from "@/api/desk";
import { useConversation, useMe } from "@/api/hooks";
import type { Actor, Person } from "@/api/types";
import { usePaused } from "@/lib/usePaused";

/** As many are shown; the rest is found by name. */
const SHOWN = 20;
/** How far it is looked through those who may not see the conversation. */
const PAGES = 10;

/** Those who see a conversation, oneself first; `words` in lower case. */
export function useAssignable(conversation: string, words: string): { people: Actor[]; isPending: boolean } {
  const me = useMe().actor;
  const inbox = useConversation(conversation).data?.inbox_id ?? "";
  const members = useQuery({
    queryKey: keys.inboxMembers(inbox),
    queryFn: () => listInboxMembers(inbox),
    enabled: inbox !== "",
  }).data;
  const asked = usePaused(words);
  const found = useQuery({
    queryKey: ["assignable", inbox, asked, members?.length],
    queryFn: ({ signal }) => findAssignable(asked, new Set(members?.map((one) => one.id)), signal),
    enabled: members !== undefined,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
  const isLate = asked !== words || found.isPlaceholderData;
  const fits = ({ name }: Actor) => name.toLocaleLowerCase().includes(words);
  // What was found for fewer words is narrowed at once: Enter takes whom one sees.
  const others = (found.data ?? []).filter((one) => one.id !== me.id && (!isLate || fits(one)));
  return { people: [...(fits(me) ? [me] : []), ...others], isPending: found.isPending || isLate };
}

/** Administrators see every conversation, others those of inboxes they are members of. */
export async function findAssignable(
  words: string,
  members: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<Person[]> {
  const found: Person[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < PAGES && found.length < SHOWN; pages += 1) {
    const page = await findPeople(words, cursor, signal);
    found.push(
      ...page.items.filter(
        ({ id, kind, role }) =>
          kind === "user" && (role === "owner" || role === "admin" || (role === "agent" && members.has(id))),
      ),
    );
    cursor = page.next;
    if (!cursor) break;
  }
  return found;
}
