import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Realtime, type RealtimePorts } from "@/api/realtime";

type Sent = { id: number; do: string; [key: string]: unknown };

class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 0;
  sent: Sent[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  constructor() {
    FakeSocket.all.push(this);
  }
  send(text: string) {
    this.sent.push(JSON.parse(text) as Sent);
  }
  close() {
    this.readyState = 3;
  }
  open() {
    this.readyState = 1;
    this.onopen?.();
  }
  say(frame: unknown) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  answer(verb: string, data: unknown) {
    const command = this.sent.findLast((one) => one.do === verb);
    this.say({ type: "answer", id: command?.id, ok: true, data });
  }
  refuse(verb: string, code: string) {
    const command = this.sent.findLast((one) => one.do === verb);
    this.say({ type: "answer", id: command?.id, ok: false, error: { code, message: "", fields: {} } });
  }
}

const settle = async () => {
  for (let i = 0; i < 8; i += 1) await Promise.resolve();
};
const last = () => FakeSocket.all.at(-1) as FakeSocket;

describe("the socket of a tab", () => {
  let ports: { [K in keyof RealtimePorts]: ReturnType<typeof vi.fn> };
  let realtime: Realtime;
  beforeEach(() => {
    vi.useFakeTimers();
    FakeSocket.all = [];
    ports = {
      token: vi.fn(async () => "token"),
      openSocket: vi.fn(() => new FakeSocket()),
      apply: vi.fn(),
      reset: vi.fn(),
      gone: vi.fn(),
      touched: vi.fn(),
      signal: vi.fn(),
      ready: vi.fn(),
      state: vi.fn(),
    };
    realtime = new Realtime(ports as unknown as RealtimePorts);
  });
  afterEach(() => {
    realtime.stop();
    vi.useRealTimers();
  });
  const connect = async () => {
    await settle();
    last().open();
    await settle();
    last().answer("hello", { actor_id: "act_1", personal: { number: 3, tag: 9 } });
    await settle();
  };

  it("says hello first, then follows inboxes and what is open", async () => {
    realtime.start();
    realtime.watch("cnv_1", { number: 4, tag: 1 });
    await connect();
    expect(last().sent.map((one) => one.do)).toEqual(["hello", "watch_inboxes", "watch"]);
    expect(last().sent[2]).toMatchObject({ conversation_id: "cnv_1", cursor: { number: 4, tag: 1 } });
    expect(ports.ready).toHaveBeenCalledWith(true);
  });

  it("comes back with the cursor of what was applied", async () => {
    realtime.start();
    realtime.watch("cnv_1", { number: 4, tag: 1 });
    await connect();
    last().say({
      type: "event",
      stream: "cnv_1",
      number: 5,
      tag: 77,
      kind: "member.left",
      at: "",
      actor_id: null,
      data: {},
    });
    last().onclose?.({ code: 1006 });
    await vi.advanceTimersByTimeAsync(1_000);
    await connect();
    expect(FakeSocket.all).toHaveLength(2);
    expect(last().sent[0]).toMatchObject({ do: "hello", personal: { number: 3, tag: 9 } });
    expect(last().sent.find((one) => one.do === "watch")).toMatchObject({ cursor: { number: 5, tag: 77 } });
    expect(ports.ready).toHaveBeenLastCalledWith(false);
  });

  it("waits longer each time and says it is away only after two seconds", async () => {
    realtime.start();
    await connect();
    ports.state.mockClear();
    const waits: number[] = [];
    last().onclose?.({ code: 1006 });
    expect(ports.state).toHaveBeenLastCalledWith("connecting");
    await vi.advanceTimersByTimeAsync(1_900);
    expect(ports.state).not.toHaveBeenCalledWith("away");
    await vi.advanceTimersByTimeAsync(200);
    expect(ports.state).toHaveBeenCalledWith("away");
    for (let i = 0; i < 5; i += 1) {
      const count = FakeSocket.all.length;
      last().onclose?.({ code: 1006 });
      let waited = 0;
      while (FakeSocket.all.length === count && waited < 20_000) {
        await vi.advanceTimersByTimeAsync(100);
        waited += 100;
      }
      waits.push(waited);
    }
    expect(ports.state).toHaveBeenLastCalledWith("away");
    expect(Math.max(...waits)).toBeLessThanOrEqual(16_100);
    expect(waits.at(-1)).toBeGreaterThan(waits[0] ?? 0);
  });

  it("asks for a snapshot when a stream is reset, by frame or by answer", async () => {
    realtime.start();
    realtime.watch("cnv_1", { number: 4, tag: 1 });
    await connect();
    last().refuse("watch", "reset");
    await settle();
    expect(ports.reset).toHaveBeenCalledWith("cnv_1");
    last().say({ type: "reset", stream: "cnv_1", head: { number: 90, tag: 2 } });
    expect(ports.reset).toHaveBeenCalledTimes(2);
  });

  it("moves the personal stream by its own reset alone", async () => {
    realtime.start();
    await connect();
    last().say({ type: "reset", stream: "cnv_1", head: { number: 90, tag: 2 } });
    expect(ports.reset).not.toHaveBeenCalled();
    last().onclose?.({ code: 1006 });
    await vi.advanceTimersByTimeAsync(1_000);
    await connect();
    expect(last().sent[0]).toMatchObject({ do: "hello", personal: { number: 3, tag: 9 } });
    last().say({ type: "reset", stream: "act_1", head: { number: 91, tag: 3 } });
    expect(ports.reset).toHaveBeenCalledWith("act_1");
    last().onclose?.({ code: 1006 });
    await vi.advanceTimersByTimeAsync(1_000);
    await connect();
    expect(last().sent[0]).toMatchObject({ do: "hello", personal: { number: 91, tag: 3 } });
  });

  it("gives up a stream that is gone", async () => {
    realtime.start();
    realtime.watch("cnv_1", { number: 4, tag: 1 });
    await connect();
    last().say({ type: "gone", stream: "cnv_1" });
    expect(ports.gone).toHaveBeenCalledWith("cnv_1");
    last().say({
      type: "event",
      stream: "cnv_1",
      number: 5,
      tag: 1,
      kind: "member.left",
      at: "",
      actor_id: null,
      data: {},
    });
    expect(ports.apply).not.toHaveBeenCalled();
  });

  it("renews its token without a new connection", async () => {
    realtime.start();
    await connect();
    realtime.renew("fresh");
    expect(last().sent.at(-1)).toMatchObject({ do: "renew", token: "fresh" });
    expect(FakeSocket.all).toHaveLength(1);
  });

  it("asks for a new token when the old one was refused", async () => {
    realtime.start();
    await connect();
    expect(ports.token).toHaveBeenLastCalledWith(false);
    last().onclose?.({ code: 4001 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(ports.token).toHaveBeenLastCalledWith(true);
    await connect();
    last().onclose?.({ code: 1006 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(ports.token).toHaveBeenLastCalledWith(false);
  });

  it("reconnects when the server says resync", async () => {
    realtime.start();
    await connect();
    last().say({ type: "resync" });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("does not wait when the network comes back", async () => {
    realtime.start();
    await connect();
    last().onclose?.({ code: 1006 });
    window.dispatchEvent(new Event("online"));
    await settle();
    expect(FakeSocket.all).toHaveLength(2);
  });
});
