/** Above the thread of a chat: who is there, and the way to its details. */
import { useTranslation } from "react-i18next";
import { usePresence } from "@/api/hooks";
import type { Chat } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { IconButton } from "@/components/controls";
import { chatFace, chatPanel, chatTitle } from "@/lib/chat-view";
import { formatShort } from "@/lib/format";
import { navigate } from "@/lib/router";
import { useStore } from "@/lib/store";

export function ChatHeader({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const panel = useStore(chatPanel.store);
  const name = chatTitle(chat) ?? t(`chats.untitled.${chat.kind}`);
  const toggle = () => chatPanel.toggle("details");
  return (
    <header className="flex h-14 shrink-0 items-center gap-2 border-b border-line bg-surface pr-2 pl-4 max-md:pl-1">
      <IconButton
        icon="back"
        label={t("conversation.back")}
        className="size-10 md:hidden"
        onClick={() => navigate("/chats")}
      />
      <button
        type="button"
        onClick={toggle}
        className="-ml-1.5 flex min-w-0 items-center gap-2.5 rounded-lg px-1.5 py-1 text-left hover:bg-hover"
      >
        <Avatar id={chatFace(chat)} name={name} size="sm" picture={chat.avatar?.media_id} />
        <span className="min-w-0">
          <span dir="auto" className="block truncate leading-tight font-semibold">
            {name}
          </span>
          <span className="block truncate text-xs text-muted">
            <About chat={chat} />
          </span>
        </span>
      </button>
      <span className="flex-1" />
      <IconButton
        icon="search"
        label={t("chats.find")}
        isOn={panel === "search"}
        aria-pressed={panel === "search"}
        data-opens="search"
        className="size-8 pointer-coarse:size-10"
        onClick={() => chatPanel.toggle("search")}
      />
      <IconButton
        icon="panel"
        label={t("chats.details")}
        isOn={panel === "details"}
        aria-pressed={panel === "details"}
        data-opens="details"
        className="size-8 pointer-coarse:size-10"
        onClick={toggle}
      />
    </header>
  );
}

function About({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const presence = usePresence(chat.peer?.id);
  if (presence?.is_online) return <span className="text-good">{t("chats.online")}</span>;
  if (presence?.last_seen_at) return t("chats.lastSeen", { time: formatShort(presence.last_seen_at) });
  if (chat.kind === "direct" || chat.member_count === null) return t(`chats.${chat.kind}`);
  return `${t(`chats.${chat.kind}`)} · ${t("chats.members", { count: chat.member_count })}`;
}
