/** Where chats are kept: one list with all that are known, pinned and lately active first; and their members. */
import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import type { Chat, EventFrame, Member, Page } from "./types";

export const chatKeys = {
  list: ["chats"] as const,
  members: (id: string) => ["members", id] as const,
  /** Of a large one: those whose names have a word that begins so. */
  found: (id: string, words: string) => ["found-members", id, words] as const,
  allFound: (id: string) => ["found-members", id] as const,
  /** How far others have read, as the server tells it beside a message of one's own. */
  readTo: (id: string) => ["read-to", id] as const,
  pins: (id: string) => ["pins", id] as const,
  links: (id: string) => ["invite-links", id] as const,
  bans: (id: string) => ["bans", id] as const,
};

export type FoundMembers = InfiniteData<Page<Member>, string | null>;

export const sortChats = (chats: Chat[]): Chat[] =>
  [...chats].sort(
    (a, b) => Number(b.is_pinned) - Number(a.is_pinned) || Date.parse(b.active_at) - Date.parse(a.active_at),
  );

export const findChat = (client: QueryClient, id: string): Chat | undefined =>
  client.getQueryData<Chat[]>(chatKeys.list)?.find((chat) => chat.id === id);

/** Puts the newest known state of a chat where the list wants it. An older snapshot is dropped. Pure. */
export function placeChat(chats: Chat[], chat: Chat): Chat[] {
  const known = chats.find((one) => one.id === chat.id);
  if (known && known.head.number > chat.head.number) return chats;
  return sortChats([chat, ...chats.filter((one) => one.id !== chat.id)]);
}

export function keepChat(client: QueryClient, chat: Chat): void {
  client.setQueryData<Chat[]>(chatKeys.list, (chats) => placeChat(chats ?? [], chat));
}

/** Puts a snapshot in the place of what is known, whatever came before. */
export function replaceChat(client: QueryClient, chat: Chat): void {
  client.setQueryData<Chat[]>(chatKeys.list, (chats) =>
    sortChats([chat, ...(chats ?? []).filter((one) => one.id !== chat.id)]),
  );
}

export function changeChat(client: QueryClient, id: string, change: (chat: Chat) => Chat): void {
  client.setQueryData<Chat[]>(chatKeys.list, (chats) => {
    const known = chats?.find((one) => one.id === id);
    const next = known && change(known);
    if (!chats || !next || next === known) return chats;
    const changed = chats.map((one) => (one.id === id ? next : one));
    const isInPlace = next.active_at === known.active_at && next.is_pinned === known.is_pinned;
    return isInPlace ? changed : sortChats(changed);
  });
}

export function dropChat(client: QueryClient, id: string): void {
  client.setQueryData<Chat[]>(chatKeys.list, (chats) => chats?.filter((one) => one.id !== id));
  client.removeQueries({ queryKey: chatKeys.members(id) });
  client.removeQueries({ queryKey: chatKeys.allFound(id) });
  client.removeQueries({ queryKey: chatKeys.readTo(id) });
  client.removeQueries({ queryKey: chatKeys.links(id) });
  client.removeQueries({ queryKey: chatKeys.bans(id) });
}

/** Whether so many members are all whom one may see: to the reader of a broadcast only those who write are told. */
export const knowsAll = ({ kind, role, member_count }: Chat, count: number): boolean =>
  member_count === null ||
  member_count <= count ||
  (kind === "broadcast" && role !== "owner" && role !== "moderator");

/** What an event says about who is in a chat. Pure. */
export function patchMembers(members: Member[], frame: EventFrame): Member[] {
  if (frame.kind !== "member.joined" && frame.kind !== "member.changed" && frame.kind !== "member.left")
    return members;
  const { member } = frame.data;
  if (!member) return members;
  if (frame.kind !== "member.left")
    return [...members.filter((one) => one.actor.id !== member.actor.id), member];
  return members.filter((one) => one.actor.id !== member.actor.id);
}

/** As `patchMembers`, of those that were found; who joined is found when it is asked again. Pure. */
export function patchFound(found: FoundMembers, frame: EventFrame): FoundMembers {
  if (frame.kind !== "member.changed" && frame.kind !== "member.left") return found;
  const { member } = frame.data;
  if (!member) return found;
  const isMeant = (one: Member) => one.actor.id === member.actor.id;
  const patch = (items: Member[]) =>
    frame.kind === "member.left"
      ? items.filter((one) => !isMeant(one))
      : items.map((one) => (isMeant(one) ? member : one));
  return { ...found, pages: found.pages.map((page) => ({ ...page, items: patch(page.items) })) };
}

/** How far somebody has read; it never moves back. Pure. */
export function patchReader(members: Member[], actor: string, read_number: number): Member[] {
  return members.map((one) =>
    one.actor.id === actor && one.read_number < read_number ? { ...one, read_number } : one,
  );
}
