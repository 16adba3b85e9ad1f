/**
 * Who is signed in, in this tab. The access token lives in memory only; the refresh token is a cookie that scripts
 * cannot read. Tabs take turns at refreshing (a Web Lock) and tell each other the new token (BroadcastChannel).
 */
import { claimDrafts, forgetDrafts } from "@/lib/drafts";
import { createStore } from "@/lib/store";
import { forgetKept } from "./kept";
import type { Me, SignedIn } from "./types";

type State =
  | { phase: "loading" }
  | { phase: "signed_out" }
  /** The server could not be asked: neither signed in nor out. */
  | { phase: "unreachable" }
  | { phase: "signed_in"; me: Me };

type Told = { kind: "signed_in"; signedIn: SignedIn; at: number } | { kind: "signed_out" };

const RENEW_AT_SHARE = 0.8;
const FRESH_MS = 5_000;
const RENEW_AGAIN_MS = 5_000;
/** How long somebody who leaves waits for a server that does not answer; the next page tells it then. */
const TELL_MS = 5_000;
/** Set in the browser while somebody is signed in: else there is no cookie to ask a new token with. */
const SIGNED_IN = "parley.signed_in";
/** Who that is, for opening without a network. No token and no secret. */
const KEPT_ME = "parley.me";
/** Somebody left while the server could not be told: it still is to be. */
const UNTOLD = "parley.sign-out-untold";

let state: State = { phase: "loading" };
let token: string | null = null;
let expiresAt = 0;
let obtainedAt = 0;
let renewTimer: ReturnType<typeof setTimeout> | undefined;
let running: Promise<boolean> | null = null;
let reading = new AbortController();
const listeners = new Set<() => void>();
const tokenListeners = new Set<(token: string) => void>();
const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("parley.session");

if (channel) {
  channel.onmessage = (event: MessageEvent<Told>) => {
    if (event.data.kind === "signed_out") leave(false);
    else if (event.data.at > obtainedAt) take(event.data.signedIn, event.data.at);
  };
}

export const sessionStore = {
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  get: (): State => state,
};

/** Somebody is leaving: nothing on screen is to be used any more. */
export const leavingStore = createStore(false);

export const currentToken = (): string | null => token;
export const tokenExpiresAt = (): number => expiresAt;

export function onToken(listener: (token: string) => void): () => void {
  tokenListeners.add(listener);
  return () => tokenListeners.delete(listener);
}

/** Keeps a new session and tells the other tabs. */
export function enter(signedIn: SignedIn): void {
  const at = Date.now();
  take(signedIn, at);
  channel?.postMessage({ kind: "signed_in", signedIn, at } satisfies Told);
}

export function updateMe(me: Me): void {
  if (state.phase === "signed_in") publish({ phase: "signed_in", me });
}

/** What is being read for this session is given up by this signal when it ends. */
export const readingSignal = (): AbortSignal => reading.signal;

/**
 * Ends the session. First nothing asks in its name any more and the screens are gone, then the server is told by the
 * cookie, which holds when the access token does not. When the server cannot be told now, the next page does it.
 */
export async function endSession(): Promise<void> {
  clearTimeout(renewTimer);
  localStorage.removeItem(SIGNED_IN);
  stopReading();
  publish({ phase: "loading" });
  await tellSignOut();
  leave(true);
}

function stopReading(): void {
  reading.abort();
  reading = new AbortController();
}

async function tellSignOut(): Promise<void> {
  localStorage.setItem(UNTOLD, "yes");
  try {
    const response = await post("/v1/auth/sign-out", AbortSignal.timeout(TELL_MS));
    if (!isTrouble(response)) localStorage.removeItem(UNTOLD);
  } catch {
    // Told by the next page that is opened.
  }
}

const post = (path: string, signal?: AbortSignal): Promise<Response> =>
  fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
    credentials: "same-origin",
    keepalive: true,
    signal,
  });

/** The server has decided nothing. */
const isTrouble = (response: Response): boolean => response.status >= 500 || response.status === 429;

