/** Calls of accounts: setup, invitations, sign-in, profile, sessions, people, keys, audit. */
import { tellDraftsNow } from "./drafts";
import { request } from "./http";
import { endSession, enter, leavingStore } from "./session";
import type { ApiKey, AuditEntry, Me, Page, Role, Session, SignedIn, User } from "./types";

const open = { isPublic: true };

export const checkSetup = (token: string) =>
  request<void>("POST", "/v1/setup/check", { ...open, body: { token } });

export async function setUp(body: {
  token: string;
  workspace_name: string;
  name: string;
  email: string;
  password: string;
  locale?: string;
}): Promise<void> {
  enter(await request<SignedIn>("POST", "/v1/setup", { ...open, body }));
}

export async function signIn(body: {
  email: string;
  password: string;
  workspace_id?: string;
}): Promise<void> {
  enter(await request<SignedIn>("POST", "/v1/auth/sign-in", { ...open, body }));
}

/** Takes along nothing but what is being written: that goes to the server, for the other devices. */
export async function signOut(): Promise<void> {
  leavingStore.set(true);
  try {
    await tellDraftsNow();
  } finally {
    await endSession();
  }
}

export const checkInvitation = (token: string) =>
  request<{ workspace_name: string; name: string; email: string }>("POST", "/v1/invitations/check", {
    ...open,
    body: { token },
  });

export async function acceptInvitation(body: { token: string; password: string }): Promise<void> {
  enter(await request<SignedIn>("POST", "/v1/invitations/accept", { ...open, body }));
}

export const updateProfile = (body: { name?: string; locale?: string; shows_last_seen?: boolean }) =>
  request<Me>("PATCH", "/v1/me", { body });
export const changePassword = (body: { current_password: string; new_password: string }) =>
  request<void>("POST", "/v1/me/password", { body });
export const renameWorkspace = (name: string) =>
  request<{ id: string; name: string }>("PATCH", "/v1/workspace", { body: { name } });

export const listSessions = () => request<{ items: Session[] }>("GET", "/v1/sessions");
export const revokeSession = (id: string) => request<void>("DELETE", `/v1/sessions/${id}`);

export const inviteUser = (body: { name: string; email: string; role: Role }) =>
  request<{ user: User; invite_url: string | null }>("POST", "/v1/users", { body });
export const updateUser = (id: string, body: { name?: string; role?: Role; is_deactivated?: boolean }) =>
  request<User>("PATCH", `/v1/users/${id}`, { body });
export const renewInvitation = (id: string) =>
  request<{ invite_url: string }>("POST", `/v1/users/${id}/invitation`, { body: {} });

export const listApiKeys = () => request<{ items: ApiKey[] }>("GET", "/v1/api-keys");
export const createApiKey = (body: { name: string; scopes: string[] }) =>
  request<ApiKey & { key: string }>("POST", "/v1/api-keys", { body });
export const revokeApiKey = (id: string) => request<void>("DELETE", `/v1/api-keys/${id}`);

export const listAudit = (cursor: string | null) =>
  request<Page<AuditEntry>>("GET", "/v1/audit", { query: { cursor } });
