/** More chats than are followed live: what a person sees of the others. */
import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { chatKeys } from "@/api/chat-cache";
import { ChatSync } from "@/api/chat-sync";
import { Pace } from "@/api/pace";
import { Sync } from "@/api/sync";
import type { Chat } from "@/api/types";

const MOST = 3;
/** The server's side: chats by the minute they were spoken in last. */
let minutes: Record<string, number>;

const answer = (id: string) => {
  const said = `2026-01-01T10:${String(minutes[id]).padStart(2, "0")}:00Z`;
  return {
    id,
    kind: "group",
    title: id,
    peer: null,
    my: { mentions: 0, muted_until: null, is_archived: false, is_pinned: false },
    last_message: { id: `msg_${id}`, created_at: said, text: said },
    created_at: said,
    unread: minutes[id],
    head: { number: minutes[id], tag: 1 },
  };
};

const respond = async (path: string): Promise<Response> => {
  const url = new URL(path, "http://parley");
  const one = url.pathname.match(/^\/v1\/conversations\/(\w+)$/)?.[1];
  if (one) return Response.json(answer(one));
  const all = Object.keys(minutes).sort((a, b) => (minutes[b] ?? 0) - (minutes[a] ?? 0));
  const from = Number(url.searchParams.get("cursor") ?? 0);
  const shown = url.searchParams.get("archived") === "true" ? [] : all.slice(from, from + 2);
  return Response.json({ items: shown.map(answer), next: from + 2 < all.length ? String(from + 2) : null });
};

describe("chats beyond those that are followed", () => {
  const client = new QueryClient();
  const watched = new Set<string>();
  let chats: ChatSync;
  const listed = () => client.getQueryData<Chat[]>(chatKeys.list) ?? [];
  beforeEach(async () => {
    vi.useFakeTimers();
    vi.stubGlobal("fetch", respond);
    minutes = { a: 9, b: 8, c: 7, d: 6, e: 5, f: 4, g: 3 };
    client.clear();
    watched.clear();
    const ports = {
      watch: (id: string) => void watched.add(id),
      keepWatching: (id: string) => void watched.add(id),
      unwatch: (id: string) => void watched.delete(id),
      isOpen: (id: string) => id === "c",
      lose: () => undefined,
      present: () => undefined,
    };
    chats = new ChatSync(client, "act_me", ports, MOST);
    client.setQueryData(chatKeys.list, await chats.load());
    await vi.waitFor(() => expect(listed()).toHaveLength(7));
  });
  afterEach(() => {
    chats.stop();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("are all listed and counted, and the liveliest are live", () => {
    expect(listed().map((chat) => chat.id)).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
    expect([...watched]).toEqual(["a", "b", "c"]);
  });

  it("rise with their count when something was said, and are live then, in the place of a silent one", async () => {
    minutes.g = 30;
    minutes.f = 31;
    await vi.advanceTimersByTimeAsync(20_000);
    await vi.waitFor(() => {
      expect(listed().map(({ id, unread }) => [id, unread])[0]).toEqual(["f", 31]);
      expect(listed()[1]?.id).toBe("g");
      // the open one stays, however silent
      expect([...watched].sort()).toEqual(["c", "f", "g"]);
    });
  });

  it("are live once they are opened", async () => {
    await chats.noteOpen("g");
    expect(watched.has("g")).toBe(true);
    expect(watched.size).toBe(MOST);
  });

  it("are asked for no more when it is over, whatever was under way", async () => {
    const asked = vi.fn();
    vi.stubGlobal("fetch", (path: string) => {
      asked(path);
      return path.includes("/a") ? Promise.reject(new TypeError("no network")) : respond(path);
    });
    const underWay = [chats.sweep(), chats.readAgain("a")];
    chats.stop();
    await Promise.all(underWay);
    expect(asked).toHaveBeenCalled();
    asked.mockClear();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).not.toHaveBeenCalled();
  });
});

it("a thread that could not be read again is given up when the session ends", async () => {
  vi.useFakeTimers();
  const asked = vi.fn((_path: string) => Promise.reject(new TypeError("no network")));
  vi.stubGlobal("fetch", asked);
  const sync = new Sync(new QueryClient(), "act_me");
  const readAgain = (sync as unknown as { readAgain: (stream: string) => Promise<void> }).readAgain.bind(
    sync,
  );
  await readAgain("cnv_1");
  await vi.advanceTimersByTimeAsync(5_000);
  expect(asked.mock.calls.length).toBeGreaterThan(1);
  sync.stop();
  await vi.advanceTimersByTimeAsync(5_000);
  asked.mockClear();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).not.toHaveBeenCalled();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("commands come as fast as they are let, and then one after another", () => {
  let now = 0;
  const pace = new Pace(2, 1_000, () => now);
  expect([pace.take(), pace.take(), pace.take(), pace.take()]).toEqual([0, 0, 1_000, 2_000]);
  now = 10_000;
  expect(pace.take()).toBe(0);
});
