/** Messages to be posted later. */
import { request } from "./http";
import type { Attachment, Entity, Message, Page } from "./types";

export interface Scheduled {
  id: string;
  conversation_id: string;
  state: "waiting" | "failed" | "posted" | "cancelled";
  send_at: string;
  text: string;
  entities: Entity[];
  attachments: Attachment[];
  error: { code: string; message: string } | null;
}

export const scheduledKeys = {
  /** All of the below. */
  every: ["scheduled"] as const,
  /** Null: in all conversations. */
  of: (conversation: string | null) => ["scheduled", conversation] as const,
};

/** What waits or failed, by time; null: in all conversations. */
export const listScheduled = async (conversation: string | null) => {
  const path = conversation === null ? "/v1/scheduled" : `/v1/conversations/${conversation}/scheduled`;
  return (await request<Page<Scheduled>>("GET", path)).items;
};
export const scheduleMessage = (
  conversation: string,
  body: {
    client_id: string;
    send_at: string;
    text?: string;
    entities?: Entity[];
    media_ids?: string[];
    reply_to?: string;
    quote?: string;
  },
) => request<Scheduled>("POST", `/v1/conversations/${conversation}/scheduled`, { body });
export const changeScheduled = (
  conversation: string,
  id: string,
  body: { send_at: string; text?: string; entities?: Entity[] },
) => request<Scheduled>("PATCH", `/v1/conversations/${conversation}/scheduled/${id}`, { body });
export const cancelScheduled = (conversation: string, id: string) =>
  request<void>("DELETE", `/v1/conversations/${conversation}/scheduled/${id}`);
export const sendScheduled = (conversation: string, id: string) =>
  request<Message>("POST", `/v1/conversations/${conversation}/scheduled/${id}/send`);
