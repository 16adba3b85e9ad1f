/** How a thread and a composer behave at the desk: by what the channel can, and with notes among colleagues. */
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useInboxes, useMe } from "@/api/hooks";
import type { DeskConversation, Features, Inbox, Message } from "@/api/types";
import type { Obstacle } from "@/features/composer/Composer";
import type { Manner } from "@/features/thread/manner";

export function useDeskManner(features: Features | undefined): Manner {
  const { t } = useTranslation();
  const me = useMe().actor.id;
  return useMemo(() => {
    const isOurs = (message: Message) => message.sender.kind !== "contact";
    const isOwn = (message: Message) => message.sender.id === me;
    return {
      isOurs,
      isNamed: (message) => isOurs(message) && !isOwn(message),
      hasAvatars: true,
      can: {
        reply: (message) => message.kind === "text" && (features?.can_reply ?? true),
        edit: (message) => isOwn(message) && (message.kind === "note" || (features?.can_edit ?? true)),
        delete: (message) => isOwn(message) && (message.kind === "note" || (features?.can_delete ?? false)),
        hide: () => false,
      },
      extras: () => [],
      receiptOf: () => null,
      // Colleagues: asked for by their ids.
      nameOf: () => undefined,
      deleteText: t("thread.deleteText"),
      reactText: t("thread.react"),
      emptyText: t("thread.empty"),
    };
  }, [features, me, t]);
}

/** An inbox that is not among the known ones was disconnected: lists leave it out. */
export function useObstacle(
  conversation: DeskConversation,
  inbox: Inbox | undefined,
  areKnown: boolean,
): Obstacle | null {
  const { t } = useTranslation();
  if (!conversation.contact.is_reachable)
    return { text: t("composer.unreachable", { name: conversation.contact.name }), isHard: true };
  if (inbox?.state === "disconnected" || (areKnown && !inbox))
    return { text: t("composer.disconnected"), isHard: true };
  if (inbox?.state === "broken")
    return {
      text: t("composer.broken", { name: inbox.name, reason: inbox.state_reason ?? "?" }),
      isHard: false,
    };
  return null;
}

export function useInboxOf(conversation: DeskConversation | undefined): {
  inbox: Inbox | undefined;
  areKnown: boolean;
} {
  const inboxes = useInboxes().data;
  const inbox = inboxes?.find((one) => one.id === conversation?.inbox_id);
  return { inbox, areKnown: inboxes !== undefined };
}
