/** Search in what was said: everywhere or in one conversation, with filters. */
import { request } from "./http";
import type { ChatKind, Message, Page, Sender } from "./types";

export type Has = "file" | "image" | "link";

export interface SearchFilter {
  query: string;
  conversation_id?: string;
  from?: string;
  date_from?: string;
  date_to?: string;
  /** All of these. */
  has?: Has[];
}

export interface Found {
  message: Message;
  conversation: { id: string; kind: ChatKind | "desk"; title: string | null; peer: Sender | null };
  /** Stretches of the message's text, in UTF-16 units. */
  highlights: { offset: number; length: number }[];
}

export const searchMessages = (filter: SearchFilter, cursor: string | null, signal?: AbortSignal) =>
  request<Page<Found>>("GET", "/v1/search/messages", { query: { ...filter, cursor, limit: 30 }, signal });

/** Whether there is anything to look for; days alone name nothing. */
export const isAsked = ({ query, from, has }: SearchFilter): boolean =>
  query.trim() !== "" || Boolean(from || has?.length);
