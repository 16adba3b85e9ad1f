/** The list of conversations: statuses with counts, search, and rows that exist only while they are seen. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useCallback, useDeferredValue, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Filter } from "@/api/desk";
import { useConversationList, useCounts, useInboxes, useMe } from "@/api/hooks";
import type { Counts } from "@/api/types";
import { Button, Empty, IconButton, Keys, Spinner } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { dialogStore, filterStore, searchRequest, visibleOrder } from "@/lib/desk-view";
import { draftTexts } from "@/lib/drafts";
import { conversationPath, navigate } from "@/lib/router";
import { useStore } from "@/lib/store";
import { ROW_HEIGHT, Row } from "./Row";
import { type ListShown, NONE, useSearch } from "./search";

const STATUSES = ["open", "pending", "snoozed", "resolved"] as const;
const LOAD_AHEAD = 12;

export function ConversationList({ open }: { open: string | null }) {
  const { t } = useTranslation();
  const filter = useStore(filterStore);
  const [search, setSearch] = useState("");
  const words = useDeferredValue(search).trim();
  const list = useConversationList(filter);
  const found = useSearch(filter, words, list.data?.items);
  return (
    <section aria-label={t("list.label")} className="flex h-full min-h-0 flex-col">
      <header className="shrink-0 px-3 pt-3">
        <div className="mb-2.5 flex h-8 items-center gap-1">
          <IconButton
            icon="menu"
            label={t("nav.openMenu")}
            className="-ml-1 size-9 md:hidden"
            onClick={() => dialogStore.set("rail")}
          />
          <h1 className="min-w-0 flex-1 truncate px-1 text-lg font-semibold tracking-tight">
            <FilterTitle filter={filter} />
          </h1>
        </div>
        <SearchBox value={search} onChange={setSearch} />
        {words ? (
          <p className="mt-2 flex h-9 items-center gap-2 border-b border-line px-1 text-xs text-muted">
            {t("list.anyStatus")}
            {found.isSearching && <Spinner className="size-3.5" />}
          </p>
        ) : (
          <StatusTabs filter={filter} />
        )}
      </header>
      <Rows
        key={words ? "found" : "list"}
        list={words ? found : list}
        words={words}
        status={filter.status}
        open={open}
      />
    </section>
  );
}

function FilterTitle({ filter }: { filter: Filter }) {
  const { t } = useTranslation();
  const inbox = useInboxes().data?.find((one) => one.id === filter.inbox_id);
  if (inbox) return inbox.name;
  if (filter.assignee === "me") return t("nav.mine");
  if (filter.assignee === "none") return t("nav.unassigned");
  return t("nav.all");
}

function SearchBox({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useTranslation();
  const input = useRef<HTMLInputElement>(null);
  const request = useStore(searchRequest);
  useEffect(() => {
    if (request > 0) input.current?.focus();
  }, [request]);
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "Escape") {
      onChange("");
      input.current?.blur();
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      const first = visibleOrder.get()[0];
      if (first && event.key === "Enter") navigate(conversationPath(first));
      else document.querySelector<HTMLElement>("[data-conversation]")?.focus();
    }
  };
  return (
    <div className="relative">
      <Icon name="search" className="pointer-events-none absolute top-2 left-2.5 size-4 text-faint" />
      <input
        ref={input}
        type="search"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={onKeyDown}
        placeholder={t("list.search")}
        aria-label={t("list.search")}
        className="peer h-8 w-full rounded-lg bg-hover pr-8 pl-8 text-sm outline-none focus:bg-surface focus:ring-2 focus:ring-accent [&::-webkit-search-cancel-button]:hidden"
      />
      {value ? (
        <IconButton
          icon="close"
          label={t("common.close")}
          className="absolute top-1 right-1 size-6"
          onClick={() => onChange("")}
        />
      ) : (
        <Keys
          keys={["/"]}
          className="pointer-events-none absolute top-[7px] right-2 peer-focus:hidden max-md:hidden"
        />
      )}
    </div>
  );
}

/** Counts of what the list can show, by status, for the view. */
function countOf(
  counts: Counts | undefined,
  filter: Filter,
  status: (typeof STATUSES)[number],
): number | undefined {
  if (!counts) return undefined;
  if (filter.inbox_id) return counts.inboxes[filter.inbox_id]?.[status] ?? 0;
  if (!filter.assignee) return counts[status];
  return (filter.assignee === "me" ? counts.mine_by_status : counts.unassigned_by_status)?.[status];
}

