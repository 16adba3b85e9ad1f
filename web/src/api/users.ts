/** The users of the workspace, a page at a time. */
import { request } from "./http";
import type { Page, User } from "./types";

const PAGE_SIZE = 100;

/** Deactivated ones too, who came first before the later ones; with words those in whose name or e-mail they are. */
export const listUserPage = (words: string, cursor: string | null, signal?: AbortSignal) =>
  request<Page<User>>("GET", "/v1/users", { query: { query: words, cursor, limit: PAGE_SIZE }, signal });
