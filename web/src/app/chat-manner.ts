/** How a thread behaves in a chat: one's own words stand on one's side, and members tell how far they have read. */
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useMe, useMembers } from "@/api/hooks";
import type { Chat, Message } from "@/api/types";
import type { Manner } from "@/features/thread/manner";

export function useChatManner(chat: Chat): Manner {
  const { t } = useTranslation();
  const me = useMe().actor.id;
  const members = useMembers(chat.id).data;
  const { kind, role } = chat;
  const canWrite = role !== null && role !== "reader";
  const readTo = Math.max(
    0,
    ...(members ?? []).filter((one) => one.actor.id !== me).map((one) => one.read_number),
  );
  const names = useMemo(() => new Map(members?.map((one) => [one.actor.id, one.actor.name])), [members]);
  return useMemo(() => {
    const isOurs = (message: Message) => message.sender.id === me;
    return {
      isOurs,
      isNamed: (message) => kind !== "direct" && !isOurs(message),
      hasAvatars: kind === "group",
      can: {
        reply: (message) => canWrite && message.kind === "text",
        edit: (message) => isOurs(message) && canWrite && message.text !== "",
        delete: isOurs,
      },
      extras: () => [],
      receiptOf: (message) => {
        if (!isOurs(message) || message.number === null || message.deleted_at) return null;
        return message.number <= readTo ? "read" : "sent";
      },
      nameOf: (actor) => names.get(actor),
      deleteText: t("chats.deleteText"),
      reactText: t("chats.react"),
      emptyText: t(`chats.start.${kind}`),
    };
  }, [me, kind, canWrite, readTo, names, t]);
}
