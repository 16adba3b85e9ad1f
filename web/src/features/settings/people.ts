/** The people of the workspace as the settings show them: page after page, and found by name however many there are. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { keys } from "@/api/cache";
import { findPeople } from "@/api/chats";
import type { Person, User } from "@/api/types";
import { listUserPage } from "@/api/users";
import { usePaused } from "@/lib/usePaused";

const FIRST = null as string | null;

/** Of somebody who is found by name and not on the pages read so far neither e-mail nor invitation is known. */
export type Listed = Pick<User, "id" | "kind" | "name" | "role"> &
  Partial<Pick<User, "email" | "has_joined" | "deactivated_at">>;

export function usePeopleList(query: string) {
  const pages = useInfiniteQuery({
    queryKey: [...keys.users, "pages"],
    queryFn: ({ pageParam, signal }) => listUserPage(pageParam, signal),
    initialPageParam: FIRST,
    getNextPageParam: (page) => page.next,
  });
  const words = query.trim().toLocaleLowerCase();
  const asked = usePaused(words);
  const isAsking = asked !== "" && pages.hasNextPage;
  const found = useQuery({
    queryKey: [...keys.users, "found", asked],
    queryFn: ({ signal }) => findPeople(asked, null, signal),
    enabled: isAsking,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
  const read = pages.data?.pages.flatMap((page) => page.items);
  const isWhole = pages.data?.pages.length === 1 && !pages.hasNextPage;
  return {
    pages,
    /** More than one looks through. */
    isLong: !isWhole || (read?.length ?? 0) > LOOKED_THROUGH,
    isSearching: isAsking && (found.isFetching || asked !== words),
    items:
      read && (words ? matching(read, isAsking ? found.data?.items : [], words) : inOrder(read, isWhole)),
  };
}

const LOOKED_THROUGH = 10;

/** A team that is read with one page stands by name, those who left below; of more the pages stand as they come. */
export function inOrder(users: User[], isWhole: boolean): User[] {
  if (!isWhole) return users;
  return [...users].sort(
    (a, b) =>
      Number(Boolean(a.deactivated_at)) - Number(Boolean(b.deactivated_at)) || a.name.localeCompare(b.name),
  );
}

/** Of those who were read by name or e-mail, then of the others whom the server has found. */
export function matching(read: User[], found: Person[] = [], words: string): Listed[] {
  const known = new Set(read.map((user) => user.id));
  return [
    ...read.filter(({ name, email }) =>
      [name, email].some((one) => one?.toLocaleLowerCase().includes(words)),
    ),
    ...found.filter((one) => one.kind === "user" && !known.has(one.id)),
  ];
}
