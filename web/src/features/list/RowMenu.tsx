/** The menu of a list's rows, one for all of them. The focus goes back to the row; if it has left the list, to its neighbour. */
import { type ReactNode, useEffect, useRef } from "react";
import { ContextMenu, returnFocusTo } from "@/components/overlays";
import { visibleOrder } from "@/lib/desk-view";
import { type Store, useStore } from "@/lib/store";

/** The conversation whose menu is open, and where on the screen. */
export interface MenuPlace {
  id: string;
  x: number;
  y: number;
}

interface RowMenuProps<T> {
  store: Store<MenuPlace | null>;
  /** The row's conversation, while it is known. */
  item: T | undefined;
  children: (item: T) => ReactNode;
}

export function RowMenu<T>({ store, item, children }: RowMenuProps<T>) {
  const place = useStore(store);
  /** The row, then those that stood around it when the menu opened, the nearest first. */
  const near = useRef<string[]>([]);
  const id = place?.id;
  useEffect(() => {
    if (id) near.current = nearest(visibleOrder.get(), id);
  }, [id]);
  const giveFocusBack = () => {
    // What was chosen may have opened a dialog; that gives the focus back when it is closed.
    if (document.activeElement?.closest("[role=dialog]")) return returnFocusTo(firstOf(near.current));
    firstOf(near.current)?.focus({ preventScroll: true });
    // What was chosen may take the row away.
    setTimeout(() => {
      if (document.activeElement === document.body) firstOf(near.current)?.focus({ preventScroll: true });
    }, ROW_GONE_MS);
  };
  return (
    <ContextMenu place={item ? place : null} onClose={() => store.set(null)} onClosed={giveFocusBack}>
      {item && children(item)}
    </ContextMenu>
  );
}

const ROW_GONE_MS = 50;

/** The id, and the others by their distance from it. */
export function nearest(order: string[], id: string): string[] {
  const at = order.indexOf(id);
  if (at < 0) return [id];
  return order
    .map((one, index) => ({ one, far: Math.abs(index - at) }))
    .sort((a, b) => a.far - b.far)
    .map(({ one }) => one);
}

/** The row of the first of them that is on screen. */
function firstOf(ids: string[]): HTMLElement | null {
  const rows = ids.map((id) => document.querySelector<HTMLElement>(`[data-conversation="${id}"]`));
  return rows.find((row) => row !== null) ?? null;
}
