/** How a thread behaves in a chat: one's own words stand on one's side, and members tell how far they have read. */
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { knowsAll } from "@/api/chat-cache";
import { findMembers } from "@/api/chats";
import { useMe, useMembers } from "@/api/hooks";
import { setPin } from "@/api/messages";
import type { Chat, Member, Message, Sender } from "@/api/types";
import { showToast } from "@/components/overlays";
import type { FindPeople } from "@/features/composer/mentions";
import type { Extra, Manner } from "@/features/thread/manner";
import { usePins } from "@/features/thread/PinBar";
import { forwardStore, mayWrite, readersStore } from "@/lib/chat-view";
import { errorText } from "@/lib/errors";
import { useIsRead } from "./read-mark";

/** How many members a group may have for everybody to call all; in larger ones moderators do. */
const SMALL_GROUP = 50;

export const canCallAll = (chat: Chat): boolean =>
  chat.kind !== "direct" &&
  (chat.role === "owner" || chat.role === "moderator" || (chat.member_count ?? 0) <= SMALL_GROUP);

/** How many are offered to be called, oneself among them. */
const CALLABLE = 7;

export interface Callable {
  people: Sender[];
  /** Only where not all are at hand. */
  findPeople?: FindPeople;
}

/** Whom one can call in a chat: its other members. */
export function useCallable(chat: Chat): Callable {
  const me = useMe().actor.id;
  const members = useMembers(chat.id).data;
  const { id } = chat;
  const isWhole = members === undefined || knowsAll(chat, members.length);
  return useMemo(() => {
    const toOthers = (all: Member[]) => all.map((one) => one.actor).filter((actor) => actor.id !== me);
    const people = toOthers(members ?? []);
    if (isWhole) return { people };
    const findPeople = async (words: string, signal: AbortSignal) =>
      toOthers((await findMembers(id, words, null, signal, CALLABLE)).items);
    return { people, findPeople };
  }, [members, me, id, isWhole]);
}

export function useChatManner(chat: Chat): Manner {
  const { t } = useTranslation();
  const me = useMe().actor.id;
  const members = useMembers(chat.id).data;
  const pins = usePins(chat.id).data;
  const { id, kind, role } = chat;
  const pinned = useMemo(() => new Set(pins?.map((pin) => pin.message.id)), [pins]);
  const canWrite = mayWrite(chat);
  const isRead = useIsRead(chat);
  const names = useMemo(() => new Map(members?.map((one) => [one.actor.id, one.actor.name])), [members]);
  return useMemo(() => {
    const isOurs = (message: Message) => message.sender.id === me;
    const isModerator = role === "owner" || role === "moderator";
    const canPin = isModerator || kind === "direct";
    const pinning = (message: Message): Extra => {
      const isPinned = pinned.has(message.id);
      return {
        name: "pin",
        label: t(isPinned ? "chats.unpin" : "chats.pin"),
        icon: "pin",
        run: () =>
          void setPin(id, message.id, !isPinned).catch((error) =>
            showToast(errorText(error, t), { isBad: true }),
          ),
      };
    };
    return {
      isOurs,
      isNamed: (message) => kind !== "direct" && !isOurs(message),
      hasAvatars: kind === "group",
      can: {
        reply: (message) => canWrite && message.kind === "text",
        edit: (message) => isOurs(message) && canWrite && message.text !== "",
        delete: (message) => isOurs(message) || isModerator,
        hide: () => true,
      },
      extras: (message) => [
        {
          name: "forward",
          label: t("chats.forward"),
          icon: "share",
          run: () => forwardStore.set(message),
        },
        ...(isOurs(message) && message.number !== null
          ? [
              {
                name: "readers",
                label: t("chats.readBy"),
                icon: "eye" as const,
                run: () => readersStore.set(message),
              },
            ]
          : []),
        ...(canPin ? [pinning(message)] : []),
      ],
      receiptOf: (message) => {
        if (!isOurs(message) || message.number === null || message.deleted_at) return null;
        return isRead(message) ? "read" : "sent";
      },
      nameOf: (actor) => names.get(actor),
      deleteText: t("chats.deleteText"),
      reactText: t("chats.react"),
      emptyText: t(`chats.start.${kind}`),
    };
  }, [me, id, kind, role, canWrite, isRead, names, pinned, t]);
}
