/**
 * From event to cache: what each kind of event changes in a thread (the loaded window of a conversation's
 * messages) and in the conversation as lists show it. Pure: old snapshot + events = fresh snapshot.
 */
import type {
  Cursor,
  EventData,
  EventFrame,
  EventKind,
  Listed,
  Message,
  MessagePage,
  PersonalFrame,
  Snippet,
  StreamFrame,
} from "./types";

/** A contiguous run of messages, ascending by position. `head` is the cursor of what has been applied. */
export type Thread = MessagePage;

type Head = { actor_id: string | null };
interface Patch<K extends EventKind> {
  thread?: (thread: Thread, data: EventData[K], head: Head, me: string) => Thread;
  conversation?: <C extends Listed>(conversation: C, data: EventData[K], head: Head, me: string) => C;
}

const SNIPPET_LENGTH = 200;

/** The table. A kind without an entry changes nothing but the cursor. */
export const PATCHES: { [K in EventKind]: Patch<K> } = {
  "message.created": {
    thread: (thread, { message }, _head, me) => advanceReading(placeNew(thread, message), message, me),
    conversation: (conversation, { message }, _head, me) => noteNew(conversation, message, me),
  },
  "message.updated": {
    thread: (thread, { message }) => replaceMessage(thread, message),
    conversation: (conversation, { message }) => refreshSnippet(conversation, message),
  },
  "message.deleted": {
    thread: (thread, { message }) => replaceMessage(thread, message),
    conversation: (conversation, { message }) => refreshSnippet(conversation, message),
  },
  "message.status_changed": {
    thread: (thread, { message_id, status }) => changeMessage(thread, message_id, (m) => ({ ...m, status })),
    conversation: (conversation, { message_id, status }) =>
      conversation.last_message?.id === message_id
        ? { ...conversation, last_message: { ...conversation.last_message, status } }
        : conversation,
  },
  "reaction.added": {
    thread: (thread, { message_id, emoji, actor_id }) =>
      changeMessage(thread, message_id, (m) => addReaction(m, emoji, actor_id)),
  },
  "reaction.removed": {
    thread: (thread, { message_id, emoji, actor_id }) =>
      changeMessage(thread, message_id, (m) => removeReaction(m, emoji, actor_id)),
  },
  "message.pinned": {},
  "message.unpinned": {},
  "member.joined": { conversation: (conversation, data) => countMembers(conversation, data) },
  "member.left": { conversation: (conversation, data) => countMembers(conversation, data) },
  "member.changed": {
    conversation: (conversation, { member }, _head, me) =>
      member?.actor.id === me ? { ...conversation, role: member.role } : conversation,
  },
  "conversation.changed": { conversation: (conversation, data) => ({ ...conversation, ...data }) },
  "conversation.status_changed": {
    conversation: (conversation, { status, snoozed_until }) => ({ ...conversation, status, snoozed_until }),
  },
  "conversation.assigned": {
    conversation: (conversation, { assignee }) => ({ ...conversation, assignee }),
  },
  "conversation.renamed": {
    conversation: (conversation, { title }) =>
      "contact" in conversation
        ? { ...conversation, contact: { ...(conversation.contact as object), name: title } }
        : { ...conversation, title },
  },
};

/** Applies one frame to a thread. A frame at or below the cursor changes nothing. */
export function patchThread(thread: Thread, frame: StreamFrame, me: string): Thread {
  const head = cursorOf(frame);
  if (head.number <= thread.head.number) return thread;
  if (frame.type === "skip" || isPersonal(frame)) return { ...thread, head };
  const patch = PATCHES[frame.kind] as Patch<typeof frame.kind> | undefined;
  const next = patch?.thread?.(thread, frame.data as never, frame, me) ?? thread;
  return { ...next, head };
}

/** Applies one frame to a conversation of the lists, by the same rule. */
export function patchConversation<C extends Listed>(conversation: C, frame: StreamFrame, me: string): C {
  const head = cursorOf(frame);
  if (head.number <= conversation.head.number) return conversation;
  if (frame.type === "skip" || isPersonal(frame)) return { ...conversation, head };
  const patch = PATCHES[frame.kind] as Patch<typeof frame.kind> | undefined;
  const next = patch?.conversation?.(conversation, frame.data as never, frame, me) ?? conversation;
  return { ...next, head };
}

