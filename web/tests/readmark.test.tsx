/** Whether one's words were read: by whom of the members at hand, and by others in a chat of very many. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keys } from "@/api/cache";
import { chatKeys } from "@/api/chat-cache";
import { ChatSync, type ChatSyncPorts } from "@/api/chat-sync";
import { listReaders } from "@/api/messages";
import { enter } from "@/api/session";
import type { Chat, Member, Message, MessagePage, SignedIn } from "@/api/types";
import { readBy, useIsRead } from "@/app/read-mark";
import "./patience";

vi.mock("@/api/messages", async (original) => ({
  ...(await original<typeof import("@/api/messages")>()),
  listReaders: vi.fn(),
}));

const at = (minute: number) => `2026-01-01T10:${String(minute).padStart(2, "0")}:00Z`;
const member = (id: string, read_number: number, minute = 0): Member => ({
  actor: { id, kind: "user", name: id },
  role: "member",
  read_number,
  joined_at: at(minute),
});
const said = (number: number | null, minute: number) => ({ number, created_at: at(minute) });

describe("words in a chat", () => {
  it("are read by anybody else as far as they have come", () => {
    const isRead = readBy([member("a", 2), member("b", 4)]);
    expect([1, 4, 5].map((number) => isRead(said(number, 5)))).toEqual([true, true, false]);
    expect(isRead(said(null, 5))).toBe(false);
    expect(readBy([])(said(1, 5))).toBe(false);
  });

  it("are not read by who came later, though they begin behind them", () => {
    const isRead = readBy([member("late", 7, 8), member("a", 2, 0), member("later", 1, 9)]);
    expect(isRead(said(3, 5))).toBe(false);
    expect(isRead(said(2, 5))).toBe(true);
    expect(isRead(said(7, 8))).toBe(true);
    expect(isRead(said(8, 10))).toBe(false);
  });
});

describe("words in a chat of very many", () => {
  const client = new QueryClient();
  const chat = { id: "cnv_1", kind: "group", role: "member", member_count: 5_000 } as Chat;
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
  const message = (id: string, number: number, sender = "act_me") =>
    ({ id, number, created_at: at(number), sender: { id: sender }, deleted_at: null }) as Message;
  const show = (...items: Message[]) => client.setQueryData(keys.thread(chat.id), { items } as MessagePage);
  const answer = (...reached: [number, number][]) =>
    vi.mocked(listReaders).mockResolvedValue({
      count: 0,
      readers: null,
      reached: reached.map(([read_number, minute]) => ({ read_number, joined_at: at(minute) })),
    });
  const mark = (number: number) => (isRead: ReturnType<typeof useIsRead>) => isRead(said(number, number));
  beforeEach(() => {
    client.clear();
    vi.mocked(listReaders).mockReset();
    enter({ access_token: "", expires_in_seconds: 900, me: { actor: { id: "act_me" } } } as SignedIn);
    client.setQueryData(chatKeys.members(chat.id), [member("act_me", 0), member("a", 1)]);
  });
  afterEach(cleanup);

  it("are asked about where none of the members at hand has read them, and again at a reading of somebody else", async () => {
    answer([2, 0]);
    show(message("m2", 2), message("m3", 3), message("m4", 4, "a"));
    const { result } = renderHook(() => useIsRead(chat), { wrapper });
    await waitFor(() => expect(mark(2)(result.current)).toBe(true));
    expect(mark(3)(result.current)).toBe(false);
    expect(vi.mocked(listReaders).mock.calls).toEqual([["cnv_1", "m3"]]);
    answer([4, 0]);
    const chats = new ChatSync(client, "act_me", {} as ChatSyncPorts);
    chats.noteRead(chat.id, "somebody", 4);
    await waitFor(() => expect(mark(3)(result.current)).toBe(true));
    // it is known now: nothing is asked on
    chats.noteRead(chat.id, "somebody", 5);
    expect(vi.mocked(listReaders)).toHaveBeenCalledTimes(2);
  });

  it("are not read by who came after them, though the server tells how far they are beside newer ones", async () => {
    answer([5, 4], [2, 0]);
    show(message("m2", 2), message("m3", 3), message("m5", 5));
    const { result } = renderHook(() => useIsRead(chat), { wrapper });
    await waitFor(() => expect(mark(5)(result.current)).toBe(true));
    expect([2, 3].map((number) => mark(number)(result.current))).toEqual([true, false]);
  });

  it("are not read by oneself", () => {
    client.setQueryData(chatKeys.members(chat.id), [member("act_me", 9)]);
    answer();
    show(message("m2", 2));
    const { result } = renderHook(() => useIsRead(chat), { wrapper });
    expect(mark(2)(result.current)).toBe(false);
  });

  it("keep what is known of them while something newer is asked about", async () => {
    answer([2, 0]);
    show(message("m2", 2));
    const { result } = renderHook(() => useIsRead(chat), { wrapper });
    await waitFor(() => expect(mark(2)(result.current)).toBe(true));
    vi.mocked(listReaders).mockReturnValue(new Promise(() => undefined));
    show(message("m2", 2), message("m5", 5));
    await waitFor(() => expect(vi.mocked(listReaders)).toHaveBeenCalledTimes(2));
    expect([2, 5].map((number) => mark(number)(result.current))).toEqual([true, false]);
  });

  it.each([
    { about: "a member at hand has read them", number: 1, count: 5_000, asked: 0 },
    { about: "all members are told of live", number: 2, count: 100, asked: 0 },
    { about: "neither is so", number: 2, count: 101, asked: 1 },
  ])("are asked about $asked times at once where $about", ({ number, count, asked }) => {
    answer();
    show(message(`m${number}`, number));
    renderHook(() => useIsRead({ ...chat, member_count: count }), { wrapper });
    expect(vi.mocked(listReaders)).toHaveBeenCalledTimes(asked);
  });
});
