/** Where the reader stands: what is unread, what was read, what came meanwhile, and the pages still to load. */
import { useCallback, useEffect, useRef, useState } from "react";
import { moveRead } from "@/api/messages";
import type { Thread as ThreadData } from "@/api/patches";
import { useSync } from "@/api/sync";
import type { Listed } from "@/api/types";

const READ_DELAY_MS = 350;

/** The number of the first message not read yet; null when all are. */
export function firstUnreadOf(conversation: Listed, thread: ThreadData): number | null {
  const unread = Math.max(0, conversation.last_number - thread.read_number - thread.own_since);
  return unread > 0 ? thread.read_number + 1 : null;
}

export function useLoader(id: string, side: "before" | "after", hasMore: boolean): [boolean, () => void] {
  const sync = useSync();
  const [isLoading, setLoading] = useState(false);
  const running = useRef(false);
  const load = useCallback(() => {
    if (!hasMore || running.current) return;
    running.current = true;
    setLoading(true);
    sync
      .loadMore(id, side)
      // The next scroll asks again.
      .catch(() => undefined)
      .finally(() => {
        running.current = false;
        setLoading(false);
      });
  }, [sync, id, side, hasMore]);
  return [isLoading, load];
}

const isLooking = () => document.visibilityState === "visible" && document.hasFocus();

/** Reading is being at the bottom of a window that has the person's attention. */
export function useReadPosition(id: string, thread: ThreadData, isAtBottom: boolean): void {
  const sync = useSync();
  const [isSeen, setSeen] = useState(isLooking);
  useEffect(() => {
    const look = () => setSeen(isLooking());
    window.addEventListener("focus", look);
    window.addEventListener("blur", look);
    document.addEventListener("visibilitychange", look);
    return () => {
      window.removeEventListener("focus", look);
      window.removeEventListener("blur", look);
      document.removeEventListener("visibilitychange", look);
    };
  }, []);
  const last = thread.items.findLast((m) => m.number !== null)?.number ?? 0;
  const isBehind = last - thread.read_number - thread.own_since > 0;
  useEffect(() => {
    if (!isSeen || !isAtBottom || thread.has_after || !isBehind) return;
    const timer = setTimeout(() => {
      moveRead(id, last)
        .then((read) => sync.keepRead(id, read))
        // Not read on the server is read again at the next look.
        .catch(() => undefined);
    }, READ_DELAY_MS);
    return () => clearTimeout(timer);
  }, [isSeen, isAtBottom, isBehind, last, id, sync, thread.has_after]);
}

/** How many messages came while the reader was further up. */
export function useNews(thread: ThreadData, isAtBottom: boolean, me: string): number {
  const seen = useRef(thread.items.at(-1)?.position ?? 0);
  if (isAtBottom && !thread.has_after)
    seen.current = Math.max(seen.current, thread.items.at(-1)?.position ?? 0);
  return thread.items.filter((m) => m.position > seen.current && m.sender.id !== me && m.kind !== "system")
    .length;
}
