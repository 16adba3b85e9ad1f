import { useEffect } from "react";
import type { Filter } from "@/api/desk";
import { useConversationList } from "@/api/hooks";
import { filterStore } from "@/lib/desk-view";
import { useStore } from "@/lib/store";

/** The tab tells how many conversations wait for reading, of those in view. */
export function useTitle(): void {
  const filter: Filter = useStore(filterStore);
  const unread = useConversationList(filter).data?.items.filter((item) => item.unread > 0).length ?? 0;
  useUnreadTitle(unread);
}

export function useUnreadTitle(unread: number): void {
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) Parley` : "Parley";
    return () => {
      document.title = "Parley";
    };
  }, [unread]);
}