/** Forgets the session here; `tell` says whether the other tabs shall too. */
export function leave(tell: boolean): void {
  token = null;
  expiresAt = 0;
  clearTimeout(renewTimer);
  stopReading();
  localStorage.removeItem(SIGNED_IN);
  localStorage.removeItem(KEPT_ME);
  void forgetKept();
  // A session that merely ran out may go on; who leaves takes everything along.
  if (tell) forgetDrafts();
  if (tell) channel?.postMessage({ kind: "signed_out" } satisfies Told);
  publish({ phase: "signed_out" });
  leavingStore.set(false);
}

/** The first thing a tab does: the session of this browser goes on, if there is one. */
export async function resumeSession(): Promise<void> {
  if (localStorage.getItem(UNTOLD)) await tellSignOut();
  if (localStorage.getItem(SIGNED_IN)) await refreshSession();
  else if (state.phase === "loading") publish({ phase: "signed_out" });
}

/**
 * Gets a new access token by the cookie. One request at a time over all tabs; true when there is a token. Given up when
 * the session ends meanwhile: an answer that comes late would sign in again who has left.
 */
export function refreshSession(): Promise<boolean> {
  const ends = reading.signal;
  running ??= underLock(() => refreshOnce(ends)).finally(() => {
    running = null;
  });
  return running;
}

async function refreshOnce(ends: AbortSignal): Promise<boolean> {
  if (ends.aborted) return false;
  // Who has left stays so, though the cookie holds until the server could be told.
  if (!localStorage.getItem(SIGNED_IN)) {
    if (state.phase === "signed_in") leave(false);
    return false;
  }
  // While we waited for the lock another tab may have told us its fresh token.
  if (token && Date.now() - obtainedAt < FRESH_MS) return true;
  let response: Response;
  let signedIn: SignedIn | null = null;
  try {
    response = await post("/v1/auth/refresh", ends);
    if (response.ok) signedIn = (await response.json()) as SignedIn;
  } catch {
    return ends.aborted ? false : unreachable();
  }
  if (ends.aborted) return false;
  if (signedIn) {
    enter(signedIn);
    return true;
  }
  if (isTrouble(response)) return unreachable();
  leave(false);
  return false;
}

function unreachable(): boolean {
  const kept = state.phase === "loading" ? keptMe() : null;
  if (kept) {
    publish({ phase: "signed_in", me: kept });
    scheduleRenewal(RENEW_AGAIN_MS);
  } else if (state.phase === "loading" || state.phase === "unreachable") publish({ phase: "unreachable" });
  else scheduleRenewal(RENEW_AGAIN_MS);
  return false;
}

function keptMe(): Me | null {
  try {
    return JSON.parse(localStorage.getItem(KEPT_ME) ?? "null") as Me | null;
  } catch {
    return null;
  }
}

async function underLock(job: () => Promise<boolean>): Promise<boolean> {
  if (!("locks" in navigator)) return job();
  return await navigator.locks.request("parley.refresh", job);
}

function take(signedIn: SignedIn, at: number): void {
  token = signedIn.access_token;
  obtainedAt = at;
  localStorage.setItem(SIGNED_IN, "yes");
  // The cookie of whoever left before is gone with the new one.
  localStorage.removeItem(UNTOLD);
  claimDrafts(signedIn.me.actor.id);
  localStorage.setItem(KEPT_ME, JSON.stringify(signedIn.me));
  expiresAt = at + signedIn.expires_in_seconds * 1000;
  scheduleRenewal(signedIn.expires_in_seconds * 1000 * RENEW_AT_SHARE);
  publish({ phase: "signed_in", me: signedIn.me });
  for (const listener of tokenListeners) listener(token);
}

function scheduleRenewal(delayMs: number): void {
  clearTimeout(renewTimer);
  // Tabs opened together do not all wake in the same moment.
  renewTimer = setTimeout(() => void refreshSession(), delayMs + Math.random() * 2_000);
}

function publish(next: State): void {
  state = next;
  for (const listener of listeners) listener();
}
