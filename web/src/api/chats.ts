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
} from "./types";

const PAGE_SIZE = 100;
/** Chats kept on screen and followed live; one connection follows at most 500 streams. */
export const CHATS_KEPT = 400;
const MEMBERS_SHOWN = 1_000;

export function toChat(answer: ConversationAnswer): Chat {
  const active_at = answer.last_message?.created_at ?? answer.created_at;
  const { my, ...rest } = answer;
  const { mentions, muted_until, is_archived, is_pinned } = my;
  const mine = { mentions, muted_until, is_archived, is_pinned };
  return { ...rest, ...mine, kind: answer.kind as ChatKind, active_at };
}

/** One's chats, the archived ones too, up to as many as are followed. */
export async function listChats(signal?: AbortSignal): Promise<Chat[]> {
  const [present, archived] = await Promise.all([readAll(false, signal), readAll(true, signal)]);
  return [...present, ...archived].slice(0, CHATS_KEPT);
}

async function readAll(archived: boolean, signal?: AbortSignal): Promise<Chat[]> {
  const chats: Chat[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<ConversationAnswer> = await request("GET", "/v1/chats", {
      query: { archived, cursor, limit: PAGE_SIZE },
      signal,
    });
    chats.push(...page.items.map(toChat));
    cursor = page.next;
  } while (cursor && chats.length < CHATS_KEPT);
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
export const removeMember = (id: string, actor: string) =>
  request<void>("DELETE", `/v1/conversations/${id}/members/${actor}`);
