/** Where server state is kept (query keys) and how a conversation enters every list it belongs to. */
import type { QueryClient } from "@tanstack/react-query";
import type { Filter } from "./desk";
import type { Thread } from "./patches";
import type { DeskConversation } from "./types";

export const keys = {
  lists: ["list"] as const,
  list: (filter: Filter) => ["list", filter] as const,
  conversation: (id: string) => ["conversation", id] as const,
  thread: (id: string) => ["thread", id] as const,
  contact: (id: string) => ["contact", id] as const,
  counts: ["counts"] as const,
  channels: ["channels"] as const,
  inboxes: ["inboxes"] as const,
  inboxMembers: (id: string) => ["inbox-members", id] as const,
  users: ["users"] as const,
  sessions: ["sessions"] as const,
  factors: ["factors"] as const,
  apiKeys: ["api-keys"] as const,
  journal: ["journal"] as const,
  audit: ["audit"] as const,
};

/** What a list has loaded: newest active first. `next` is the cursor of the following page. */
export interface LoadedList {
  items: DeskConversation[];
  next: string | null;
}

export function isListed(conversation: DeskConversation, filter: Filter, me: string): boolean {
  if (filter.status !== "all" && conversation.status !== filter.status) return false;
  if (filter.inbox_id && conversation.inbox_id !== filter.inbox_id) return false;
  if (filter.contact_id && conversation.contact.id !== filter.contact_id) return false;
  if (filter.query && !isFound(conversation, filter.query)) return false;
  if (!filter.assignee) return true;
  if (filter.assignee === "none") return conversation.assignee === null;
  return conversation.assignee?.id === (filter.assignee === "me" ? me : filter.assignee);
}

/** The server's rule of search. */
function isFound({ contact }: DeskConversation, query: string): boolean {
  const words = query.toLocaleLowerCase();
  const names = [contact.name, contact.username ?? ""];
  return contact.address === query || names.some((name) => name.toLocaleLowerCase().includes(words));
}

/** Puts the conversation where the list wants it, or takes it out. Pure. */
export function placeInList(
  list: LoadedList,
  conversation: DeskConversation,
  filter: Filter,
  me: string,
): LoadedList {
  const rest = list.items.filter((item) => item.id !== conversation.id);
  if (!isListed(conversation, filter, me)) {
    return rest.length === list.items.length ? list : { ...list, items: rest };
  }
  let at = rest.findIndex((item) => Date.parse(item.active_at) < Date.parse(conversation.active_at));
  if (at < 0) {
    // Older than all that is loaded: a later page will bring it.
    if (list.next) return rest.length === list.items.length ? list : { ...list, items: rest };
    at = rest.length;
  }
  return { ...list, items: [...rest.slice(0, at), conversation, ...rest.slice(at)] };
}

/** Keeps the newest known state of a conversation, here and in every list. Older snapshots are dropped. */
export function keepConversation(client: QueryClient, conversation: DeskConversation, me: string): void {
  const known = client.getQueryData<DeskConversation>(keys.conversation(conversation.id));
  if (known && known.head.number > conversation.head.number) return;
  client.setQueryData(keys.conversation(conversation.id), conversation);
  for (const query of client.getQueryCache().findAll({ queryKey: keys.lists })) {
    const filter = query.queryKey[1] as Filter;
    client.setQueryData<LoadedList>(query.queryKey, (list) =>
      list ? placeInList(list, conversation, filter, me) : list,
    );
  }
}

export function changeConversation(
  client: QueryClient,
  id: string,
  me: string,
  change: (conversation: DeskConversation) => DeskConversation,
): void {
  const known = findConversation(client, id);
  if (!known) return;
  const next = change(known);
  if (next !== known) keepConversation(client, next, me);
}

export function findConversation(client: QueryClient, id: string): DeskConversation | undefined {
  const known = client.getQueryData<DeskConversation>(keys.conversation(id));
  if (known) return known;
  for (const [, list] of client.getQueriesData<LoadedList>({ queryKey: keys.lists })) {
    const found = list?.items.find((item) => item.id === id);
    if (found) return found;
  }
  return undefined;
}

export function dropConversation(client: QueryClient, id: string): void {
  client.removeQueries({ queryKey: keys.thread(id) });
  client.removeQueries({ queryKey: keys.conversation(id) });
  client.setQueriesData<LoadedList>({ queryKey: keys.lists }, (list) =>
    list ? { ...list, items: list.items.filter((item) => item.id !== id) } : list,
  );
}

export function changeThread(client: QueryClient, id: string, change: (thread: Thread) => Thread): void {
  client.setQueryData<Thread>(keys.thread(id), (thread) => (thread ? change(thread) : thread));
}
