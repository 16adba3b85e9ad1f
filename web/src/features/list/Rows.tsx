/** Rows that exist only while they are seen, walked with the arrows; and what stands there instead. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useEffect, useLayoutEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Button, Empty, Spinner } from "@/components/controls";
import { visibleOrder } from "@/lib/desk-view";

export const ROW_HEIGHT = 72;
const LOAD_AHEAD = 12;

interface VirtualRowsProps<T extends { id: string }> {
  items: T[];
  open: string | null;
  isLoadingMore?: boolean;
  /** Called when the end comes in sight, while there is more. */
  onNearEnd?: () => void;
  render: (item: T, isOpen: boolean) => ReactNode;
}

export function VirtualRows<T extends { id: string }>({
  items,
  open,
  isLoadingMore,
  onNearEnd,
  render,
}: VirtualRowsProps<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => items[index]?.id ?? index,
    overscan: 6,
  });
  const shown = rows.getVirtualItems();
  const isNearEnd = (shown.at(-1)?.index ?? 0) >= items.length - LOAD_AHEAD;

  // Before the rows are seen: a key that goes to the next may be pressed at once.
  useLayoutEffect(() => visibleOrder.set(items.map((item) => item.id)), [items]);
  const loadMore = useRef(onNearEnd);
  loadMore.current = onNearEnd;
  const count = items.length;
  useEffect(() => {
    if (isNearEnd && count > 0) loadMore.current?.();
  }, [isNearEnd, count]);
  // Only a new selection scrolls; new messages must not.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    const index = items.findIndex((item) => item.id === open);
    if (index >= 0) rows.scrollToIndex(index, { align: "auto" });
  }, [open]);

  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!by) return;
    event.preventDefault();
    const from = (event.target as HTMLElement).closest<HTMLElement>("[data-conversation]")?.dataset
      .conversation;
    const next = items.findIndex((item) => item.id === from) + by;
    const id = items[next]?.id;
    if (!id) return;
    rows.scrollToIndex(next, { align: "auto" });
    requestAnimationFrame(() =>
      scroller.current?.querySelector<HTMLElement>(`[data-conversation="${id}"]`)?.focus(),
    );
  };

  const hasOpen = items.some((item) => item.id === open);
  return (
    <div
      ref={scroller}
      className="min-h-0 flex-1 overflow-y-auto overscroll-contain px-1.5 py-1.5"
      onKeyDown={onKeyDown}
      role="list"
      tabIndex={hasOpen ? -1 : 0}
      onFocus={(event) => {
        if (event.target === scroller.current)
          scroller.current.querySelector<HTMLElement>("[data-conversation]")?.focus();
      }}
    >
      <div className="relative" style={{ height: rows.getTotalSize() }}>
        {shown.map((row) => {
          const item = items[row.index];
          if (!item) return null;
          return (
            <div
              key={row.key}
              role="listitem"
              className="absolute inset-x-0 top-0"
              style={{ transform: `translateY(${row.start}px)`, height: row.size }}
            >
              {render(item, item.id === open)}
            </div>
          );
        })}
      </div>
      {isLoadingMore && (
        <div className="flex justify-center py-3 text-faint">
          <Spinner />
        </div>
      )}
    </div>
  );
}

export function RowsFailed({ onRetry }: { onRetry: () => void }) {
  const { t } = useTranslation();
  return (
    <Empty icon="alert" title={t("list.failed")}>
      <Button onClick={onRetry}>{t("common.retry")}</Button>
    </Empty>
  );
}

export function RowsLoading() {
  const { t } = useTranslation();
  return (
    <div role="status" aria-label={t("common.loading")} className="flex flex-col px-1.5 py-1.5">
      {Array.from({ length: 9 }, (_, i) => (
        <div key={i} className="shimmer flex h-[72px] items-center gap-3 px-2.5">
          <span className="size-10 rounded-full bg-hover" />
          <span className="flex flex-1 flex-col gap-2">
            <span className={`h-3 rounded bg-hover ${i % 2 ? "w-2/5" : "w-1/2"}`} />
            <span className={`h-3 rounded bg-hover ${i % 3 ? "w-4/5" : "w-3/5"}`} />
          </span>
        </div>
      ))}
    </div>
  );
}
