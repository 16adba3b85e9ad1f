/** Searching what was said: in this chat or everywhere, by whom, when, with what. A result opens at its place. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Fragment, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Found, isAsked, type SearchFilter, searchMessages } from "@/api/search";
import type { Sender } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Button, Empty, IconButton, Spinner } from "@/components/controls";
import { Choice } from "@/components/fields";
import { SearchField } from "@/components/SearchField";
import { jumpRequest } from "@/lib/desk-view";
import { errorText } from "@/lib/errors";
import { formatShort } from "@/lib/format";
import { isCovering } from "@/lib/panel";
import { chatPath, conversationPath, navigate } from "@/lib/router";
import { usePaused } from "@/lib/usePaused";
import { type Chosen, Filters, toFilter } from "./Filters";

const NOBODY: Sender[] = [];

interface SearchPanelProps {
  /** The conversation that is open; null: there is only everywhere. */
  here: string | null;
  /** Who speaks in it and is no colleague. */
  people?: Sender[];
  /** Where it looks at first. */
  startsHere: boolean;
  onClose: () => void;
}

export function SearchPanel({ here, people = NOBODY, startsHere, onClose }: SearchPanelProps) {
  const { t } = useTranslation();
  const [scope, setScope] = useState<"here" | "everywhere">(startsHere ? "here" : "everywhere");
  const [query, setQuery] = useState("");
  const [isFiltering, setFiltering] = useState(false);
  const [chosen, setChosen] = useState<Chosen>({ has: [] });
  const isHere = here !== null && scope === "here";
  const place = isHere ? here : chosen.chat?.id;
  const words = usePaused(query.trim());
  const filter: SearchFilter = {
    ...toFilter(chosen),
    query: words,
    ...(place ? { conversation_id: place } : {}),
  };
  return (
    <aside aria-label={t("chats.find")} className="flex h-full flex-col bg-surface">
      <div className="flex h-14 shrink-0 items-center gap-1 border-b border-line pr-2 pl-4">
        <h2 className="flex-1 font-semibold">{t("chats.find")}</h2>
        <IconButton
          icon="settings"
          label={t("chats.filters")}
          isOn={isFiltering}
          aria-pressed={isFiltering}
          onClick={() => setFiltering(!isFiltering)}
        />
        <IconButton icon="close" label={t("common.close")} onClick={onClose} />
      </div>
      <div className="flex shrink-0 flex-col gap-3 border-b border-line p-4">
        <SearchField autoFocus value={query} label={t("chats.findPlaceholder")} onChange={setQuery} />
        {here && (
          <Choice
            label={t("chats.where")}
            value={scope}
            options={[
              { value: "here", label: t("chats.here") },
              { value: "everywhere", label: t("chats.everywhere") },
            ]}
            onChange={setScope}
          />
        )}
        {isFiltering && <Filters chosen={chosen} people={people} hasChats={!isHere} onChange={setChosen} />}
      </div>
      <Results filter={filter} onGone={() => isCovering() && onClose()} />
    </aside>
  );
}

/** `onGone`: a result was opened. */
function Results({ filter, onGone }: { filter: SearchFilter; onGone: () => void }) {
  const { t } = useTranslation();
  const found = useInfiniteQuery({
    queryKey: ["found", filter],
    queryFn: ({ pageParam, signal }) => searchMessages(filter, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    enabled: isAsked(filter),
    gcTime: 60_000,
  });
  if (!isAsked(filter)) return <Empty icon="search" title={t("chats.findHint")} />;
  if (found.isPending) {
    return (
      <p className="flex justify-center p-8 text-faint">
        <Spinner className="size-5" />
      </p>
    );
  }
  if (found.isError && !found.data) {
    return (
      <Empty icon="alert" title={t("list.failed")} text={errorText(found.error, t)}>
        <Button onClick={() => void found.refetch()}>{t("common.retry")}</Button>
      </Empty>
    );
  }
  const items = found.data.pages.flatMap((page) => page.items);
  if (items.length === 0) return <Empty icon="search" title={t("list.noMatch")} />;
  return (
    <ul aria-label={t("chats.found")} className="min-h-0 flex-1 overflow-y-auto p-1.5">
      {items.map((one) => (
        <li key={one.message.id}>
          <Result found={one} isPlaceShown={!filter.conversation_id} onGone={onGone} />
        </li>
      ))}
      {found.hasNextPage && (
        <li className="flex justify-center p-3">
          <Button size="sm" isBusy={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
            {t("common.loadMore")}
          </Button>
        </li>
      )}
    </ul>
  );
}

interface ResultProps {
  found: Found;
  isPlaceShown: boolean;
  onGone: () => void;
}

function Result({ found, isPlaceShown, onGone }: ResultProps) {
  const { message, conversation } = found;
  const place = conversation.peer?.name ?? conversation.title;
  const go = () => {
    jumpRequest.set({ conversation: conversation.id, id: message.id, position: message.position });
    const path = conversation.kind === "desk" ? conversationPath : chatPath;
    navigate(path(conversation.id));
    onGone();
  };
  return (
    <button
      type="button"
      onClick={go}
      className="flex w-full gap-2.5 rounded-lg px-2.5 py-2 text-left outline-offset-[-2px] hover:bg-hover"
    >
      <Avatar id={message.sender.id} name={message.sender.name} size="sm" />
      <span className="min-w-0 flex-1">
        <span className="flex items-baseline gap-2 text-xs">
          <span dir="auto" className="min-w-0 flex-1 truncate text-left font-medium">
            {message.sender.name}
            {isPlaceShown && place && place !== message.sender.name && (
              <span className="font-normal text-muted"> · {place}</span>
            )}
          </span>
          <time dateTime={message.created_at} className="shrink-0 text-muted">
            {formatShort(message.created_at)}
          </time>
        </span>
        <span dir="auto" className="line-clamp-3 text-sm break-words text-muted">
          {marked(message.text, found.highlights)}
        </span>
      </span>
    </button>
  );
}

/** The text from a little before its first mark, with the marks. */
function marked(text: string, highlights: Found["highlights"]): ReactNode {
  const first = highlights[0]?.offset ?? 0;
  const from = first > 60 ? first - 40 : 0;
  const pieces: ReactNode[] = [from > 0 ? "…" : ""];
  let at = from;
  for (const { offset, length } of highlights) {
    pieces.push(text.slice(at, offset));
    pieces.push(
      <mark key={offset} className="rounded bg-accent-soft font-medium text-accent-ink">
        {text.slice(offset, offset + length)}
      </mark>,
    );
    at = offset + length;
  }
  pieces.push(text.slice(at, at + 400));
  return pieces.map((piece, index) => <Fragment key={index}>{piece}</Fragment>);
}
