/** One chat of the list: who or what, what was said last and by whom, and what is unread. */
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { usePresence } from "@/api/hooks";
import type { Chat } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Icon } from "@/components/Icon";
import { chatFace, chatMenuStore, chatTitle, isMuted } from "@/lib/chat-view";
import { formatShort } from "@/lib/format";
import { LastMessage, UnreadBadge } from "./LastMessage";
import { MenuRow } from "./MenuRow";

interface ChatRowProps {
  chat: Chat;
  isOpen: boolean;
  draft: string | undefined;
  /** Who is writing at this moment. */
  typing: string | undefined;
  me: string;
  onOpen: (id: string) => void;
}

export const ChatRow = memo(function ChatRow({ chat, isOpen, draft, typing, me, onOpen }: ChatRowProps) {
  const { t } = useTranslation();
  const { last_message: last, unread } = chat;
  const name = chatTitle(chat) ?? t(`chats.untitled.${chat.kind}`);
  const presence = usePresence(chat.peer?.id);
  const isUnread = unread > 0;
  const muted = isMuted(chat);
  return (
    <MenuRow id={chat.id} name={name} isOpen={isOpen} onOpen={onOpen} onMenu={chatMenuStore.set}>
      <Avatar
        id={chatFace(chat)}
        name={name}
        picture={chat.avatar?.media_id}
        isOnline={presence?.is_online}
      />
      <span className="flex min-w-0 flex-1 flex-col gap-0.5">
        <span className="flex items-center gap-2">
          <span className="flex min-w-0 flex-1 items-center gap-1.5">
            {chat.kind !== "direct" && (
              <Icon name={chat.kind === "group" ? "users" : "megaphone"} className="size-[15px] text-faint" />
            )}
            <span
              dir="auto"
              className={`min-w-0 truncate text-left ${isUnread ? "font-semibold" : "font-medium"}`}
            >
              {name}
            </span>
            {muted && <Icon name="bellOff" className="size-3.5 text-faint" />}
          </span>
          <time
            dateTime={chat.active_at}
            className={`shrink-0 text-xs tabular-nums group-focus-within:invisible group-hover:invisible pointer-coarse:visible! ${isUnread ? "text-accent-ink" : "text-muted"}`}
          >
            {formatShort(chat.active_at)}
          </time>
        </span>
        <span className="flex items-center gap-2">
          <span className="flex min-w-0 flex-1 items-center gap-1 text-sm text-muted">
            {typing ? (
              <span className="truncate text-accent-ink">{t("chats.typing", { name: typing })}</span>
            ) : draft && !isOpen ? (
              <span className="truncate">
                <span className="text-bad">{t("list.draft")}: </span>
                {draft}
              </span>
            ) : last ? (
              <LastMessage
                snippet={last}
                isOwn={last.sender.id === me}
                speaker={
                  chat.kind === "group" && last.sender.id !== me && last.kind !== "system"
                    ? firstName(last.sender.name)
                    : undefined
                }
              />
            ) : (
              <span className="truncate text-faint">{t("chats.noMessages")}</span>
            )}
          </span>
          {chat.mentions > 0 && (
            <span className="flex size-[18px] shrink-0 items-center justify-center rounded-full bg-accent text-on-accent">
              <Icon name="at" className="size-3" />
              <span className="sr-only">{t("chats.mentions", { count: chat.mentions })}</span>
            </span>
          )}
          {isUnread ? (
            <UnreadBadge count={unread} isQuiet={muted} />
          ) : (
            chat.is_pinned && <Icon name="pin" className="size-4 text-faint" />
          )}
        </span>
      </span>
    </MenuRow>
  );
});

const firstName = (name: string): string => name.split(/\s+/)[0] ?? name;
