/** Calls of one conversation's messages. */
import { request } from "./http";
import type { Entity, Message, MessagePage, MessageVersion, Pin, Readers } from "./types";

export const HISTORY_PAGE = 50;

export type Place = { before: number } | { after: number } | { around: number } | Record<string, never>;

export const listMessages = (conversation: string, place: Place, signal?: AbortSignal) =>
  request<MessagePage>("GET", `/v1/conversations/${conversation}/messages`, {
    query: { ...place, limit: HISTORY_PAGE },
    signal,
  });

export interface Draft {
  client_id: string;
  text?: string;
  entities?: Entity[];
  media_ids?: string[];
  reply_to?: string;
  /** Words of the message replied to. */
  quote?: string;
  kind?: "text" | "note";
  /** Nothing else goes with it. */
  forward?: { conversation_id: string; message_id: string };
}

/** A repeat with the same `client_id` answers with the stored message: safe to repeat for ever. */
export const sendMessage = (conversation: string, body: Draft) =>
  request<Message>("POST", `/v1/conversations/${conversation}/messages`, { body });
export const editMessage = (conversation: string, id: string, text: string, entities: Entity[] = []) =>
  request<Message>("PATCH", `/v1/conversations/${conversation}/messages/${id}`, { body: { text, entities } });
export const deleteMessage = (conversation: string, id: string, whom: "all" | "me" = "all") =>
  request<Message>("DELETE", `/v1/conversations/${conversation}/messages/${id}`, { query: { for: whom } });
export const listPins = async (conversation: string) =>
  (await request<{ items: Pin[] }>("GET", `/v1/conversations/${conversation}/pins`)).items;
export const listReaders = (conversation: string, id: string) =>
  request<Readers>("GET", `/v1/conversations/${conversation}/messages/${id}/readers`);
export const setPin = (conversation: string, id: string, isOn: boolean) =>
  request<void>(isOn ? "PUT" : "DELETE", `/v1/conversations/${conversation}/pins/${id}`);
export const listVersions = async (conversation: string, id: string): Promise<MessageVersion[]> => {
  const answer = await request<{ items: MessageVersion[] } | MessageVersion[]>(
    "GET",
    `/v1/conversations/${conversation}/messages/${id}/versions`,
  );
  return Array.isArray(answer) ? answer : answer.items;
};
export const setReaction = (conversation: string, id: string, emoji: string, isOn: boolean) =>
  request<void>(
    isOn ? "PUT" : "DELETE",
    `/v1/conversations/${conversation}/messages/${id}/reactions/${encodeURIComponent(emoji)}`,
  );
export const decideDelivery = (
  conversation: string,
  id: string,
  action: "retry" | "send_again" | "mark_sent" | "cancel",
) =>
  request<Message>("POST", `/v1/conversations/${conversation}/messages/${id}/delivery`, { body: { action } });
export const moveRead = (conversation: string, number: number) =>
  request<{ read_number: number; own_since: number; unread: number }>(
    "PUT",
    `/v1/conversations/${conversation}/read`,
    { body: { number } },
  );
