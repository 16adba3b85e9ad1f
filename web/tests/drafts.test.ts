import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { arrivedDraft, loadDrafts, noteLine, retellDrafts, takeDraft, tellDraft } from "@/api/drafts";
import { ApiError, request } from "@/api/http";
import type { WrittenDraft } from "@/api/types";
import { listUntold, loadDraft, saveDraft, withoutTaken } from "@/lib/drafts";

vi.mock("@/api/http", async (original) => ({
  ...(await original<typeof import("@/api/http")>()),
  request: vi.fn(),
}));

const PAUSE_MS = 800;
let conversation = "";
let count = 0;

/** What the server has, and what it answers to the next requests in its place. */
let onServer: Map<string, WrittenDraft>;
let failures: ApiError[];
let asked: string[];

const draft = (text: string): WrittenDraft => ({
  conversation_id: conversation,
  text,
  entities: [],
  reply_to_id: null,
  changed_at: "2026-01-01T10:00:00Z",
});
const offline = () => new ApiError(0, "network", "");

/** As the composer does it. */
function type(text: string): void {
  saveDraft(conversation, { text, isNote: false, isShared: true });
  tellDraft(conversation, text, null);
}
const pause = () => vi.advanceTimersByTimeAsync(PAUSE_MS);
const words = () => loadDraft(conversation).text;
const told = () => asked.filter((one) => !one.startsWith("GET"));

beforeEach(() => {
  vi.useFakeTimers();
  localStorage.clear();
  count += 1;
  conversation = `cnv_${count}`;
  onServer = new Map();
  failures = [];
  asked = [];
  noteLine(true);
  vi.mocked(request).mockImplementation(async (method, path, options) => {
    const { text } = (options?.body ?? {}) as { text?: string };
    asked.push(text === undefined ? method : `${method} ${text}`);
    const failure = failures.shift();
    if (failure) throw failure;
    const id = path.split("/")[3] ?? "";
    if (method === "GET") return { items: [...onServer.values()], next: null };
    if (method === "PUT") onServer.set(id, { ...draft(text ?? ""), conversation_id: id });
    else onServer.delete(id);
    return undefined;
  });
});

afterEach(() => vi.useRealTimers());

describe("a draft that comes back from the server", () => {
  it("is not cleared by what a replay has left of our own former words", async () => {
    noteLine(false);
    type("abc");
    await pause();
    type("abc def");
    await pause();
    expect(told()).toEqual(["PUT abc", "PUT abc def"]);
    const arrived = arrivedDraft.get();
    noteLine(true);
    takeDraft(conversation, null);
    expect(words()).toBe("abc def");
    takeDraft(conversation, draft("abc def"));
    expect(words()).toBe("abc def");
    expect(arrivedDraft.get()).toBe(arrived);
    // and the other device is heard again
    takeDraft(conversation, null);
    expect(words()).toBe("");
  });

  it("is still known for ours when the line was away for long", async () => {
    type("one");
    await pause();
    noteLine(false);
    type("one two");
    await pause();
    await vi.advanceTimersByTimeAsync(600_000);
    const arrived = arrivedDraft.get();
    noteLine(true);
    takeDraft(conversation, draft("one"));
    takeDraft(conversation, draft("one two"));
    expect(words()).toBe("one two");
    expect(arrivedDraft.get()).toBe(arrived);
  });

  it("is taken from the other device in the end when ours never comes", async () => {
    noteLine(false);
    type("mine");
    await pause();
    noteLine(true);
    takeDraft(conversation, null);
    takeDraft(conversation, draft("theirs"));
    expect(words()).toBe("mine");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(words()).toBe("theirs");
    expect(arrivedDraft.get()).toMatchObject({ conversation, text: "theirs" });
  });
});

describe("a draft the server does not take", () => {
  it("is kept and told again when the session had run out", async () => {
    failures = [new ApiError(401, "unauthenticated", "")];
    type("long thoughts");
    await pause();
    expect(listUntold()).toEqual([conversation]);
    await loadDrafts();
    await pause();
    expect(words()).toBe("long thoughts");
    expect(onServer.get(conversation)?.text).toBe("long thoughts");
    expect(listUntold()).toEqual([]);
  });

  it("stays on this device when it is refused, with or without older words on the server", async () => {
    failures = [new ApiError(400, "invalid_request", "")];
    type("far too long");
    await pause();
    expect(listUntold()).toEqual([]);
    await loadDrafts();
    expect(words()).toBe("far too long");
    onServer.set(conversation, draft("far"));
    await loadDrafts();
    expect(words()).toBe("far too long");
    // once it is sent, the older words go too
    type("");
    await pause();
    expect(onServer.size).toBe(0);
  });

  it("is told as the tab that wrote last has it", async () => {
    type("first words");
    await loadDrafts();
    saveDraft(conversation, { text: "first words and more", isNote: false, isShared: true });
    await pause();
    expect(onServer.get(conversation)?.text).toBe("first words and more");
  });
});

describe("a draft that was sent", () => {
  it("keeps on this device what it quotes, as long as it answers the same message", async () => {
    const reply = { ...draft("agreed"), reply_to_id: "msg_1" };
    onServer.set(conversation, reply);
    const quoting = { text: "agreed", isNote: false, isShared: true, replyTo: "msg_1", quote: "tea at four" };
    saveDraft(conversation, quoting);
    await loadDrafts();
    expect(loadDraft(conversation).quote).toBe("tea at four");
    takeDraft(conversation, { ...reply, text: "agreed, gladly" });
    expect(loadDraft(conversation)).toMatchObject({ text: "agreed, gladly", quote: "tea at four" });
    takeDraft(conversation, { ...reply, reply_to_id: "msg_2" });
    expect(loadDraft(conversation)).toMatchObject({ replyTo: "msg_2", quote: null });
  });

  it("is taken back until the server has heard it", async () => {
    type("half");
    await pause();
    failures = [offline(), new ApiError(503, "unavailable", ""), offline()];
    type("");
    await pause();
    expect(onServer.size).toBe(1);
    expect(listUntold()).toEqual([conversation]);
    retellDrafts();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(onServer.size).toBe(0);
    expect(listUntold()).toEqual([]);
  });

  it("is taken back also when it is not known whether the server got it", async () => {
    failures = [offline()];
    type("half");
    await pause();
    onServer.set(conversation, draft("half"));
    type("");
    await pause();
    expect(onServer.size).toBe(0);
  });

  it("leaves what was written behind it or in its place", () => {
    expect(withoutTaken("hello", "hello")).toBe("");
    expect(withoutTaken("hello\nand more", "hello")).toBe("and more");
    expect(withoutTaken("something else", "hello")).toBe("something else");
  });
});
