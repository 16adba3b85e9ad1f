/** The list of conversations: statuses with counts, search, and rows that exist only while they are seen. */
import { useCallback, useDeferredValue, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Filter } from "@/api/desk";
import { useConversationList, useCounts, useInboxes, useMe } from "@/api/hooks";
import type { Counts } from "@/api/types";
import { Empty, Spinner } from "@/components/controls";
import { deskPanel, filterStore } from "@/lib/desk-view";
import { draftTexts } from "@/lib/drafts";
import { conversationPath, navigate } from "@/lib/router";
import { useStore } from "@/lib/store";
import { ListHead } from "./ListHead";
import { Row } from "./Row";
import { RowsFailed, RowsLoading, VirtualRows } from "./Rows";
import { SearchBox } from "./SearchBox";
import { type ListShown, NONE, useSearch } from "./search";

const STATUSES = ["open", "pending", "snoozed", "resolved"] as const;

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
        <ListHead title={<FilterTitle filter={filter} />} panel={deskPanel} />
        <SearchBox value={search} label={t("list.search")} onChange={setSearch} />
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
            className={`relative flex h-9 pointer-coarse:h-10 shrink-0 items-center gap-1 rounded-md px-1 text-[12.5px] outline-offset-[-2px] ${isOn ? "font-medium text-ink after:absolute after:inset-x-1 after:-bottom-px after:h-0.5 after:rounded-full after:bg-accent" : "text-muted hover:text-ink"}`}
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
  const onOpen = useCallback((id: string) => navigate(conversationPath(id)), []);
  const items = list.data?.items ?? NONE;
  if (list.isPending) return <RowsLoading />;
  if (list.isError) return <RowsFailed onRetry={() => void list.refetch()} />;
  if (items.length === 0) {
    if (words) return <Empty icon="search" title={t("list.noMatch")} text={t("list.noMatchText")} />;
    if (status === "open")
      return <Empty icon="check" title={t("list.emptyOpen")} text={t("list.emptyOpenText")} />;
    return <Empty icon="inbox" title={t("list.empty")} text={t("list.emptyText")} />;
  }
  return (
    <VirtualRows
      items={items}
      open={open}
      isLoadingMore={list.isLoadingMore}
      onNearEnd={list.data?.next ? () => void list.loadMore().catch(() => undefined) : undefined}
      render={(item, isOpen) => (
        <Row
          conversation={item}
          isOpen={isOpen}
          showsStatus={words !== ""}
          draft={drafts[item.id]}
          me={me}
          onOpen={onOpen}
        />
      )}
    />
  );
}
