/** Calls of conversations among people: lists, opening, members; and how an answer becomes a row of the list. */
import { request } from "./http";
import type { Chat, ChatKind, ConversationAnswer, Member, MemberRole, Page } from "./types";

const PAGE_SIZE = 100;
/** Chats kept on screen and followed live; one connection follows at most 500 streams. */
export const CHATS_KEPT = 400;
const MEMBERS_SHOWN = 1_000;

export function toChat(answer: ConversationAnswer): Chat {
  const active_at = answer.last_message?.created_at ?? answer.created_at;
  return { ...answer, kind: answer.kind as ChatKind, active_at };
}

/** One's chats, most lately spoken in first, up to as many as are followed. */
export async function listChats(signal?: AbortSignal): Promise<Chat[]> {
  const chats: Chat[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<ConversationAnswer> = await request("GET", "/v1/conversations", {
      query: { cursor, limit: PAGE_SIZE },
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

export const addMember = (id: string, actor_id: string, role: MemberRole = "member") =>
  request<Member>("POST", `/v1/conversations/${id}/members`, { body: { actor_id, role } });
export const removeMember = (id: string, actor: string) =>
  request<void>("DELETE", `/v1/conversations/${id}/members/${actor}`);
