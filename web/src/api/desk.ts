/** Calls of the desk: inboxes, conversations and their lists, contacts, journal. */
import { request } from "./http";
import type {
  Actor,
  Changes,
  Channels,
  Contact,
  ConversationPage,
  ConversationStatus,
  Counts,
  DeskConversation,
  Inbox,
  JournalItem,
  Page,
} from "./types";

/** What a list shows. `assignee`: me, none, an actor's id, or nobody in particular. */
export interface Filter {
  status: ConversationStatus | "all";
  inbox_id: string | null;
  assignee: string | null;
  contact_id?: string;
  /** Part of a contact's name or username, or a whole address. */
  query?: string;
}

export const PAGE_SIZE = 50;

export const listChannels = () => request<Channels>("GET", "/v1/channels");
export const listInboxes = async () => (await request<{ items: Inbox[] }>("GET", "/v1/inboxes")).items;
export const connectInbox = (body: { channel: string; name?: string; secrets: { token: string } }) =>
  request<Inbox>("POST", "/v1/inboxes", { body });
export const openSandbox = () => request<Inbox>("POST", "/v1/sandbox/inboxes", { body: {} });
export const updateInbox = (
  id: string,
  body: { name?: string; reopen?: "reopen" | "new"; reopen_within_hours?: number | null },
) => request<Inbox>("PATCH", `/v1/inboxes/${id}`, { body });
export const reconnectInbox = (id: string, secrets?: { token: string }) =>
  request<Inbox>("POST", `/v1/inboxes/${id}/reconnect`, { body: secrets ? { secrets } : {} });
export const disconnectInbox = (id: string) => request<unknown>("DELETE", `/v1/inboxes/${id}`);
export const listInboxMembers = async (id: string) =>
  (await request<{ items: Actor[] }>("GET", `/v1/inboxes/${id}/members`)).items;
export const addInboxMember = (id: string, actor: string) =>
  request<void>("PUT", `/v1/inboxes/${id}/members/${actor}`);
export const removeInboxMember = (id: string, actor: string) =>
  request<void>("DELETE", `/v1/inboxes/${id}/members/${actor}`);

export const listConversations = (filter: Filter, cursor: string | null, signal?: AbortSignal) =>
  request<ConversationPage>("GET", "/v1/desk/conversations", {
    query: { ...filter, cursor, limit: PAGE_SIZE },
    signal,
  });
export const listChanges = (since: string) =>
  request<Changes>("GET", "/v1/desk/conversations/changes", { query: { since } });
export const getCounts = () => request<Counts>("GET", "/v1/desk/counts");
export const getConversation = (id: string) =>
  request<DeskConversation>("GET", `/v1/desk/conversations/${id}`);
export const updateConversation = (
  id: string,
  body: { status?: ConversationStatus; snoozed_until?: string; assignee_id?: string | null },
) => request<DeskConversation>("PATCH", `/v1/desk/conversations/${id}`, { body });

export const getContact = (id: string) => request<Contact>("GET", `/v1/contacts/${id}`);
export const updateContact = (
  id: string,
  body: { name?: string; email?: string | null; phone?: string | null; note?: string },
) => request<Contact>("PATCH", `/v1/contacts/${id}`, { body });

export const listFailedItems = (cursor: string | null) =>
  request<Page<JournalItem>>("GET", "/v1/desk/journal", { query: { state: "failed", cursor } });
export const replayItem = (id: string) =>
  request<void>("POST", `/v1/desk/journal/${id}/replay`, { body: {} });
