import i18next from "i18next";
import { describe, expect, it } from "vitest";
import { isListed, placeInList } from "@/api/cache";
import { joinPage, type Thread, trimThread } from "@/api/patches";
import type { DeskConversation, Message } from "@/api/types";
import { formatDate, formatDateTime, formatDuration, initials } from "@/lib/format";
import { cutText, isFewEmoji, moveEntities, safeHref } from "@/lib/richtext";
import { snoozePresets } from "@/lib/snooze";

describe("rich text", () => {
  it("counts offsets in UTF-16 units, as the contract says", () => {
    const pieces = cutText("😀 bold", [{ kind: "bold", offset: 3, length: 4 }]);
    expect(pieces.map((p) => [p.text, p.marks.map((m) => m.kind)])).toEqual([
      ["😀 ", []],
      ["bold", ["bold"]],
    ]);
  });

  it("cuts overlapping marks into pieces that carry both", () => {
    const pieces = cutText("abcdef", [
      { kind: "bold", offset: 0, length: 4 },
      { kind: "italic", offset: 2, length: 4 },
    ]);
    expect(pieces.map((p) => [p.text, p.marks.map((m) => m.kind).join()])).toEqual([
      ["ab", "bold"],
      ["cd", "bold,italic"],
      ["ef", "italic"],
    ]);
  });

  it("loses no character, whatever the entities claim", () => {
    const text = "some words here";
    const odd = [
      { kind: "bold", offset: 10, length: 500 },
      { kind: "code", offset: 400, length: 3 },
      { kind: "pre", offset: 0, length: 0 },
    ];
    expect(
      cutText(text, odd)
        .map((p) => p.text)
        .join(""),
    ).toBe(text);
  });

  it("finds addresses without their punctuation", () => {
    const links = cutText("see https://example.com/a?b=1, or (http://x.example).", []).filter((p) => p.href);
    expect(links.map((p) => p.text)).toEqual(["https://example.com/a?b=1", "http://x.example"]);
  });

  it("never opens a script", () => {
    for (const address of [
      "javascript:alert(1)",
      " JavaScript:alert(1)",
      "data:text/html,x",
      "vbscript:x",
      "file:///etc",
    ]) {
      expect(safeHref(address)).toBeNull();
    }
    expect(safeHref("example.com/a")).toBe("https://example.com/a");
  });
});

describe("lists", () => {
  const row = (id: string, active_at: string, more: Partial<DeskConversation> = {}) =>
    ({ id, active_at, status: "open", inbox_id: "inb_1", assignee: null, ...more }) as DeskConversation;
  const at = (minute: number) => `2026-11-20T10:0${minute}:00Z`;
  const filter = { status: "open" as const, inbox_id: null, assignee: null };

  it("keep the newest first and each once", () => {
    const list = { items: [row("a", at(3)), row("b", at(2)), row("c", at(1))], next: null };
    expect(placeInList(list, row("c", at(4)), filter, "me").items.map((r) => r.id)).toEqual(["c", "a", "b"]);
  });

  it("let go of what no longer belongs", () => {
    const list = { items: [row("a", at(3)), row("b", at(2))], next: null };
    expect(
      placeInList(list, row("a", at(3), { status: "resolved" }), filter, "me").items.map((r) => r.id),
    ).toEqual(["b"]);
  });

  it("leave what is older than the loaded part to a later page", () => {
    const list = { items: [row("a", at(3))], next: "cursor" };
    expect(placeInList(list, row("z", at(1)), filter, "me")).toBe(list);
    expect(placeInList({ ...list, next: null }, row("z", at(1)), filter, "me").items).toHaveLength(2);
  });

  it("of a search hold whom the words are about", () => {
    const contact = {
      id: "act_9",
      name: "Zoë Ковалёва",
      username: "zoe",
      address: "4711",
      is_reachable: true,
    };
    const known = row("a", "1", { contact });
    const everything = { ...filter, status: "all" as const };
    for (const query of ["ковал", "ZO", "4711"])
      expect(isListed(known, { ...everything, query }, "me")).toBe(true);
    for (const query of ["471", "bob"]) expect(isListed(known, { ...everything, query }, "me")).toBe(false);
    expect(isListed(known, { ...everything, contact_id: "act_9" }, "me")).toBe(true);
    expect(isListed(known, { ...everything, contact_id: "act_8" }, "me")).toBe(false);
  });

  it("know mine from everybody's", () => {
    const mine = row("a", "1", { assignee: { id: "act_1", kind: "user", name: "A" } });
    expect(isListed(mine, { ...filter, assignee: "me" }, "act_1")).toBe(true);
    expect(isListed(mine, { ...filter, assignee: "me" }, "act_2")).toBe(false);
    expect(isListed(mine, { ...filter, assignee: "none" }, "act_1")).toBe(false);
  });
});

