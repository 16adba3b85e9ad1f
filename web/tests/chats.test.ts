/** The list of chats and who is in them: pure pieces. */
import { describe, expect, it } from "vitest";
import { patchMembers, patchReader, placeChat } from "@/api/chat-cache";
import type { Chat, EventFrame, Member } from "@/api/types";

const chat = (id: string, minute: number, number = 1, more: Partial<Chat> = {}): Chat => ({
  id,
  kind: "group",
  title: id,
  peer: null,
  role: "member",
  description: null,
  avatar: null,
  member_count: 2,
  mentions: 0,
  muted_until: null,
  is_archived: false,
  is_pinned: false,
  active_at: `2026-01-01T10:${String(minute).padStart(2, "0")}:00Z`,
  created_at: "2026-01-01T09:00:00Z",
  last_message: null,
  unread: 0,
  last_number: 0,
  read_number: 0,
  own_since: 0,
  head: { number, tag: 1 },
  ...more,
});

const member = (id: string, more: Partial<Member> = {}): Member => ({
  actor: { id, kind: "user", name: id },
  role: "member",
  read_number: 0,
  joined_at: "2026-01-01T09:00:00Z",
  ...more,
});

describe("the list of chats", () => {
  it("has the lately active first, each once", () => {
    const list = placeChat([chat("a", 3), chat("b", 2)], chat("b", 5, 2));
    expect(list.map((one) => one.id)).toEqual(["b", "a"]);
  });

  it("has the pinned above all", () => {
    const list = placeChat([chat("a", 9)], chat("b", 1, 2, { is_pinned: true }));
    expect(list.map((one) => one.id)).toEqual(["b", "a"]);
  });

  it("keeps what is newer than a snapshot that comes late", () => {
    const list = [chat("a", 3, 9)];
    expect(placeChat(list, chat("a", 1, 4))).toBe(list);
  });
});

describe("members", () => {
  const head = { type: "event", stream: "cnv_1", number: 2, tag: 1, at: "", actor_id: null } as const;

  it("come, change and go by events", () => {
    const joined = { ...head, kind: "member.joined", data: { member: member("b") } } as EventFrame;
    const changed = {
      ...head,
      kind: "member.changed",
      data: { member: member("b", { role: "owner" }) },
    } as EventFrame;
    const left = { ...head, kind: "member.left", data: { member: member("a") } } as EventFrame;
    const all = [joined, joined, changed, left].reduce(patchMembers, [member("a")]);
    expect(all.map((one) => [one.actor.id, one.role])).toEqual([["b", "owner"]]);
  });

  it("read on, never back", () => {
    const read = patchReader(patchReader([member("a"), member("b")], "a", 5), "a", 3);
    expect(read.map((one) => one.read_number)).toEqual([5, 0]);
  });
});
