/** Names that are asked for, members that were found, words that are chosen: pure pieces and one small clock. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FoundMembers, knowsAll, patchFound } from "@/api/chat-cache";
import { withQuery } from "@/api/http";
import { NameBook } from "@/api/names";
import type { Chat, EventFrame, Member, Page, Person } from "@/api/types";
import { isNamedSo } from "@/features/chats/members";
import { toLocalMoment } from "@/lib/format";

const person = (id: string): Person => ({
  id,
  kind: "user",
  name: `Name of ${id}`,
  role: "member",
  is_online: null,
  last_seen_at: null,
});

describe("names that no list has told", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("are asked for together, and once", async () => {
    const asked: string[][] = [];
    const book = new NameBook(async (ids): Promise<Page<Person>> => {
      asked.push(ids);
      return { items: ids.filter((id) => id !== "gone").map(person), next: null };
    });
    book.want(["a", "b"]);
    book.want(["b", "gone"]);
    await vi.advanceTimersByTimeAsync(100);
    book.want(["a", "gone"]);
    await vi.advanceTimersByTimeAsync(100);
    expect(asked).toEqual([["a", "b", "gone"]]);
    expect(book.store.get()).toEqual({ a: "Name of a", b: "Name of b" });
  });

  it("are asked for again when nobody answered, a hundred at a time", async () => {
    const asked: number[] = [];
    const book = new NameBook(async (ids) => {
      asked.push(ids.length);
      if (asked.length === 1) throw new Error("no network");
      return { items: ids.map(person), next: null };
    });
    const many = Array.from({ length: 150 }, (_, n) => String(n));
    book.want(many);
    await vi.advanceTimersByTimeAsync(100);
    expect(Object.keys(book.store.get())).toHaveLength(50);
    book.want(many);
    await vi.advanceTimersByTimeAsync(100);
    expect(Object.keys(book.store.get())).toHaveLength(150);
    expect(asked).toEqual([100, 50, 100]);
  });
});

const member = (id: string, role: Member["role"] = "member"): Member => ({
  actor: { id, kind: "user", name: id },
  role,
  read_number: 0,
  joined_at: "2026-01-01T09:00:00Z",
});

const frame = (kind: string, data: unknown) => ({ type: "event", kind, data }) as unknown as EventFrame;

describe("members of a large group", () => {
  it("all are known when there are no more, or when no more are told", () => {
    const group = { kind: "group", role: "member", member_count: 1_001 } as Chat;
    expect(knowsAll(group, 1_000)).toBe(false);
    expect(knowsAll(group, 1_001)).toBe(true);
    expect(knowsAll({ ...group, kind: "broadcast", role: "reader" }, 2)).toBe(true);
    expect(knowsAll({ ...group, kind: "broadcast", role: "owner" }, 2)).toBe(false);
  });

  it("those that were found follow what happens to them", () => {
    const found: FoundMembers = {
      pages: [
        { items: [member("a"), member("b")], next: "2" },
        { items: [member("c")], next: null },
      ],
      pageParams: [null, "2"],
    };
    const promoted = patchFound(found, frame("member.changed", { member: member("c", "moderator") }));
    expect(promoted.pages[1]?.items[0]?.role).toBe("moderator");
    const left = patchFound(promoted, frame("member.left", { member: member("a") }));
    expect(left.pages.map((page) => page.items.map((one) => one.actor.id))).toEqual([["b"], ["c"]]);
    expect(patchFound(found, frame("member.joined", { member: member("d") }))).toBe(found);
  });

  it("are found by how a word of their name begins", () => {
    expect(isNamedSo("Анна-Мария Ёлкина", "ёл")).toBe(true);
    expect(isNamedSo("Anna Moss", "anna m")).toBe(true);
    expect(isNamedSo("Anna Moss", "oss")).toBe(false);
  });
});

it("a list in a query is given value by value", () => {
  expect(withQuery("/v1/people", { id: ["a", "b"], cursor: null })).toBe("/v1/people?id=a&id=b");
  expect(withQuery("/v1/people", { id: [] })).toBe("/v1/people");
});

it("a field for a moment has this zone's time", () => {
  const at = new Date(2026, 2, 1, 9, 5, 30);
  expect(toLocalMoment(at)).toBe("2026-03-01T09:05");
  expect(new Date(toLocalMoment(at)).getTime()).toBe(at.getTime() - 30_000);
});
