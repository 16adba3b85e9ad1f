import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "@/api/http";
import type { Draft } from "@/api/messages";
import { Outbox } from "@/api/outbox";
import { makeOutboxHome } from "@/api/outbox-home";
import type { Message } from "@/api/types";

function memory(): Pick<Storage, "getItem" | "setItem"> & { kept: Map<string, string> } {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
  };
}

const stored = (draft: Draft) => ({ id: `msg_${draft.client_id}`, client_id: draft.client_id }) as Message;
const pending = (client_id: string, conversation_id = "cnv_1") => ({
  client_id,
  conversation_id,
  kind: "text" as const,
  text: client_id,
  attachments: [],
  reply_to: null,
});
const settle = () => new Promise((resolve) => setTimeout(resolve));

describe("the outbox", () => {
  it("answers the whole message when the words it quotes are no longer there", async () => {
    const sent: Draft[] = [];
    const send = async (_: string, draft: Draft) => {
      sent.push(draft);
      if (draft.quote) throw new ApiError(422, "bad_quote", "");
      return stored(draft);
    };
    const outbox = new Outbox({ key: "k", stored: vi.fn(), send, storage: memory() });
    const reply_to = { id: "msg_1", sender_name: "Boris", text: "new words", quote: "old words" };
    outbox.add({ ...pending("a"), reply_to });
    await settle();
    expect(sent.map(({ reply_to, quote }) => [reply_to, quote])).toEqual([
      ["msg_1", "old words"],
      ["msg_1", undefined],
    ]);
    expect(outbox.store.get()).toEqual([]);
  });

  it("sends one after the other within a conversation, in order", async () => {
    const sent: string[] = [];
    const doors: (() => void)[] = [];
    const send = (_: string, draft: Draft) =>
      new Promise<Message>((resolve) => {
        sent.push(draft.client_id);
        doors.push(() => resolve(stored(draft)));
      });
    const outbox = new Outbox({ key: "k", stored: vi.fn(), send, storage: memory() });
    for (const id of ["a", "b", "c"]) outbox.add(pending(id));
    await settle();
    expect(sent).toEqual(["a"]);
    while (doors.length > 0) {
      doors.shift()?.();
      await settle();
    }
    expect(sent).toEqual(["a", "b", "c"]);
    expect(outbox.store.get()).toEqual([]);
  });

  it("repeats by itself with the same client_id when the network failed", async () => {
    const send = vi.fn<(c: string, d: Draft) => Promise<Message>>(async (_, draft) => stored(draft));
    send
      .mockRejectedValueOnce(new ApiError(0, "network", ""))
      .mockRejectedValueOnce(new ApiError(503, "unavailable", ""));
    const keep = vi.fn();
    const outbox = new Outbox({
      key: "k",
      stored: keep,
      send,
      storage: memory(),
      wait: async () => undefined,
    });
    outbox.add(pending("a"));
    await settle();
    expect(send.mock.calls.map(([, draft]) => draft.client_id)).toEqual(["a", "a", "a"]);
    expect(keep).toHaveBeenCalledOnce();
  });

  it("keeps what was refused, with the reason, until it is sent again", async () => {
    const send = vi.fn<(c: string, d: Draft) => Promise<Message>>(async (_, draft) => stored(draft));
    send.mockRejectedValueOnce(new ApiError(422, "malformed", "Too long."));
    const outbox = new Outbox({ key: "k", stored: vi.fn(), send, storage: memory() });
    outbox.add(pending("a"));
    await settle();
    expect(outbox.store.get()).toMatchObject([
      { state: "failed", error: { code: "malformed", text: "Too long." } },
    ]);
    outbox.retry("a");
    await settle();
    expect(outbox.store.get()).toEqual([]);
    expect(send.mock.calls[1]?.[1].client_id).toBe("a");
  });

  it("one conversation that fails does not hold another", async () => {
    const send = async (conversation: string, draft: Draft) => {
      if (conversation === "cnv_bad") throw new ApiError(403, "forbidden", "");
      return stored(draft);
    };
    const outbox = new Outbox({ key: "k", stored: vi.fn(), send, storage: memory() });
    outbox.add(pending("a", "cnv_bad"));
    outbox.add(pending("b", "cnv_good"));
    await settle();
    expect(outbox.store.get().map((item) => item.client_id)).toEqual(["a"]);
  });

  it("goes on after a reload with what was under way", async () => {
    const storage = memory();
    const first = new Outbox({
      key: "k",
      stored: vi.fn(),
      send: () => new Promise(() => undefined),
      storage,
    });
    first.add(pending("a"));
    await settle();
    const send = vi.fn(async (_: string, draft: Draft) => stored(draft));
    new Outbox({ key: "k", stored: vi.fn(), send, storage }).resume();
    await settle();
    expect(send.mock.calls[0]?.[1].client_id).toBe("a");
  });
});

/** As browsers have them: one holder of a name at a time, the others wait for it. */
function makeLocks() {
  const last = new Map<string, Promise<unknown>>();
  return {
    request(name: string, ...rest: unknown[]): Promise<unknown> {
      const job = rest.at(-1) as () => unknown;
      const turn = (last.get(name) ?? Promise.resolve()).then(job);
      last.set(name, turn);
      return turn;
    },
  };
}

describe("what a page has not sent when it is closed", () => {
  const send = vi.fn(async (_: string, draft: Draft) => stored(draft));
  const open = (sendHere = send) => {
    const home = makeOutboxHome("act_1");
    const outbox = new Outbox({ ...home, stored: vi.fn(), send: sendHere });
    home.adopt(outbox);
    return { home, outbox };
  };
  beforeEach(() => {
    localStorage.clear();
    send.mockClear();
    vi.stubGlobal("navigator", { locks: makeLocks() });
  });
  afterEach(() => vi.unstubAllGlobals());

  it("is sent by the next page, also when the closed one lets go of it only later", async () => {
    const first = open(vi.fn(() => new Promise<never>(() => undefined)));
    first.outbox.add(pending("a"));
    const second = open();
    await settle();
    expect(send).not.toHaveBeenCalled();
    first.outbox.close();
    first.home.leave();
    await settle();
    expect(send.mock.calls.map(([, draft]) => draft.client_id)).toEqual(["a"]);
    expect(second.outbox.store.get()).toEqual([]);
  });

  it("is not taken by a page whose person has left", async () => {
    const first = open(vi.fn(() => new Promise<never>(() => undefined)));
    first.outbox.add(pending("a"));
    const second = open();
    await settle();
    second.home.leave();
    first.home.leave();
    await settle();
    expect(send).not.toHaveBeenCalled();
    expect(localStorage.getItem(first.home.key)).toContain("a");
  });
});