function StatusTabs({ filter }: { filter: Filter }) {
  const { t } = useTranslation();
  const counts = useCounts().data;
  return (
    <div
      role="group"
      aria-label={t("list.statusFilter")}
      className="mt-2 flex justify-between gap-0.5 overflow-x-auto border-b border-line [scrollbar-width:none]"
    >
      {STATUSES.map((status) => {
        const isOn = filter.status === status;
        const count = countOf(counts, filter, status);
        return (
          <button
            key={status}
            type="button"
            aria-pressed={isOn}
            onClick={() => filterStore.set((old) => ({ ...old, status }))}
            className={`relative flex h-9 shrink-0 items-center gap-1 rounded-md px-1 text-[12.5px] outline-offset-[-2px] ${isOn ? "font-medium text-ink after:absolute after:inset-x-1 after:-bottom-px after:h-0.5 after:rounded-full after:bg-accent" : "text-muted hover:text-ink"}`}
          >
            {t(`status.${status}`)}{" "}
            {count ? <span className="text-2xs text-faint tabular-nums">{count}</span> : null}
          </button>
        );
      })}
    </div>
  );
}

interface RowsProps {
  list: ListShown;
  words: string;
  status: Filter["status"];
  open: string | null;
}

function Rows({ list, words, status, open }: RowsProps) {
  const { t } = useTranslation();
  const me = useMe().actor.id;
  const drafts = useStore(draftTexts);
  const scroller = useRef<HTMLDivElement>(null);
  const items = list.data?.items ?? NONE;
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => items[index]?.id ?? index,
    overscan: 6,
  });
  const shown = rows.getVirtualItems();
  const lastShown = shown.at(-1)?.index ?? 0;

  useEffect(() => visibleOrder.set(items.map((item) => item.id)), [items]);
  useEffect(() => {
    if (list.data?.next && lastShown >= items.length - LOAD_AHEAD)
      void list.loadMore().catch(() => undefined);
  }, [lastShown, items.length, list.data?.next, list.loadMore]);
  // Only a new selection scrolls; new messages must not.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    const index = items.findIndex((item) => item.id === open);
    if (index >= 0) rows.scrollToIndex(index, { align: "auto" });
  }, [open]);

  const onOpen = useCallback((id: string) => navigate(conversationPath(id)), []);
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

  if (list.isPending) return <RowsLoading />;
  if (list.isError) {
    return (
      <Empty icon="alert" title={t("list.failed")}>
        <Button onClick={() => void list.refetch()}>{t("common.retry")}</Button>
      </Empty>
    );
  }
  if (items.length === 0) {
    if (words) return <Empty icon="search" title={t("list.noMatch")} text={t("list.noMatchText")} />;
    if (status === "open")
      return <Empty icon="check" title={t("list.emptyOpen")} text={t("list.emptyOpenText")} />;
    return <Empty icon="inbox" title={t("list.empty")} text={t("list.emptyText")} />;
  }
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
              <Row
                conversation={item}
                isOpen={item.id === open}
                showsStatus={words !== ""}
                draft={drafts[item.id]}
                me={me}
                onOpen={onOpen}
              />
            </div>
          );
        })}
      </div>
      {list.isLoadingMore && (
        <div className="flex justify-center py-3 text-faint">
          <Spinner />
        </div>
      )}
    </div>
  );
}

function RowsLoading() {
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
