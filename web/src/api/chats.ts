/** Calls of conversations among people: lists, opening, members; and how an answer becomes a row of the list. */
import { request } from "./http";
import type {
  Chat,
  ChatKind,
  ConversationAnswer,
  Member,
  MemberRole,
  Page,
  Person,
  Preferences,
  Role,
  Sender,
} from "./types";

export const PAGE_SIZE = 100;
const MEMBERS_SHOWN = 1_000;

export function toChat(answer: ConversationAnswer): Chat {
  const active_at = answer.last_message?.created_at ?? answer.created_at;
  const { my, ...rest } = answer;
  const { mentions, muted_until, is_archived, is_pinned } = my;
  const mine = { mentions, muted_until, is_archived, is_pinned };
  return { ...rest, ...mine, kind: answer.kind as ChatKind, active_at };
}

/** One page of one's chats: pinned ones first, then those spoken in most lately. */
export async function listChats(
  archived: boolean,
  cursor: string | null,
  signal?: AbortSignal,
): Promise<Page<Chat>> {
  const query = { archived, cursor, limit: PAGE_SIZE };
  const page = await request<Page<ConversationAnswer>>("GET", "/v1/chats", { query, signal });
  return { items: page.items.map(toChat), next: page.next };
}

/** The chats from a cursor on, then the archived ones. */
export async function readRest(next: string | null, signal?: AbortSignal): Promise<Chat[]> {
  const chats: Chat[] = [];
  const read = async (archived: boolean, from: string | null) => {
    const page = await listChats(archived, from, signal);
    chats.push(...page.items);
    return page.next;
  };
  let cursor = next;
  while (cursor) cursor = await read(false, cursor);
  do cursor = await read(true, cursor);
  while (cursor);
  return chats;
}

export const getChat = async (id: string): Promise<Chat> =>
  toChat(await request<ConversationAnswer>("GET", `/v1/conversations/${id}`));

export const openChat = async (body: { kind: ChatKind; title?: string; members: string[] }): Promise<Chat> =>
  toChat(await request<ConversationAnswer>("POST", "/v1/conversations", { body }));

/** Who is in it, page after page; of very many the first thousand. */
export async function listMembers(id: string): Promise<Member[]> {
  const members: Member[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<Member> = await request("GET", `/v1/conversations/${id}/members`, {
      query: { cursor, limit: 100 },
    });
    members.push(...page.items);
    cursor = page.next;
  } while (cursor && members.length < MEMBERS_SHOWN);
  return members;
}

/** Those with a word in their names that begins so, owners first; with "" all. */
export const findMembers = (
  id: string,
  query: string,
  cursor: string | null,
  signal?: AbortSignal,
  limit = PAGE_SIZE,
): Promise<Page<Member>> => {
  // An empty query is one, too.
  const asked = new URLSearchParams({ query, limit: String(limit), ...(cursor ? { cursor } : {}) });
  return request("GET", `/v1/conversations/${id}/members?${asked}`, { signal });
};

export const addMembers = (id: string, actor_ids: string[]) =>
  request<{ items: Member[] }>("POST", `/v1/conversations/${id}/members/batch`, { body: { actor_ids } });
export const changeRole = (id: string, actor: string, role: MemberRole) =>
  request<Member>("PATCH", `/v1/conversations/${id}/members/${actor}`, { body: { role } });
export const leaveChat = (id: string) => request<void>("POST", `/v1/conversations/${id}/leave`);
export const changeChatProfile = async (
  id: string,
  body: { title?: string; description?: string | null; avatar_media_id?: string | null },
): Promise<Chat> => toChat(await request<ConversationAnswer>("PATCH", `/v1/conversations/${id}`, { body }));
export const setPreferences = async (id: string, body: Preferences): Promise<Chat> =>
  toChat(await request<ConversationAnswer>("PUT", `/v1/conversations/${id}/preferences`, { body }));
export const listPeople = (query: string, signal?: AbortSignal) =>
  request<Page<Person>>("GET", "/v1/people", { query: { query, limit: 50 }, signal });
/** One page of the active users of these roles whose names have these letters, by name. */
export const findPeople = (query: string, role: Role[], cursor: string | null, signal?: AbortSignal) =>
  request<Page<Person>>("GET", "/v1/people", { query: { query, role, cursor, limit: PAGE_SIZE }, signal });
/** These people, also those who were deactivated. */
export const getPeople = (ids: string[]) =>
  request<Page<Person>>("GET", "/v1/people", { query: { id: ids } });
export const removeMember = (id: string, actor: string) =>
  request<void>("DELETE", `/v1/conversations/${id}/members/${actor}`);

export interface InviteLink {
  id: string;
  expires_at: string | null;
  max_uses: number | null;
  use_count: number;
  created_by: Sender;
  created_at: string;
}

export interface Ban {
  actor: Sender;
  banned_by: Sender;
  until: string | null;
  created_at: string;
}

/** Where a link leads; the conversation's id only for who is in it already. */
export interface CheckedLink {
  kind: ChatKind | "desk";
  title: string | null;
  description: string | null;
  member_count: number;
  conversation_id: string | null;
}

export const listInviteLinks = async (id: string) =>
  (await request<{ items: InviteLink[] }>("GET", `/v1/conversations/${id}/invite-links`)).items;
/** The address is told here and never again. */
export const createInviteLink = (id: string, body: { expires_at?: string; max_uses?: number }) =>
  request<InviteLink & { url: string }>("POST", `/v1/conversations/${id}/invite-links`, { body });
export const revokeInviteLink = (id: string, link: string) =>
  request<void>("DELETE", `/v1/conversations/${id}/invite-links/${link}`);
export const checkInviteLink = (token: string) =>
  request<CheckedLink>("POST", "/v1/invite-links/check", { body: { token } });
export const joinByLink = async (token: string): Promise<Chat> =>
  toChat(await request<ConversationAnswer>("POST", "/v1/invite-links/join", { body: { token } }));

export const listBans = (id: string, cursor: string | null) =>
  request<Page<Ban>>("GET", `/v1/conversations/${id}/bans`, { query: { cursor, limit: PAGE_SIZE } });
/** `until` null: for good. */
export const ban = (id: string, actor_id: string, until: string | null) =>
  request<Ban>("POST", `/v1/conversations/${id}/bans`, { body: { actor_id, until } });
export const unban = (id: string, actor: string) =>
  request<void>("DELETE", `/v1/conversations/${id}/bans/${actor}`);
