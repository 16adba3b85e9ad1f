/** What is pressed twice in a row reaches the server in that order, and the screen keeps what was pressed last. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { keys } from "@/api/cache";
import { chatKeys, keepChat } from "@/api/chat-cache";
import { setPreferences } from "@/api/chats";
import { setReaction } from "@/api/messages";
import { Sync, SyncContext } from "@/api/sync";
import type { Chat, Message, Preferences } from "@/api/types";
import { useChatActions } from "@/features/chats/preferences";
import { startI18n } from "@/lib/i18n";

vi.mock("@/api/messages", async (original) => ({
  ...(await original<typeof import("@/api/messages")>()),
  setReaction: vi.fn(),
}));
vi.mock("@/api/chats", async (original) => ({
  ...(await original<typeof import("@/api/chats")>()),
  setPreferences: vi.fn(),
}));

const CHAT = "cnv_1";
const settle = () => new Promise((resolve) => setTimeout(resolve));
let client: QueryClient;
/** What the server is asked, and how each is answered or refused. */
let asked: unknown[];
let answers: { done: () => void; refuse: () => void }[];

const asking = <T,>(what: unknown, answer: T) => {
  asked.push(what);
  return new Promise<T>((resolve, reject) => {
    answers.push({ done: () => resolve(answer), refuse: () => reject(new Error("refused")) });
  });
};

beforeEach(async () => {
  await startI18n();
  client = new QueryClient();
  asked = [];
  answers = [];
});

describe("a reaction that is put and taken off at once", () => {
  const message = { id: "msg_1", conversation_id: CHAT, reactions: [] } as unknown as Message;
  const shown = () => client.getQueryData<{ items: Message[] }>(keys.thread(CHAT))?.items[0]?.reactions;
  let sync: Sync;
  beforeEach(() => {
    vi.mocked(setReaction).mockImplementation((_c, _m, emoji, isOn) => asking([emoji, isOn], undefined));
    sync = new Sync(client, "act_me");
    client.setQueryData(keys.thread(CHAT), { items: [message] });
  });

  it("is told in that order", async () => {
    void sync.react(message, "👍", true);
    void sync.react(message, "👍", false);
    await settle();
    expect(asked).toEqual([["👍", true]]);
    answers[0]?.done();
    await settle();
    expect(asked).toEqual([
      ["👍", true],
      ["👍", false],
    ]);
    expect(shown()).toEqual([]);
  });

  it("stays as it was put last when what was asked before is refused", async () => {
    const first = sync.react(message, "👍", true);
    void sync.react(message, "👍", false);
    void sync.react(message, "👍", true);
    await settle();
    answers[0]?.refuse();
    await expect(first).rejects.toThrow("refused");
    expect(shown()).toMatchObject([{ emoji: "👍", actor_ids: ["act_me"] }]);
  });
});

describe("a chat that is unmuted and put aside at once", () => {
  it("is both on the screen, whatever the earlier answer says", async () => {
    const chat = {
      id: CHAT,
      is_pinned: false,
      is_archived: false,
      muted_until: "2099-01-01T00:00:00Z",
      active_at: "2026-01-01T10:00:00Z",
      head: { number: 1, tag: 1 },
    } as Chat;
    client.setQueryData(chatKeys.list, [chat]);
    let onServer = chat;
    vi.mocked(setPreferences).mockImplementation((_, wanted: Preferences) => {
      onServer = { ...onServer, ...wanted };
      return asking(wanted, onServer);
    });
    const sync = { chats: { keep: (one: Chat) => keepChat(client, one) } } as unknown as Sync;
    const wrapper = ({ children }: { children: ReactNode }) => (
      <QueryClientProvider client={client}>
        <SyncContext value={sync}>{children}</SyncContext>
      </QueryClientProvider>
    );
    const { result } = renderHook(() => useChatActions(chat), { wrapper });
    for (const name of ["mute", "archive"]) result.current.find((one) => one.name === name)?.run();
    const listed = () => client.getQueryData<Chat[]>(chatKeys.list)?.[0];
    const isAside = () => expect(listed()).toMatchObject({ is_archived: true, muted_until: null });
    await settle();
    expect(asked).toEqual([{ muted_until: null }]);
    answers[0]?.done();
    await waitFor(() => expect(asked).toHaveLength(2));
    isAside();
    answers[1]?.done();
    await settle();
    isAside();
  });
});
