/** Where to forward a message: one's chats, by name. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useChats } from "@/api/hooks";
import { sendMessage } from "@/api/messages";
import { useSync } from "@/api/sync";
import type { Chat, Message } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Dialog, showToast } from "@/components/overlays";
import { type Pick, Picker } from "@/components/Picker";
import { useTry } from "@/components/trying";
import { chatFace, chatTitle, forwardStore, mayWrite } from "@/lib/chat-view";
import { chatPath, navigate } from "@/lib/router";
import { useStore } from "@/lib/store";

const SHOWN = 30;
const close = () => forwardStore.set(null);

export function ForwardDialog() {
  const { t } = useTranslation();
  const message = useStore(forwardStore);
  return (
    <Dialog isOpen={message !== null} onClose={close} title={t("chats.forwardTo")} width="max-w-sm">
      {message && <Targets message={message} />}
    </Dialog>
  );
}

function Targets({ message }: { message: Message }) {
  const { t } = useTranslation();
  const sync = useSync();
  const attempt = useTry();
  const chats = useChats().data ?? [];
  const [query, setQuery] = useState("");
  const words = query.trim().toLocaleLowerCase();
  const nameOf = (chat: Chat) => chatTitle(chat) ?? t(`chats.untitled.${chat.kind}`);
  const forward = (chat: Chat) => async () => {
    const { conversation_id, id } = message;
    const body = { client_id: crypto.randomUUID(), forward: { conversation_id, message_id: id } };
    const isDone = await attempt.run(async () => sync.keepMessage(await sendMessage(chat.id, body)));
    if (!isDone) return;
    close();
    const open = { label: t("chats.open"), run: () => navigate(chatPath(chat.id)) };
    showToast(t("chats.forwarded", { name: nameOf(chat) }), { action: open });
  };
  const picks: Pick[] = chats
    .filter((chat) => mayWrite(chat) && nameOf(chat).toLocaleLowerCase().includes(words))
    .slice(0, SHOWN)
    .map((chat) => ({
      id: chat.id,
      label: nameOf(chat),
      lead: <Avatar id={chatFace(chat)} name={nameOf(chat)} size="xs" picture={chat.avatar?.media_id} />,
      run: () => void forward(chat)(),
    }));
  return <Picker picks={picks} placeholder={t("chats.search")} query={query} onQuery={setQuery} />;
}
