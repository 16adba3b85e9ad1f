/** The words of the contract: what REST answers and what the sockets carry. */

export type Role = "owner" | "admin" | "agent" | "member";
export type ActorKind = "user" | "contact" | "bot";

export interface Actor {
  id: string;
  kind: ActorKind;
  name: string;
  role: Role | null;
}

export interface Sender {
  id: string;
  kind: ActorKind;
  name: string;
}

export interface Me {
  workspace: { id: string; name: string };
  actor: Actor;
  login: { email: string | null; phone: string | null } | null;
  session_id: string | null;
  scopes: string[];
  locale: string | null;
  /** Whether others may know when one is here, and was. */
  shows_last_seen: boolean;
}

export interface SignedIn {
  access_token: string;
  expires_in_seconds: number;
  me: Me;
}

export interface User extends Actor {
  email: string | null;
  phone: string | null;
  /** The invitation was accepted. */
  has_joined: boolean;
  deactivated_at: string | null;
  created_at: string;
}

export interface Session {
  id: string;
  user_agent: string;
  address: string;
  created_at: string;
  last_used_at: string | null;
  is_current: boolean;
}

export interface ApiKey {
  id: string;
  name: string;
  hint: string;
  scopes: string[];
  created_at: string;
  last_used_at: string | null;
}

