/** Those one can speak with. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useMemo } from "react";
import { listPeople } from "@/api/chats";
import { useMe } from "@/api/hooks";
import type { Person } from "@/api/types";

/** Everybody of the workspace but oneself, found by name. */
export function usePeople(query: string): { items: Person[]; isPending: boolean } {
  const me = useMe().actor.id;
  const words = useDeferredValue(query.trim());
  const people = useQuery({
    queryKey: ["people", words],
    queryFn: ({ signal }) => listPeople(words, signal),
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
  // Until those of these words are known, of those before them whoever is meant by these as well.
  const isBehind = people.isPlaceholderData || words !== query.trim();
  const meant = isBehind ? query.trim().toLocaleLowerCase() : "";
  const items = useMemo(
    () =>
      (people.data?.items ?? []).filter(
        (person) => person.id !== me && person.name.toLocaleLowerCase().includes(meant),
      ),
    [people.data, me, meant],
  );
  return { items, isPending: people.isPending || isBehind };
}
