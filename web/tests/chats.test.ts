/** The list of chats and who is in them: pure pieces. */
import { describe, expect, it } from "vitest";
import { patchMembers, patchReader, placeChat } from "@/api/chat-cache";
import { patchConversation } from "@/api/patches";
import type { Chat, Entity, EventFrame, Member } from "@/api/types";
import { findCall, findMentions } from "@/features/composer/mentions";

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

const head = { type: "event", stream: "cnv_1", number: 2, tag: 1, at: "", actor_id: null } as const;

describe("a chat of the list", () => {
  const said = (entities: Entity[], sender = "act_other") =>
    ({
      ...head,
      kind: "message.created",
      data: {
        message: {
          id: "msg_1",
          kind: "text",
          number: 1,
          sender: { id: sender, kind: "user", name: "Other" },
          text: "@Me",
          entities,
          attachments: [],
          created_at: "2026-01-02T10:00:00Z",
        },
      },
    }) as unknown as EventFrame;

  it.each<[string, Entity[], number]>([
    ["by name", [{ kind: "mention", actor_id: "act_me", offset: 0, length: 3 }], 1],
    ["with all", [{ kind: "mention_all", offset: 0, length: 3 }], 1],
    ["not when another is", [{ kind: "mention", actor_id: "act_x", offset: 0, length: 3 }], 0],
  ])("counts that one was called, %s", (_, entities, mentions) => {
    const next = patchConversation(chat("a", 1), said(entities), "act_me");
    expect([next.unread, next.mentions]).toEqual([1, mentions]);
  });

  it("follows what the group shows of itself and how many it has", () => {
    const changed = {
      ...head,
      kind: "conversation.changed",
      data: { title: "Tea", description: "Hot", avatar: null },
    } as EventFrame;
    const left = {
      ...head,
      number: 3,
      kind: "member.left",
      data: { member: member("b"), member_count: 7 },
    } as EventFrame;
    const next = [changed, left].reduce(
      (one, frame) => patchConversation(one, frame, "act_me"),
      chat("a", 1),
    );
    expect(next).toMatchObject({ title: "Tea", description: "Hot", member_count: 7 });
  });
});

describe("calling people", () => {
  it("is seen at the caret, at the beginning of a word alone", () => {
    expect(findCall("hi @bo", 6)).toEqual({ from: 3, words: "bo" });
    expect(findCall("@", 1)).toEqual({ from: 0, words: "" });
    expect(findCall("a@b", 3)).toBeNull();
    expect(findCall("hi @bo there", 3)).toBeNull();
  });

  it("marks each name that still stands, the longest first", () => {
    const called = new Map([
      ["@Anna", "act_1"],
      ["@Anna Maria", "act_2"],
      ["@all", null],
      ["@Gone", "act_3"],
    ]);
    expect(findMentions("@Anna Maria and @Anna, @all", called)).toEqual([
      { kind: "mention", actor_id: "act_2", offset: 0, length: 11 },
      { kind: "mention", actor_id: "act_1", offset: 16, length: 5 },
      { kind: "mention_all", offset: 23, length: 4 },
    ]);
  });
});

describe("members", () => {
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

  it("of a broadcast come and go without a name for its readers, and are counted", () => {
    const left = { ...head, kind: "member.left", data: { member: null, member_count: 7 } } as EventFrame;
    const changed = { ...head, kind: "member.changed", data: { member: null } } as EventFrame;
    expect([left, changed].reduce(patchMembers, [member("a")])).toEqual([member("a")]);
    expect(patchConversation(chat("a", 1), left, "act_me")).toMatchObject({ member_count: 7 });
    expect(patchConversation(chat("a", 1), changed, "act_me")).toMatchObject({ id: "a" });
  });

  it("read on, never back", () => {
    const read = patchReader(patchReader([member("a"), member("b")], "a", 5), "a", 3);
    expect(read.map((one) => one.read_number)).toEqual([5, 0]);
  });
});
