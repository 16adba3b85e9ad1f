/** Signing out: what the screen knows of it from the press to the end, whatever the server does. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { signOut } from "@/api/accounts";
import { tellDraftsNow } from "@/api/drafts";
import { currentToken, enter, leavingStore, refreshSession, sessionStore } from "@/api/session";
import type { SignedIn } from "@/api/types";

vi.mock("@/api/drafts", () => ({ tellDraftsNow: vi.fn() }));

beforeEach(() => {
  enter({ access_token: "", expires_in_seconds: 900, me: { actor: { id: "act_me" } } } as SignedIn);
});
afterEach(() => vi.unstubAllGlobals());

it("is seen while drafts are told and while the server is, and over with it", async () => {
  const drafts: (() => void)[] = [];
  const answers: ((response: Response) => void)[] = [];
  vi.mocked(tellDraftsNow).mockReturnValue(new Promise((resolve) => void drafts.push(resolve)));
  vi.stubGlobal("fetch", () => new Promise<Response>((resolve) => void answers.push(resolve)));
  const isOver = signOut();
  expect([leavingStore.get(), sessionStore.get().phase]).toEqual([true, "signed_in"]);
  drafts[0]?.();
  await vi.waitFor(() => expect(sessionStore.get().phase).toBe("loading"));
  expect(leavingStore.get()).toBe(true);
  answers[0]?.(new Response(null, { status: 204 }));
  await isOver;
  expect([leavingStore.get(), sessionStore.get().phase]).toEqual([false, "signed_out"]);
  expect(localStorage.getItem("parley.sign-out-untold")).toBeNull();
});

it("ends also when drafts cannot be told, and the server cannot: the next page tells it", async () => {
  vi.mocked(tellDraftsNow).mockRejectedValue(new Error("broken"));
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  await expect(signOut()).rejects.toThrow("broken");
  expect([leavingStore.get(), sessionStore.get().phase]).toEqual([false, "signed_out"]);
  expect(localStorage.getItem("parley.sign-out-untold")).toBe("yes");
});

it("is not undone by a new token that was asked for before and comes late", async () => {
  vi.mocked(tellDraftsNow).mockResolvedValue();
  const answers = new Map<string, (response: Response) => void>();
  vi.stubGlobal(
    "fetch",
    (path: string) => new Promise<Response>((resolve) => void answers.set(path, resolve)),
  );
  const renewal = refreshSession();
  await vi.waitFor(() => expect(answers.has("/v1/auth/refresh")).toBe(true));
  const isOver = signOut();
  await vi.waitFor(() => expect(answers.has("/v1/auth/sign-out")).toBe(true));
  answers.get("/v1/auth/sign-out")?.(new Response(null, { status: 503 }));
  await isOver;
  const late = { access_token: "late", expires_in_seconds: 900, me: { actor: { id: "act_me" } } };
  answers.get("/v1/auth/refresh")?.(Response.json(late));
  expect(await renewal).toBe(false);
  expect([sessionStore.get().phase, currentToken()]).toEqual(["signed_out", null]);
  // nor by whatever asks for one afterwards: the cookie holds, for the server is still to be told
  answers.clear();
  expect(await refreshSession()).toBe(false);
  expect(answers.size).toBe(0);
  expect(localStorage.getItem("parley.sign-out-untold")).toBe("yes");
});