it("one to three emoji are known from words", () => {
  const few = ["🎉", "😀😍 👍", "👩‍🚀", "❤️", "🇷🇺", "👍🏽"];
  expect(few.map(isFewEmoji)).toEqual(few.map(() => true));
  expect(["", "😀😀😀😀", "ok 👍", "12", "#"].map(isFewEmoji)).toEqual([false, false, false, false, false]);
});

describe("marks of an edited text", () => {
  const bold = { kind: "bold", offset: 6, length: 5 };
  const before = "Hello world again";

  it("stay where nothing changed, and move with what comes after", () => {
    expect(moveEntities([bold], before, "Hello world, again")).toEqual([bold]);
    expect(moveEntities([bold], before, "Oh hello world again")).toEqual([{ ...bold, offset: 9 }]);
  });

  it("grow with words written inside, and go with words taken away", () => {
    expect(moveEntities([bold], before, "Hello wide world again")).toEqual([{ ...bold, length: 10 }]);
    expect(moveEntities([bold], before, "Hello again")).toEqual([]);
  });

  it("keep the part that was not cut, and forget an address that changed", () => {
    expect(moveEntities([bold], before, "Hello woods")).toEqual([{ ...bold, length: 2 }]);
    const url = { kind: "url", offset: 0, length: 5 };
    expect(moveEntities([url], "a.org is", "a.com is")).toEqual([]);
  });
});

describe("windows of history", () => {
  const message = (position: number) => ({ id: `msg_${position}`, position }) as Message;
  const thread = (positions: number[]): Thread => ({
    items: positions.map(message),
    has_before: true,
    has_after: false,
    head: { number: 9, tag: 1 },
    read_number: 0,
    own_since: 0,
  });

  it("join pages that overlap without doubling", () => {
    const joined = joinPage(thread([5, 6]), { ...thread([3, 4, 5]), has_before: false }, "before");
    expect(joined.items.map((m) => m.position)).toEqual([3, 4, 5, 6]);
    expect(joined.has_before).toBe(false);
  });

  it("say that there is more where they were cut", () => {
    expect(trimThread(thread([1, 2, 3]), 2, "after")).toMatchObject({
      has_after: true,
      items: [{ position: 1 }, { position: 2 }],
    });
    expect(trimThread(thread([1, 2, 3]), 2, "before")).toMatchObject({
      has_before: true,
      items: [{ position: 2 }, { position: 3 }],
    });
  });
});

it("snooze presets lie ahead, in order, each moment once", () => {
  for (const at of ["2026-11-20T10:30", "2026-11-20T23:10", "2026-11-22T10:00", "2026-11-23T08:00"]) {
    const now = new Date(at);
    const times = snoozePresets(now).map((preset) => preset.until.getTime());
    expect(times.every((time) => time > now.getTime())).toBe(true);
    expect(new Set(times).size).toBe(times.length);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
  }
});

it("initials and durations read well", () => {
  expect(
    ["Марина Ковалёва", "Кирилл", "Мастерская «Дуб и клён»", "陈伟", "", "😀 Bob", "👩‍🚀"].map(initials),
  ).toEqual(["МК", "К", "МК", "陈", "", "B", "👩‍🚀"]);
  expect([0, 14.4, 75].map(formatDuration)).toEqual(["0:00", "0:14", "1:15"]);
});

describe("days and moments of fields", () => {
  it("are told in the language on screen", async () => {
    await i18next.init({ lng: "ru" });
    expect(formatDate("2026-03-01")).toBe("1 мар. 2026");
    expect(formatDateTime("2026-03-01T09:05")).toBe("1 мар. 2026 г., 09:05");
    await i18next.changeLanguage("en");
    expect(formatDate("2026-03-01")).toBe("Mar 1, 2026");
    expect(formatDate("")).toBe("");
    expect(formatDateTime("")).toBe("");
  });
});
