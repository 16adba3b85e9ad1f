/** The chats: rail, list, thread, details. Side by side where there is room, one after the other on a phone. */
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useChat, useChats } from "@/api/hooks";
import { useSync } from "@/api/sync";
import type { Chat } from "@/api/types";
import { Button, Empty } from "@/components/controls";
import { ChatHeader } from "@/features/chats/ChatHeader";
import { ChatMenu } from "@/features/chats/ChatMenu";
import { Details } from "@/features/chats/Details";
import { ForwardDialog } from "@/features/chats/ForwardDialog";
import { NewChat } from "@/features/chats/NewChat";
import { Composer } from "@/features/composer/Composer";
import { ChatList } from "@/features/list/ChatList";
import { Rail } from "@/features/list/Rail";
import { HelpDialog, PaletteDialog } from "@/features/palette/Dialogs";
import { SearchPanel } from "@/features/search/SearchPanel";
import { PinBar } from "@/features/thread/PinBar";
import { ReadersDialog } from "@/features/thread/ReadersDialog";
import { Thread } from "@/features/thread/Thread";
import { chatDialogStore, chatPanel, chatTitle, mayWrite, needsReading } from "@/lib/chat-view";
import { errorText } from "@/lib/errors";
import { isCovering } from "@/lib/panel";
import { navigate, openChatOf, usePath } from "@/lib/router";
import { useStore } from "@/lib/store";
import { Beside, closeByEscape } from "./Beside";
import { ConnectionBanner } from "./ConnectionBanner";
import { canCallAll, useCallable, useChatManner } from "./chat-manner";
import { RailDrawer } from "./RailDrawer";
import { useUnreadTitle } from "./useTitle";

export function Chats() {
  const open = openChatOf(usePath());
  const unread = useChats().data?.filter(needsReading).length ?? 0;
  const panel = useStore(chatPanel.store);
  useUnreadTitle(unread);
  useEffect(() => {
    // On a narrow screen the details cover the thread: another chat begins without them.
    if (open && isCovering()) chatPanel.store.set(null);
  }, [open]);
  return (
    <div className="flex h-full flex-col">
      <ConnectionBanner />
      <div className="flex min-h-0 flex-1" onKeyDown={onKeyDown}>
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
        {(panel === "search" || panel === "everywhere") && (
          <Beside width="w-[320px]">
            <Search key={panel} open={open} startsHere={panel === "search"} />
          </Beside>
        )}
      </div>
      <RailDrawer />
      <NewChat />
      <ChatMenu />
      <ForwardDialog />
      <ReadersDialog />
      <PaletteDialog />
      <HelpDialog />
    </div>
  );
}

const onKeyDown = closeByEscape(chatPanel);

function Search({ open, startsHere }: { open: string | null; startsHere: boolean }) {
  return <SearchPanel here={open} startsHere={startsHere} onClose={() => chatPanel.set(null)} />;
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
  const panel = useStore(chatPanel.store);
  const { chat, isError, error } = useChat(id);
  if (!chat && (isGone || isError)) {
    return (
      <Empty icon="alert" title={t("chats.gone")} text={isGone ? t("chats.goneText") : errorText(error, t)}>
        <Button onClick={() => navigate("/chats")}>{t("actions.chats")}</Button>
      </Empty>
    );
  }
  if (!chat) return <div className="h-full bg-canvas" />;
  return (
    <div className="flex min-h-0 flex-1">
      <Talk chat={chat} />
      {panel === "details" && (
        <Beside width="w-[320px]">
          <Details key={id} chat={chat} onClose={() => chatPanel.set(null)} />
        </Beside>
      )}
    </div>
  );
}

function Talk({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const manner = useChatManner(chat);
  const callable = useCallable(chat);
  const name = chatTitle(chat) ?? t(`chats.untitled.${chat.kind}`);
  return (
    <section aria-label={name} className="flex min-w-0 flex-1 flex-col">
      <ChatHeader chat={chat} />
      <PinBar conversation={chat.id} />
      <Thread conversation={chat} manner={manner} />
      {!mayWrite(chat) ? (
        <p className="flex h-14 shrink-0 items-center justify-center border-t border-line bg-surface px-4 text-center text-sm text-muted">
          {t(chat.kind === "broadcast" ? "chats.readOnly" : "errors.may_not_write")}
        </p>
      ) : (
        <Composer
          id={chat.id}
          placeholder={t("composer.label")}
          hasNotes={false}
          obstacle={null}
          {...callable}
          canCallAll={canCallAll(chat)}
          isFollowed
        />
      )}
    </section>
  );
}
