import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { GAP_MS, StreamReader } from "@/api/stream";
import type { Cursor, StreamFrame } from "@/api/types";

const event = (number: number): StreamFrame => ({
  type: "event",
  stream: "cnv_1",
  number,
  tag: number * 10,
  kind: "conversation.renamed",
  at: "",
  actor_id: null,
  data: { title: String(number) },
});
const skip = (from: number, to: number): StreamFrame => ({
  type: "skip",
  stream: "cnv_1",
  from,
  to,
  tag: to * 10,
});

describe("a reader of a stream", () => {
  let applied: StreamFrame[];
  let resumed: Cursor[];
  let reader: StreamReader;
  beforeEach(() => {
    vi.useFakeTimers();
    applied = [];
    resumed = [];
    reader = new StreamReader(
      { number: 5, tag: 50 },
      { apply: (f) => applied.push(f), resume: (c) => resumed.push(c) },
    );
  });
  afterEach(() => vi.useRealTimers());
  const numbers = () =>
    applied.map((frame) => (frame.type === "skip" ? [frame.from, frame.to] : frame.number));

  it("takes the next one and drops what it has", () => {
    for (const frame of [event(4), event(5), event(6), event(6), event(7), event(3)]) reader.take(frame);
    expect(numbers()).toEqual([6, 7]);
    expect(reader.cursor).toEqual({ number: 7, tag: 70 });
  });

  it("puts frames that came out of order in order", () => {
    for (const frame of [event(8), event(7), event(6)]) reader.take(frame);
    expect(numbers()).toEqual([6, 7, 8]);
    vi.advanceTimersByTime(GAP_MS * 2);
    expect(resumed).toEqual([]);
  });

  it("asks again from its cursor when a gap does not close", () => {
    reader.take(event(6));
    reader.take(event(9));
    vi.advanceTimersByTime(GAP_MS - 1);
    expect(resumed).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(resumed).toEqual([{ number: 6, tag: 60 }]);
    for (const frame of [event(7), event(8), event(9)]) reader.take(frame);
    expect(numbers()).toEqual([6, 7, 8, 9]);
  });

  it("goes over skipped numbers, also when they overlap what it has", () => {
    reader.take(skip(4, 7));
    reader.take(event(8));
    expect(numbers()).toEqual([[4, 7], 8]);
    expect(reader.cursor).toEqual({ number: 8, tag: 80 });
  });

  it("holds a skip that comes too early", () => {
    reader.take(skip(7, 9));
    expect(applied).toEqual([]);
    reader.take(event(6));
    expect(reader.cursor.number).toBe(9);
  });

  it("forgets what it held when it is moved", () => {
    reader.take(event(9));
    reader.moveTo({ number: 20, tag: 1 });
    vi.advanceTimersByTime(GAP_MS * 2);
    expect(resumed).toEqual([]);
    reader.take(event(21));
    expect(numbers()).toEqual([21]);
  });
});
