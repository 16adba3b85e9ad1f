/**
 * Where a tab keeps what it has not sent yet. Each page has its own place; what a closed page left behind is taken
 * over by the next one, as soon as the closed one has let go of the lock that an open page holds.
 */
import type { Outbox, PendingMessage } from "./outbox";

const PREFIX = "parley.outbox.";

export interface OutboxHome {
  key: string;
  storage: Pick<Storage, "getItem" | "setItem">;
  /** Takes over what pages of this person left or will leave: at once, or as soon as they are closed. */
  adopt: (outbox: Outbox) => void;
  /** This page takes over no more, and what it keeps itself is for others. */
  leave: () => void;
}

export function makeOutboxHome(me: string): OutboxHome {
  if (!("locks" in navigator)) {
    return {
      key: `${PREFIX}${me}`,
      storage: sessionStorage,
      adopt: () => undefined,
      leave: () => undefined,
    };
  }
  const mine = `${PREFIX}${me}.`;
  const key = `${mine}${crypto.randomUUID()}`;
  let stay = new AbortController();
  /** Held until the page is gone, or its person. */
  const hold = (signal: AbortSignal) =>
    new Promise<void>((isHeld) => {
      void navigator.locks.request(key, () => {
        isHeld();
        if (signal.aborted) return undefined;
        return new Promise<void>((release) => signal.addEventListener("abort", () => release()));
      });
    });
  const takeOver = async (other: string, outbox: Outbox, signal: AbortSignal) => {
    try {
      await navigator.locks.request(other, { signal }, () => {
        if (!signal.aborted) outbox.takeOver(readLeft(other));
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  };
  return {
    key,
    storage: localStorage,
    adopt: (outbox) => {
      stay = new AbortController();
      const { signal } = stay;
      void hold(signal).then(() => {
        for (const other of Object.keys(localStorage)) {
          if (other.startsWith(mine) && other !== key) void takeOver(other, outbox, signal);
        }
      });
    },
    leave: () => stay.abort(),
  };
}

/** What a closed page left, taken out of its place. A message sent twice is stored once. */
function readLeft(key: string): PendingMessage[] {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "[]") as PendingMessage[];
  } catch {
    return [];
  } finally {
    localStorage.removeItem(key);
  }
}
