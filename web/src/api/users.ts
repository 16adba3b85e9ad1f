/** The users of the workspace, a page at a time. */
import { request } from "./http";
import type { Page, User } from "./types";

const PAGE_SIZE = 100;

/** Deactivated ones too, who came first before the later ones. */
export const listUserPage = (cursor: string | null, signal?: AbortSignal) =>
  request<Page<User>>("GET", "/v1/users", { query: { cursor, limit: PAGE_SIZE }, signal });
