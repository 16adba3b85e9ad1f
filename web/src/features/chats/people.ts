/** Those one can speak with. */
import { useMemo } from "react";
import { useMe, useUsers } from "@/api/hooks";
import type { Sender } from "@/api/types";

/** Everybody of the workspace but oneself, by name, whose name has the words. */
export function usePeople(query: string): { items: Sender[]; isPending: boolean } {
  const me = useMe().actor.id;
  const users = useUsers();
  const words = query.trim().toLocaleLowerCase();
  const items = useMemo(
    () =>
      (users.data ?? [])
        .filter(
          (user) => user.id !== me && !user.deactivated_at && user.name.toLocaleLowerCase().includes(words),
        )
        .sort((a, b) => a.name.localeCompare(b.name)),
    [users.data, me, words],
  );
  return { items, isPending: users.isPending };
}
