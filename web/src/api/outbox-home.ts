/**
 * Where a tab keeps what it has not sent yet. Each page has its own place; what a closed page left behind is taken
 * over by the next one. A page is known to be open by the lock it holds.
 */
import type { Outbox, PendingMessage } from "./outbox";

const PREFIX = "parley.outbox.";

export interface OutboxHome {
  key: string;
  storage: Pick<Storage, "getItem" | "setItem">;
  /** Takes over what closed pages of this person left. */
  adopt: (outbox: Outbox) => Promise<void>;
}

export function makeOutboxHome(me: string): OutboxHome {
  if (!("locks" in navigator)) {
    return { key: `${PREFIX}${me}`, storage: sessionStorage, adopt: async () => undefined };
  }
  const mine = `${PREFIX}${me}.`;
  const key = `${mine}${crypto.randomUUID()}`;
  const isHeld = new Promise<void>((resolve) => {
    // Held until the page is gone.
    void navigator.locks.request(key, () => {
      resolve();
      return new Promise(() => undefined);
    });
  });
  return {
    key,
    storage: localStorage,
    adopt: async (outbox) => {
      await isHeld;
      for (const other of Object.keys(localStorage)) {
        if (!other.startsWith(mine) || other === key) continue;
        await navigator.locks.request(other, { ifAvailable: true }, async (lock) => {
          if (lock) outbox.takeOver(readLeft(other));
        });
      }
    },
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