/** The cursor a reader stands at once the frame is applied. */
export const cursorOf = (frame: StreamFrame): Cursor =>
  frame.type === "skip" ? { number: frame.to, tag: frame.tag } : { number: frame.number, tag: frame.tag };

const PERSONAL = new Set([
  "read.moved",
  "mention.created",
  "message.hidden",
  "conversation.added",
  "conversation.removed",
  "conversation.preferences_changed",
  "draft.changed",
  "scheduled.changed",
  "rights.changed",
]);

export const isPersonal = (frame: EventFrame | PersonalFrame): frame is PersonalFrame =>
  PERSONAL.has(frame.kind);

/** The read position moved, here or on another device: it never moves back. */
export function moveReadPosition<T extends { read_number: number; own_since: number }>(
  row: T,
  read: { read_number: number; own_since: number },
): T {
  if (read.read_number < row.read_number) return row;
  return { ...row, read_number: read.read_number, own_since: read.own_since };
}

export const countUnread = (row: { last_number: number; read_number: number; own_since: number }): number =>
  Math.max(0, row.last_number - row.read_number - row.own_since);

/**
 * Puts a message from an answer where it belongs. Events may have come before the answer that caused them: what is
 * on the screen already gives way only to a newer version, and keeps its status, which only events tell in order.
 */
export function upsertMessage(thread: Thread, message: Message): Thread {
  const present = thread.items.find((item) => item.id === message.id);
  if (!present) return placeNew(thread, message);
  if (present.deleted_at || (message.version <= present.version && !message.deleted_at)) return thread;
  return replaceMessage(thread, { ...message, status: present.status });
}

/** Joins a page of history to the window it borders on; overlapping messages are taken once, newest version. */
export function joinPage(thread: Thread, page: MessagePage, side: "before" | "after"): Thread {
  const known = new Set(thread.items.map((item) => item.id));
  const fresh = page.items.filter((item) => !known.has(item.id));
  return side === "before"
    ? { ...thread, items: [...fresh, ...thread.items], has_before: page.has_before }
    : { ...thread, items: [...thread.items, ...fresh], has_after: page.has_after };
}

/** Keeps the window small by letting go of the far end. */
export function trimThread(thread: Thread, keep: number, side: "before" | "after"): Thread {
  if (thread.items.length <= keep) return thread;
  return side === "after"
    ? { ...thread, items: thread.items.slice(0, keep), has_after: true }
    : { ...thread, items: thread.items.slice(-keep), has_before: true };
}

function placeNew(thread: Thread, message: Message): Thread {
  if (thread.items.some((item) => item.id === message.id)) return replaceMessage(thread, message);
  // The window does not reach the newest message: what is new will be read when the reader gets there.
  if (thread.has_after) return thread;
  const items = [...thread.items];
  let at = items.length;
  while (at > 0 && (items[at - 1]?.position ?? 0) > message.position) at -= 1;
  if (at === 0 && thread.has_before && items.length > 0) return thread;
  items.splice(at, 0, message);
  return { ...thread, items };
}

function replaceMessage(thread: Thread, message: Message): Thread {
  const next = changeMessage(thread, message.id, (old) => (message.version >= old.version ? message : old));
  return requote(next, message);
}

/** What replies show of a message follows its edits, and goes with its deletion. */
function requote(thread: Thread, message: Message): Thread {
  if (!thread.items.some((item) => item.reply_to?.id === message.id)) return thread;
  const shown = message.deleted_at ? { text: "", quote: null } : { text: cut(message.text) };
  const items = thread.items.map((item) =>
    item.reply_to?.id === message.id ? { ...item, reply_to: { ...item.reply_to, ...shown } } : item,
  );
  return { ...thread, items };
}

/** As the server cuts: by characters, not by halves of them. */
const cut = (text: string): string => Array.from(text).slice(0, SNIPPET_LENGTH).join("");

