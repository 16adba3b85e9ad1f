/** Those who work at the desk, found by name however many people are in the workspace beside them. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { usePaused } from "@/lib/usePaused";
import { findPeople } from "./chats";
import type { Actor, Person, Role } from "./types";

const ROLES: Role[] = ["owner", "admin", "agent"];
/** As many are shown; the rest is found by name. */
const SHOWN = 20;
/** How far it is looked through those who do not fit. */
const PAGES = 10;

type Fits = (one: Person) => boolean;

/** Who is chosen from, by the members of an inbox. */
export const fitting: Record<"seeing" | "beside", (members: ReadonlySet<string>) => Fits> = {
  /** Who sees its conversations: administrators all, others those of inboxes they are members of. */
  seeing:
    (members) =>
    ({ id, role }) =>
      role !== "agent" || members.has(id),
  /** Who is no member yet. */
  beside:
    (members) =>
    ({ id }) =>
      !members.has(id),
};

/** By name. `words` in lower case; until the members' ids are known nobody is asked for. */
export function useColleagues(words: string, choice: keyof typeof fitting, members: string[] | undefined) {
  const asked = usePaused(words);
  const fits = members && fitting[choice](new Set(members));
  const found = useQuery({
    queryKey: ["colleagues", asked, choice, members],
    queryFn: ({ signal }) => findColleagues(asked, fits ?? (() => true), signal),
    enabled: fits !== undefined,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
  const isLate = asked !== words || found.isPlaceholderData;
  // What was found for fewer words is narrowed at once: Enter takes whom one sees.
  const people = (found.data ?? []).filter((one) => (!isLate || isNamed(one, words)) && fits?.(one));
  return { people, isPending: found.isPending || isLate, isError: found.isError };
}

export const isNamed = ({ name }: Actor, words: string): boolean => name.toLocaleLowerCase().includes(words);

export async function findColleagues(words: string, fits: Fits, signal?: AbortSignal): Promise<Person[]> {
  const found: Person[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < PAGES && found.length < SHOWN; pages += 1) {
    const page = await findPeople(words, ROLES, cursor, signal);
    found.push(...page.items.filter(fits));
    cursor = page.next;
    if (!cursor) break;
  }
  return found;
}
