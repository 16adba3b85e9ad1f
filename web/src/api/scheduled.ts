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

export const scheduledKey = (conversation: string) => ["scheduled", conversation] as const;

export const listScheduled = async (conversation: string) =>
  (await request<Page<Scheduled>>("GET", `/v1/conversations/${conversation}/scheduled`)).items;
export const scheduleMessage = (
  conversation: string,
  body: {
    client_id: string;
    send_at: string;
    text?: string;
    entities?: Entity[];
    media_ids?: string[];
    reply_to?: string;
  },
) => request<Scheduled>("POST", `/v1/conversations/${conversation}/scheduled`, { body });
export const cancelScheduled = (conversation: string, id: string) =>
  request<void>("DELETE", `/v1/conversations/${conversation}/scheduled/${id}`);
export const sendScheduled = (conversation: string, id: string) =>
  request<Message>("POST", `/v1/conversations/${conversation}/scheduled/${id}/send`);
