/** What no event tells of a chat in words: asked for again when something tells that it may be another. */
import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { chatKeys } from "@/api/chat-cache";
import { ChatSync, type ChatSyncPorts } from "@/api/chat-sync";
import type { EventFrame, Member } from "@/api/types";

const member = (id: string): Member => ({
  actor: { id, kind: "user", name: id },
  role: "member",
  read_number: 0,
  joined_at: "2026-01-01T09:00:00Z",
});
const moved = (kind: "member.joined" | "member.left", who: string, number: number): EventFrame => ({
  type: "event",
  stream: "cnv_1",
  number,
  tag: 1,
  at: "",
  actor_id: null,
  kind,
  data: { member: member(who) },
});

describe("what moderators look at", () => {
  const client = new QueryClient();
  const isOld = (key: readonly string[]) => client.getQueryState(key)?.isInvalidated;
  let chats: ChatSync;
  beforeEach(() => {
    vi.useFakeTimers();
    client.clear();
    for (const id of ["cnv_1", "cnv_2"]) {
      client.setQueryData(chatKeys.links(id), []);
      client.setQueryData(chatKeys.bans(id), []);
    }
    chats = new ChatSync(client, "act_me", {} as ChatSyncPorts);
  });
  afterEach(() => {
    chats.stop();
    vi.useRealTimers();
  });

  it("is asked for once when many come and go", () => {
    const ask = vi.spyOn(client, "invalidateQueries");
    for (let n = 1; n <= 20; n += 1) chats.apply("cnv_1", moved("member.joined", `act_${n}`, n));
    chats.apply("cnv_1", moved("member.left", "act_1", 21));
    expect(isOld(chatKeys.links("cnv_1"))).toBe(false);
    vi.advanceTimersByTime(1_000);
    expect(isOld(chatKeys.links("cnv_1"))).toBe(true);
    expect(isOld(chatKeys.bans("cnv_1"))).toBe(true);
    expect(isOld(chatKeys.links("cnv_2"))).toBe(false);
    expect(ask).toHaveBeenCalledTimes(2);
    // and again at the next
    ask.mockClear();
    chats.apply("cnv_1", moved("member.joined", "act_30", 22));
    vi.advanceTimersByTime(1_000);
    expect(ask).toHaveBeenCalledTimes(2);
    ask.mockRestore();
  });

  it("is not asked for by who was taken out", () => {
    chats.apply("cnv_1", moved("member.left", "act_me", 1));
    vi.advanceTimersByTime(1_000);
    expect(isOld(chatKeys.links("cnv_1"))).toBe(false);
  });

  it("is read again after a time without a line how far others have read, where that is one page", () => {
    const many = Array.from({ length: 101 }, (_, n) => member(`act_${n}`));
    client.setQueryData(chatKeys.members("cnv_1"), many.slice(1));
    client.setQueryData(chatKeys.members("cnv_2"), many);
    chats.rereadReaders();
    expect(isOld(chatKeys.members("cnv_1"))).toBe(true);
    expect(isOld(chatKeys.members("cnv_2"))).toBe(false);
  });
});
