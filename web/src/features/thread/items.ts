/** From messages to what a thread shows: days, groups of one speaker, the unread line. Pure. */
import type { PendingMessage } from "@/api/outbox";
import type { Thread } from "@/api/patches";
import type { Actor, Message } from "@/api/types";
import { isSameDay } from "@/lib/format";

const GROUP_MS = 5 * 60_000;

export interface Item {
  /** Stays the same when the stored message takes the place of the pending one. */
  key: string;
  message: Message;
  pending: PendingMessage | null;
  isFirstOfDay: boolean;
  isFirstOfGroup: boolean;
  isLastOfGroup: boolean;
  isFirstUnread: boolean;
  /** Stands on the side of whoever looks. */
  isOurs: boolean;
  isNamed: boolean;
}

/** On which side a message stands, and whether it says whose it is. */
export interface Sides {
  isOurs: (message: Message) => boolean;
  isNamed: (message: Message) => boolean;
}

/** A pending message in the shape of a stored one, after everything that is stored. */
function asMessage(pending: PendingMessage, me: Actor): Message {
  return {
    id: pending.client_id,
    conversation_id: pending.conversation_id,
    position: Number.POSITIVE_INFINITY,
    number: null,
    kind: pending.kind,
    sender: { id: me.id, kind: me.kind, name: me.name },
    text: pending.text,
    entities: pending.entities ?? [],
    attachments: pending.attachments,
    reply_to: pending.reply_to,
    forwarded_from: null,
    client_id: pending.client_id,
    version: 0,
    created_at: pending.created_at,
    edited_at: null,
    deleted_at: null,
    reactions: [],
    status: null,
    extra: {},
  };
}

export function buildItems(
  thread: Thread,
  pending: PendingMessage[],
  me: Actor,
  firstUnread: number | null,
  sides: Sides,
): Item[] {
  const stored = new Set(thread.items.map((m) => m.client_id).filter((id) => id !== null));
  const waiting = thread.has_after ? [] : pending.filter((p) => !stored.has(p.client_id));
  const rows = [
    ...thread.items.map((message) => ({ message, pending: null as PendingMessage | null })),
    ...waiting.map((one) => ({ message: asMessage(one, me), pending: one as PendingMessage | null })),
  ];
  let isUnreadMarked = false;
  return rows.map(({ message, pending: one }, index) => {
    const before = rows[index - 1]?.message;
    const after = rows[index + 1]?.message;
    const isFirstUnread =
      !isUnreadMarked &&
      firstUnread !== null &&
      message.number !== null &&
      message.number >= firstUnread &&
      message.sender.id !== me.id;
    isUnreadMarked ||= isFirstUnread;
    const isFirstOfGroup = isFirstUnread || !before || !isOneGroup(before, message);
    return {
      key: message.client_id ?? message.id,
      message,
      pending: one,
      isFirstOfDay: !before || !isSameDay(before.created_at, message.created_at),
      isFirstOfGroup,
      isLastOfGroup: !after || !isOneGroup(message, after),
      isFirstUnread,
      isOurs: sides.isOurs(message),
      isNamed: isFirstOfGroup && sides.isNamed(message),
    };
  });
}

function isOneGroup(a: Message, b: Message): boolean {
  return (
    a.sender.id === b.sender.id &&
    a.kind === b.kind &&
    a.kind !== "system" &&
    Date.parse(b.created_at) - Date.parse(a.created_at) < GROUP_MS &&
    isSameDay(a.created_at, b.created_at)
  );
}

/** Cuts the items into days, in order. */
export function byDay(items: Item[]): Item[][] {
  const days: Item[][] = [];
  for (const item of items) {
    if (item.isFirstOfDay) days.push([]);
    days.at(-1)?.push(item);
  }
  return days;
}
