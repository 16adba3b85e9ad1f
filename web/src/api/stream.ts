/**
 * One stream as this tab follows it: takes number == last + 1, drops what it has, and on a gap waits a moment for
 * reordering before it asks the server to fill in from the cursor. Owns order, knows nothing of sockets or caches.
 */
import { cursorOf } from "./patches";
import type { Cursor, StreamFrame } from "./types";

/** How long a gap may close by itself. The gateway reorders within 30 ms; this covers a slow line. */
export const GAP_MS = 500;

export interface StreamPorts {
  /** Called in order, once per number, without holes. */
  apply: (frame: StreamFrame) => void;
  /** The hole did not close: ask again from this cursor. */
  resume: (cursor: Cursor) => void;
}

export class StreamReader {
  private waiting = new Map<number, StreamFrame>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    public cursor: Cursor,
    private readonly ports: StreamPorts,
  ) {}

  take(frame: StreamFrame): void {
    const first = frame.type === "skip" ? frame.from : frame.number;
    const last = cursorOf(frame).number;
    if (last <= this.cursor.number) return;
    if (first > this.cursor.number + 1) {
      this.waiting.set(first, frame);
      this.timer ??= setTimeout(() => this.giveUp(), GAP_MS);
      return;
    }
    this.advance(frame);
    this.drain();
  }

  /** Starts again from another place, after a reset. */
  moveTo(cursor: Cursor): void {
    this.close();
    this.cursor = cursor;
  }

  close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.waiting.clear();
  }

  private advance(frame: StreamFrame): void {
    this.cursor = cursorOf(frame);
    this.ports.apply(frame);
  }

  private drain(): void {
    for (const [first, frame] of [...this.waiting].sort(([a], [b]) => a - b)) {
      if (first > this.cursor.number + 1) break;
      this.waiting.delete(first);
      if (cursorOf(frame).number > this.cursor.number) this.advance(frame);
    }
    if (this.waiting.size === 0) {
      clearTimeout(this.timer);
      this.timer = undefined;
    }
  }

  private giveUp(): void {
    this.timer = undefined;
    this.waiting.clear();
    this.ports.resume(this.cursor);
  }
}
