/**
 * Where the reader stands in a thread: at the bottom it stays at the bottom, elsewhere the message that was first
 * on screen keeps its place while others come, go or grow.
 */
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

const NEAR_BOTTOM = 48;
const LOAD_WITHIN = 700;
/** The first unread message begins this far down: the line above it and the day stay in sight. */
const UNREAD_TOP = 76;

interface Options {
  scroller: RefObject<HTMLDivElement | null>;
  /** Changes when what is shown changed. */
  version: unknown;
  /** Key of the message to begin at; null begins at the bottom. */
  startAt: string | null;
  onNearTop: () => void;
  onNearBottom: () => void;
}

export function useThreadScroll({ scroller, version, startAt, onNearTop, onNearBottom }: Options) {
  const sticks = useRef(startAt === null);
  const anchor = useRef<{ key: string; top: number } | null>(null);
  /** Where it stood when the anchor was taken: what differs now was scrolled since, and its event is yet to come. */
  const stood = useRef(0);
  const isPlaced = useRef(false);
  const [isAtBottom, setAtBottom] = useState(startAt === null);

  const remember = useCallback(() => {
    const box = scroller.current;
    if (!box) return;
    stood.current = box.scrollTop;
    const top = box.getBoundingClientRect().top;
    for (const row of box.querySelectorAll<HTMLElement>("[data-key]")) {
      const place = row.getBoundingClientRect();
      if (place.bottom > top + 1) {
        anchor.current = { key: row.dataset.key ?? "", top: place.top - top };
        return;
      }
    }
  }, [scroller]);

  const settle = useCallback(() => {
    const box = scroller.current;
    if (!box) return;
    if (sticks.current) {
      box.scrollTop = box.scrollHeight;
    } else if (anchor.current) {
      const row = box.querySelector<HTMLElement>(`[data-key="${CSS.escape(anchor.current.key)}"]`);
      // at the very end the browser may have moved it, because there is less than there was
      const isAtEnd = box.scrollTop >= box.scrollHeight - box.clientHeight - 1;
      if (!isAtEnd) anchor.current.top -= box.scrollTop - stood.current;
      if (row)
        box.scrollTop +=
          row.getBoundingClientRect().top - box.getBoundingClientRect().top - anchor.current.top;
    }
    stood.current = box.scrollTop;
  }, [scroller]);

  const onScroll = useCallback(() => {
    const box = scroller.current;
    if (!box) return;
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    sticks.current = below < NEAR_BOTTOM;
    setAtBottom(sticks.current);
    remember();
    if (box.scrollTop < LOAD_WITHIN) onNearTop();
    if (below < LOAD_WITHIN) onNearBottom();
  }, [scroller, remember, onNearTop, onNearBottom]);

  useLayoutEffect(() => {
    void version;
    const box = scroller.current;
    if (!isPlaced.current && box) {
      isPlaced.current = true;
      const row = startAt ? box.querySelector<HTMLElement>(`[data-key="${CSS.escape(startAt)}"]`) : null;
      if (row)
        box.scrollTop += row.getBoundingClientRect().top - box.getBoundingClientRect().top - UNREAD_TOP;
      else box.scrollTop = box.scrollHeight;
      onScroll();
    } else settle();
    remember();
  }, [version, settle, remember, onScroll, scroller, startAt]);

  // Pictures, previews and the composer change heights after the fact.
  useEffect(() => {
    const box = scroller.current;
    const content = box?.firstElementChild;
    if (!box || !content) return;
    const watcher = new ResizeObserver(settle);
    watcher.observe(content);
    watcher.observe(box);
    return () => watcher.disconnect();
  }, [settle, scroller]);

  const toBottom = useCallback(() => {
    sticks.current = true;
    setAtBottom(true);
    settle();
  }, [settle]);

  const toKey = useCallback(
    (key: string): boolean => {
      const row = scroller.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`);
      if (!row) return false;
      sticks.current = false;
      row.scrollIntoView({ block: "center" });
      remember();
      return true;
    },
    [scroller, remember],
  );

  return { onScroll, isAtBottom, toBottom, toKey };
}
