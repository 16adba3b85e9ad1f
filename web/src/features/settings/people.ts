/** The people of the workspace as the settings show them: page after page, and found by the server among very many. */
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { keys } from "@/api/cache";
import type { User } from "@/api/types";
import { listUserPage } from "@/api/users";
import { usePaused } from "@/lib/usePaused";

const FIRST = null as string | null;

export function usePeopleList(query: string) {
  const words = query.trim().toLocaleLowerCase();
  const asked = usePaused(words);
  const pages = useInfiniteQuery({
    queryKey: [...keys.users, "pages"],
    queryFn: ({ pageParam, signal }) => listUserPage("", pageParam, signal),
    initialPageParam: FIRST,
    getNextPageParam: (page) => page.next,
  });
  const found = useInfiniteQuery({
    queryKey: [...keys.users, "found", asked],
    queryFn: ({ pageParam, signal }) => listUserPage(asked, pageParam, signal),
    initialPageParam: FIRST,
    getNextPageParam: (page) => page.next,
    enabled: asked !== "" && pages.hasNextPage,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
  const read = pages.data?.pages.flatMap((page) => page.items);
  const isWhole = pages.data?.pages.length === 1 && !pages.hasNextPage;
  const isAsking = words !== "" && pages.hasNextPage;
  const isLate = isAsking && (asked !== words || found.isPending || found.isPlaceholderData);
  const told = found.data?.pages.flatMap((page) => page.items);
  return {
    /** What the list on screen comes from, and goes on by. */
    query: isAsking && !isLate ? found : pages,
    /** More than one looks through. */
    isLong: !isWhole || (read?.length ?? 0) > LOOKED_THROUGH,
    isSearching: isLate,
    items: shown(),
  };

  function shown(): User[] | undefined {
    if (words === "") return read && inOrder(read, isWhole);
    if (!isAsking) return read && matching(read, words);
    if (isLate) return read && matching([...read, ...(told ?? [])], words);
    return told && inOrder(told, !found.hasNextPage);
  }
}

const LOOKED_THROUGH = 10;

/** What is read to its end stands by name, those who left below; of more the pages stand as they come. */
export function inOrder(users: User[], isWhole: boolean): User[] {
  if (!isWhole) return users;
  return [...users].sort(
    (a, b) =>
      Number(Boolean(a.deactivated_at)) - Number(Boolean(b.deactivated_at)) || a.name.localeCompare(b.name),
  );
}

/** Those who are found by name or e-mail, each once: until the server has told who they are. */
export function matching(known: User[], words: string): User[] {
  const fit = known.filter(({ name, email }) =>
    [name, email].some((one) => one?.toLocaleLowerCase().includes(words)),
  );
  return [...new Map(fit.map((user) => [user.id, user])).values()];
}
