/** The chats: rail, list, thread, details. Side by side where there is room, one after the other on a phone. */
import { type KeyboardEvent, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useChat, useChats } from "@/api/hooks";
import { useSync } from "@/api/sync";
import type { Chat } from "@/api/types";
import { Button, Empty } from "@/components/controls";
import { ChatHeader } from "@/features/chats/ChatHeader";
import { Details } from "@/features/chats/Details";
import { ForwardDialog } from "@/features/chats/ForwardDialog";
import { NewChat } from "@/features/chats/NewChat";
import { SearchPanel } from "@/features/chats/SearchPanel";
import { Composer } from "@/features/composer/Composer";
import { ChatList } from "@/features/list/ChatList";
import { Rail } from "@/features/list/Rail";
import { HelpDialog, PaletteDialog } from "@/features/palette/Dialogs";
import { PinBar } from "@/features/thread/PinBar";
import { ReadersDialog } from "@/features/thread/ReadersDialog";
import { Thread } from "@/features/thread/Thread";
import { chatDialogStore, chatTitle, needsReading, panelStore, setPanel } from "@/lib/chat-view";
import { errorText } from "@/lib/errors";
import { navigate, openChatOf, usePath } from "@/lib/router";
import { useStore } from "@/lib/store";
import { ConnectionBanner } from "./ConnectionBanner";
import { canCallAll, useCallable, useChatManner } from "./chat-manner";
import { RailDrawer } from "./RailDrawer";
import { useUnreadTitle } from "./useTitle";

export function Chats() {
  const open = openChatOf(usePath());
  const unread = useChats().data?.filter(needsReading).length ?? 0;
  useUnreadTitle(unread);
  useEffect(() => {
    // On a narrow screen the details cover the thread: another chat begins without them.
    if (open && matchMedia("(max-width: 1279px)").matches) panelStore.set(null);
  }, [open]);
  return (
    <div className="flex h-full flex-col">
      <ConnectionBanner />
      <div className="flex min-h-0 flex-1">
        <div className="w-56 shrink-0 border-r border-line max-lg:w-52 max-md:hidden">
          <Rail />
        </div>
        <div
          className={`w-[348px] shrink-0 border-r border-line bg-surface max-lg:w-[320px] max-md:w-full max-md:border-r-0 ${open ? "max-md:hidden" : ""}`}
        >
          <ChatList open={open} />
        </div>
        <main className={`flex min-w-0 flex-1 flex-col ${open ? "" : "max-md:hidden"}`}>
          {open ? <Open key={open} id={open} /> : <NothingOpen />}
        </main>
      </div>
      <RailDrawer />
      <NewChat />
      <ForwardDialog />
      <ReadersDialog />
      <PaletteDialog />
      <HelpDialog />
    </div>
  );
}

function NothingOpen() {
  const { t } = useTranslation();
  return (
    <div className="h-full bg-canvas">
      <Empty icon="chats" title={t("chats.pickTitle")} text={t("chats.pickText")}>
        <Button icon="compose" onClick={() => chatDialogStore.set("new")}>
          {t("chats.new")}
        </Button>
      </Empty>
    </div>
  );
}

function Open({ id }: { id: string }) {
  const { t } = useTranslation();
  const isGone = useStore(useSync().gone, (gone) => gone.has(id));
  const panel = useStore(panelStore);
  const { chat, isError, error } = useChat(id);
  if (!chat && (isGone || isError)) {
    return (
      <Empty icon="alert" title={t("chats.gone")} text={isGone ? t("chats.goneText") : errorText(error, t)}>
        <Button onClick={() => navigate("/chats")}>{t("actions.chats")}</Button>
      </Empty>
    );
  }
  if (!chat) return <div className="h-full bg-canvas" />;
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    const { target, currentTarget } = event;
    if (event.key !== "Escape" || event.defaultPrevented || !panel) return;
    // What lies above the panel closes itself; a field with words in it is emptied first.
    if (!(target instanceof HTMLElement) || !currentTarget.contains(target)) return;
    if (target instanceof HTMLInputElement && target.value) return;
    setPanel(null);
    currentTarget.querySelector<HTMLElement>(`[data-opens=${panel}]`)?.focus();
  };
  return (
    <div className="flex min-h-0 flex-1" onKeyDown={onKeyDown}>
      <Talk chat={chat} />
      {panel && (
        <div className="w-[320px] shrink-0 border-l border-line max-xl:fixed max-xl:inset-y-0 max-xl:right-0 max-xl:z-30 max-xl:shadow-pop max-sm:w-full">
          {panel === "details" ? (
            <Details key={id} chat={chat} onClose={() => setPanel(null)} />
          ) : (
            <SearchPanel chat={chat} onClose={() => setPanel(null)} />
          )}
        </div>
      )}
    </div>
  );
}

function Talk({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const manner = useChatManner(chat);
  const people = useCallable(chat);
  const name = chatTitle(chat) ?? t(`chats.untitled.${chat.kind}`);
  return (
    <section aria-label={name} className="flex min-w-0 flex-1 flex-col">
      <ChatHeader chat={chat} />
      <PinBar conversation={chat.id} />
      <Thread conversation={chat} manner={manner} />
      {chat.role === "reader" ? (
        <p className="flex h-14 shrink-0 items-center justify-center border-t border-line bg-surface px-4 text-center text-sm text-muted">
          {t("chats.readOnly")}
        </p>
      ) : (
        <Composer
          id={chat.id}
          placeholder={t("composer.label")}
          hasNotes={false}
          obstacle={null}
          people={people}
          canCallAll={canCallAll(chat)}
          isFollowed
        />
      )}
    </section>
  );
}