function changeMessage(thread: Thread, id: string, change: (message: Message) => Message): Thread {
  const index = thread.items.findIndex((item) => item.id === id);
  const old = thread.items[index];
  if (!old) return thread;
  const items = [...thread.items];
  items[index] = change(old);
  return { ...thread, items };
}

/** The thread with one's reaction put or taken away. Repeat: the same thread. */
export const withReaction = (
  thread: Thread,
  id: string,
  reaction: { emoji: string; actor: string; isOn: boolean },
): Thread =>
  changeMessage(thread, id, (message) =>
    (reaction.isOn ? addReaction : removeReaction)(message, reaction.emoji, reaction.actor),
  );

function addReaction(message: Message, emoji: string, actor: string): Message {
  const found = message.reactions.find((reaction) => reaction.emoji === emoji);
  if (found?.actor_ids.includes(actor)) return message;
  const reactions = found
    ? message.reactions.map((r) => (r === found ? { ...r, actor_ids: [...r.actor_ids, actor] } : r))
    : [...message.reactions, { emoji, actor_ids: [actor] }];
  return { ...message, reactions };
}

function removeReaction(message: Message, emoji: string, actor: string): Message {
  const reactions = message.reactions
    .map((r) => (r.emoji === emoji ? { ...r, actor_ids: r.actor_ids.filter((id) => id !== actor) } : r))
    .filter((r) => r.actor_ids.length > 0);
  return { ...message, reactions };
}

/** A send that finds nothing unread moves the sender's read position on, else it adds one to "own since". */
function advanceReading(thread: Thread, message: Message, me: string): Thread {
  if (message.number === null || message.sender.id !== me || message.number <= thread.read_number)
    return thread;
  const unread = message.number - 1 - thread.read_number - thread.own_since;
  return unread <= 0
    ? { ...thread, read_number: message.number, own_since: 0 }
    : { ...thread, own_since: thread.own_since + 1 };
}

function noteNew<C extends Listed>(conversation: C, message: Message, me: string): C {
  const next = {
    ...conversation,
    last_message: toSnippet(message),
    active_at: latest(conversation.active_at, message),
  };
  if (message.number === null || message.number <= conversation.last_number) return next;
  const isOwn = message.sender.id === me;
  const counted = { ...next, last_number: message.number };
  if (isOwn && countUnread(conversation) === 0) {
    return { ...counted, read_number: message.number, own_since: 0, unread: 0 };
  }
  if (isOwn) counted.own_since += 1;
  else if (calls(message, me)) counted.mentions = (counted.mentions ?? 0) + 1;
  return { ...counted, unread: countUnread(counted) };
}

/** Whether a message calls somebody: by name, or with everybody. */
export const calls = (message: Message, actor: string): boolean =>
  message.entities.some(
    ({ kind, actor_id }) => kind === "mention_all" || (kind === "mention" && actor_id === actor),
  );

function countMembers<C extends Listed>(conversation: C, { member_count }: { member_count?: number }): C {
  return member_count === undefined ? conversation : { ...conversation, member_count };
}

/** Deleted for this person alone: it is gone without a trace. */
export function hideMessage(thread: Thread, id: string): Thread {
  const items = thread.items.filter((item) => item.id !== id);
  return items.length === thread.items.length ? thread : { ...thread, items };
}

/** Only what was said to everyone brings a conversation to the top. */
const latest = (active_at: string, { kind, created_at }: Message): string =>
  kind === "text" && Date.parse(created_at) > Date.parse(active_at) ? created_at : active_at;

function refreshSnippet<C extends Listed>(conversation: C, message: Message): C {
  if (conversation.last_message?.id !== message.id) return conversation;
  return { ...conversation, last_message: toSnippet(message) };
}

/** What a list shows of a message. */
export function toSnippet(message: Message): Snippet {
  return {
    id: message.id,
    kind: message.kind,
    sender: message.sender,
    text: cut(message.text),
    attachment_count: message.attachments.length,
    attachment_kind: message.attachments[0]?.kind ?? null,
    status: message.status,
    created_at: message.created_at,
    is_deleted: message.deleted_at !== null,
  };
}