export interface AuditEntry {
  id: string;
  at: string;
  actor: Sender | null;
  /** `noun.verb_past` */
  action: string;
  /** What it was done to, by id. */
  target: string;
  /** To whom it was done, if to somebody. */
  about: Actor | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  address: string;
  /** The bot whose key did it in the actor's name. */
  by_id: string | null;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

/** Where a reader stands in a stream: the number of the last applied event, and its random tag. */
export interface Cursor {
  number: number;
  tag: number;
}

export type MessageKind = "text" | "note" | "system";

export interface Entity {
  kind: string;
  /** UTF-16 units, as in JavaScript strings. */
  offset: number;
  length: number;
  url?: string | null;
  language?: string | null;
  /** Of a mention: who is called. */
  actor_id?: string | null;
}

export interface Forwarded {
  sender_name: string;
  sender_id: string | null;
  sent_at: string | null;
}

export type AttachmentKind = "image" | "video" | "audio" | "voice" | "animation" | "sticker" | "file";

export interface Attachment {
  media_id: string;
  kind: AttachmentKind;
  name: string;
  content_type: string;
  size_bytes: number | null;
  width: number | null;
  height: number | null;
  duration_seconds: number | null;
  state: "pending" | "ready" | "failed";
  thumbnail: { width: number; height: number } | null;
  error: string | null;
  /** Of a sound: heights of at most 100 bars, 0 to 31. */
  waveform?: number[] | null;
}

export type Reached = Pick<Member, "joined_at" | "read_number">;

/** Who has read a message; of many only how many. */
export interface Readers {
  count: number;
  /** Of one's own: what was said since `joined_at` is read up to the number, by somebody who was there. */
  reached: Reached[];
  readers: { actor: Sender; read_at: string | null }[] | null;
}

export interface Media {
  id: string;
  kind: AttachmentKind;
  name: string;
  content_type: string;
  size_bytes: number;
  width: number | null;
  height: number | null;
  duration_seconds: number | null;
  state: "pending" | "ready" | "failed";
  thumbnail: { width: number; height: number } | null;
  waveform?: number[] | null;
}

export type DeliveryState =
  | "queued"
  | "sending"
  | "sent"
  | "failed"
  | "unknown"
  | "cancelled"
  | "delivered"
  | "read";

export interface DeliveryStatus {
  state: DeliveryState;
  error: { code: string; text: string } | null;
}

export interface Reaction {
  emoji: string;
  actor_ids: string[];
}

export interface Message {
  id: string;
  conversation_id: string;
  /** Number of the event that created it: dense over what staff sees. */
  position: number;
  /** Dense over messages to everyone; null for notes and system notices. */
  number: number | null;
  kind: MessageKind;
  sender: Sender;
  text: string;
  entities: Entity[];
  attachments: Attachment[];
  reply_to: { id: string; sender_name: string; text: string; quote: string | null } | null;
  forwarded_from: Forwarded | null;
  client_id: string | null;
  version: number;
  created_at: string;
  edited_at: string | null;
  deleted_at: string | null;
  reactions: Reaction[];
  status: DeliveryStatus | null;
  extra: Record<string, unknown>;
}

/** A text that a message had before. */
export interface MessageVersion {
  version: number;
  text: string;
  entities: Entity[];
  replaced_at: string;
}

export interface Snippet {
  id: string;
  kind: MessageKind;
  sender: Sender;
  text: string;
  attachment_count: number;
  attachment_kind: AttachmentKind | null;
  status: DeliveryStatus | null;
  created_at: string;
  is_deleted: boolean;
}

export interface MessagePage {
  items: Message[];
  has_before: boolean;
  has_after: boolean;
  head: Cursor;
  read_number: number;
  own_since: number;
}

export type ConversationStatus = "open" | "pending" | "resolved" | "snoozed";

export interface DeskContact {
  id: string;
  name: string;
  username: string | null;
  address: string;
  is_reachable: boolean;
}

/** What every list knows of a conversation, whatever its kind; enough to open its thread and to count its unread. */
export interface Listed {
  id: string;
  active_at: string;
  created_at: string;
  last_message: Snippet | null;
  unread: number;
  last_number: number;
  read_number: number;
  own_since: number;
  /** Unread messages that call whoever looks. */
  mentions?: number;
  head: Cursor;
}

export interface DeskConversation extends Listed {
  inbox_id: string;
  status: ConversationStatus;
  snoozed_until: string | null;
  assignee: Sender | null;
  contact: DeskContact;
}

export type ChatKind = "direct" | "group" | "broadcast";
export type MemberRole = "owner" | "moderator" | "member" | "reader";

/** A conversation among actors, as REST answers it. */
export interface ConversationAnswer extends Omit<Listed, "active_at"> {
  kind: ChatKind | "desk";
  title: string | null;
  /** Of a direct one: the other. */
  peer: Sender | null;
  role: MemberRole | null;
  description: string | null;
  avatar: Picture | null;
  member_count: number | null;
  my: Mine;
}

/** A conversation's picture. */
export interface Picture {
  media_id: string;
  thumbnail: { width: number; height: number } | null;
}

/** What a conversation is to whoever looks. */
export interface Mine {
  mentions: number;
  muted_until: string | null;
  is_archived: boolean;
  is_pinned: boolean;
}

export interface Preferences {
  muted_until?: string | null;
  is_archived?: boolean;
  is_pinned?: boolean;
}

export interface Chat extends Omit<Listed, "mentions">, Mine {
  kind: ChatKind;
  title: string | null;
  peer: Sender | null;
  role: MemberRole | null;
  description: string | null;
  avatar: Picture | null;
  member_count: number | null;
}

export interface Pin {
  message: Message;
  pinned_by: Sender;
  pinned_at: string;
}

/** Somebody to talk with. Null: not known, or not for you to know. */
export interface Person extends Actor {
  last_seen_at: string | null;
  is_online: boolean | null;
}

/** What one began to write, on whichever device. */
export interface WrittenDraft {
  conversation_id: string;
  text: string;
  entities: Entity[];
  reply_to_id: string | null;
  changed_at: string;
}

export interface Member {
  actor: Sender;
  role: MemberRole;
  read_number: number;
  joined_at: string;
}

export interface ConversationPage extends Page<DeskConversation> {
  token: string;
}

export interface Changes {
  items: DeskConversation[];
  token: string;
  reset: boolean;
}

export type StatusCounts = Record<ConversationStatus, number>;

export interface Counts extends StatusCounts {
  mine: number;
  unassigned: number;
  mine_by_status?: StatusCounts;
  unassigned_by_status?: StatusCounts;
  inboxes: Record<string, Partial<StatusCounts>>;
}

export interface Features {
  text_limit: number;
  caption_limit: number;
  album_limit: number;
  upload_limit_bytes: number;
  can_edit: boolean;
  can_delete: boolean;
  can_reply: boolean;
  has_receipts: boolean;
}

export interface Inbox {
  id: string;
  channel: string;
  name: string;
  address: string;
  state: "connected" | "broken" | "disconnected";
  state_reason: string | null;
  reopen: "reopen" | "new";
  reopen_within_hours: number | null;
  is_sandbox: boolean;
  phone_url: string | null;
  features: Features;
  updates: "webhook" | "polling";
  created_at: string;
}

export interface Channels {
  items: { name: string; features: Features }[];
  sandbox: boolean;
}

export interface Contact {
  id: string;
  name: string;
  email: string | null;
  phone: string | null;
  note: string;
  locale: string | null;
  identities: {
    id: string;
    inbox_id: string;
    address: string;
    name: string;
    username: string | null;
    is_reachable: boolean;
  }[];
  created_at: string;
}

export interface JournalItem {
  id: string;
  inbox_id: string;
  received_at: string;
  state: "ready" | "leased" | "done" | "failed" | "held";
  attempts: number;
  error: string | null;
  body: string;
}

// ------------------------------------------------------------------ realtime

export interface EventData {
  "message.created": { message: Message };
  "message.updated": { message: Message };
  "message.deleted": { message: Message };
  "message.status_changed": { message_id: string; status: DeliveryStatus };
  "reaction.added": { message_id: string; emoji: string; actor_id: string };
  "reaction.removed": { message_id: string; emoji: string; actor_id: string };
  "message.pinned": { message_id: string; pinned_by: Sender; pinned_at: string };
  "message.unpinned": { message_id: string };
  /** Null: a reader of a broadcast, told to another one. */
  "member.joined": { member: Member | null; member_count?: number };
  "member.left": { member: Member | null; member_count?: number };
  "member.changed": { member: Member | null; former_role?: MemberRole };
  "conversation.status_changed": { status: ConversationStatus; snoozed_until: string | null };
  "conversation.assigned": { assignee: Sender | null };
  "conversation.renamed": { title: string };
  "conversation.changed": { title: string | null; description: string | null; avatar: Picture | null };
}

export type EventKind = keyof EventData;

interface EventHead<K> {
  type: "event";
  stream: string;
  number: number;
  tag: number;
  kind: K;
  at: string;
  actor_id: string | null;
}

export type EventFrame = { [K in EventKind]: EventHead<K> & { data: EventData[K] } }[EventKind];

export interface PersonalData {
  "read.moved": { conversation_id: string; read_number: number; own_since: number; mentions?: number };
  "mention.created": { conversation_id: string; message_id: string; number: number | null };
  "message.hidden": { conversation_id: string; message_id: string; own_since: number; mentions: number };
  "conversation.preferences_changed": { conversation_id: string } & Omit<Mine, "mentions">;
  "scheduled.changed": { scheduled: { conversation_id: string } };
  "draft.changed": { conversation_id: string; draft: WrittenDraft | null };
  "conversation.added": { conversation_id: string };
  "conversation.removed": { conversation_id: string };
  "rights.changed": Record<string, never>;
}

export type PersonalKind = keyof PersonalData;
export type PersonalFrame = {
  [K in PersonalKind]: EventHead<K> & { data: PersonalData[K] };
}[PersonalKind];

export interface SkipFrame {
  type: "skip";
  stream: string;
  from: number;
  to: number;
  tag: number;
}

export type StreamFrame = EventFrame | PersonalFrame | SkipFrame;

export interface SignalFrame {
  type: "signal";
  stream: string;
  kind: "typing.started" | "typing.stopped" | "member.read" | "presence.changed";
  /** Null: nobody in particular. */
  actor_id: string | null;
  data: Record<string, unknown>;
}

export type ServerFrame =
  | StreamFrame
  | SignalFrame
  | { type: "reset"; stream: string; head: Cursor }
  | { type: "touched"; inbox_id: string; conversation_id: string }
  | { type: "gone"; stream: string }
  | { type: "resync" }
  | { type: "answer"; id: number; ok: true; data: Record<string, unknown> }
  | { type: "answer"; id: number; ok: false; error: { code: string; message: string; fields: unknown } };
