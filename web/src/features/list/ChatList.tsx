/** The list of chats: what is loaded is searched at once; the newest stands above. */
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useDeferredValue, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { chatKeys } from "@/api/chat-cache";
import { useChats, useMe, useNames, useScheduled } from "@/api/hooks";
import { useSync } from "@/api/sync";
import type { Chat, Member } from "@/api/types";
import { Button, Empty, IconButton } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { AllScheduled } from "@/features/scheduled/AllScheduled";
import { chatDialogStore, chatPanel, chatTitle } from "@/lib/chat-view";
import { draftTexts } from "@/lib/drafts";
import { chatPath, navigate } from "@/lib/router";
import { useStore } from "@/lib/store";
import { ChatRow } from "./ChatRow";
import { ListHead } from "./ListHead";
import { RowsFailed, RowsLoading, VirtualRows } from "./Rows";
import { SearchBox } from "./SearchBox";

export function ChatList({ open }: { open: string | null }) {
  const { t } = useTranslation();
  const [search, setSearch] = useState("");
  const [view, setView] = useState<View>("present");
  const words = useDeferredValue(search).trim().toLocaleLowerCase();
  return (
    <section aria-label={t("chats.title")} className="flex h-full min-h-0 flex-col">
      <header className="shrink-0 px-3 pt-3 pb-1.5">
        <ListHead title={t("chats.title")} panel={chatPanel}>
          <IconButton
            icon="compose"
            label={t("chats.new")}
            className="size-8 pointer-coarse:size-10"
            onClick={() => chatDialogStore.set("new")}
          />
        </ListHead>
        <SearchBox value={search} label={t("chats.search")} onChange={setSearch} />
        {!words && <Tabs view={view} onChange={setView} />}
      </header>
      {view === "scheduled" && !words ? (
        <AllScheduled />
      ) : (
        <Rows key={words ? "found" : view} view={view} words={words} open={open} />
      )}
    </section>
  );
}

/** Which chats are shown: archived ones only when asked for, or searched. */
type View = "present" | "unread" | "archived" | "scheduled";

const IN_VIEW: Record<View, (chat: Chat) => boolean> = {
  present: (chat) => !chat.is_archived,
  unread: (chat) => chat.unread > 0,
  archived: (chat) => chat.is_archived,
  // What is shown then are no chats; searching looks at all of them.
  scheduled: () => false,
};

function Tabs({ view, onChange }: { view: View; onChange: (view: View) => void }) {
  const { t } = useTranslation();
  const chats = useChats().data ?? [];
  const scheduled = useScheduled(null).data ?? [];
  const look = (isOn: boolean) =>
    `h-7 rounded-full px-3 text-xs pointer-coarse:h-10 ${isOn ? "bg-selected font-medium text-ink" : "text-muted hover:bg-hover hover:text-ink"}`;
  const views: View[] =
    chats.some(IN_VIEW.archived) || view === "archived"
      ? ["present", "unread", "archived"]
      : ["present", "unread"];
  return (
    <div role="group" aria-label={t("chats.views")} className="mt-2 flex gap-1">
      {views.map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={view === one}
          onClick={() => onChange(one)}
          className={look(view === one)}
        >
          {t(`chats.view.${one}`)}
        </button>
      ))}
      {(scheduled.length > 0 || view === "scheduled") && (
        <button
          type="button"
          aria-pressed={view === "scheduled"}
          aria-label={t("chats.view.scheduled", { count: scheduled.length })}
          title={t("composer.scheduledTitle")}
          onClick={() => onChange("scheduled")}
          className={`${look(view === "scheduled")} flex items-center gap-1 tabular-nums ${scheduled.some((one) => one.state === "failed") ? "text-bad!" : ""}`}
        >
          <Icon name="clock" className="size-4" />
          {scheduled.length}
        </button>
      )}
    </div>
  );
}

const NO_CHATS: Chat[] = [];

function Rows({ view, words, open }: { view: View; words: string; open: string | null }) {
  const { t } = useTranslation();
  const me = useMe().actor.id;
  const list = useChats();
  const drafts = useStore(draftTexts);
  const typing = useTypingNames(list.data ?? NO_CHATS);
  const items = useMemo(
    () => (list.data ?? []).filter((chat) => (words ? isFound(chat, words) : IN_VIEW[view](chat))),
    [list.data, words, view],
  );
  const onOpen = useCallback((id: string) => navigate(chatPath(id)), []);
  if (list.isPending) return <RowsLoading />;
  if (!list.data) return <RowsFailed onRetry={() => void list.refetch()} />;
  if (items.length === 0) {
    if (words) return <Empty icon="search" title={t("list.noMatch")} text={t("chats.noMatchText")} />;
    if (view !== "present" || list.data.length > 0)
      return <Empty icon="check" title={t(`chats.none.${view}`)} />;
    return (
      <Empty icon="chats" title={t("chats.empty")} text={t("chats.emptyText")}>
        <Button tone="primary" icon="compose" onClick={() => chatDialogStore.set("new")}>
          {t("chats.new")}
        </Button>
      </Empty>
    );
  }
  return (
    <VirtualRows
      items={items}
      open={open}
      render={(chat, isOpen) => (
        <ChatRow
          chat={chat}
          isOpen={isOpen}
          draft={drafts[chat.id]}
          typing={typing(chat.id)}
          me={me}
          onOpen={onOpen}
        />
      )}
    />
  );
}

const isFound = (chat: Chat, words: string): boolean =>
  [chatTitle(chat), chat.last_message?.text].some((text) => text?.toLocaleLowerCase().includes(words));

/** Who writes in which chat at this moment, by the first word of their names. */
function useTypingNames(chats: Chat[]): (chat: string) => string | undefined {
  const client = useQueryClient();
  const all = useStore(useSync().typing);
  const first = (chat: string) => Object.keys(all[chat] ?? {})[0];
  const told = (actor: string): string | undefined => {
    for (const chat of chats) {
      if (chat.peer?.id === actor) return chat.peer.name;
      if (chat.last_message?.sender.id === actor) return chat.last_message.sender.name;
      if (first(chat.id) !== actor) continue;
      const members = client.getQueryData<Member[]>(chatKeys.members(chat.id));
      const found = members?.find((member) => member.actor.id === actor);
      if (found) return found.actor.name;
    }
    return undefined;
  };
  const nameOf = useNames(
    Object.keys(all).flatMap((chat) => first(chat) ?? []),
    told,
  );
  return (chat) => {
    const actor = first(chat);
    return actor && nameOf(actor)?.split(/\s+/)[0];
  };
}
