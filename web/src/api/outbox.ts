/**
 * Messages on their way to the server. Each lives under its `client_id` from the moment of Enter until the stored
 * one takes its place; one conversation sends one at a time, in order. Survives the closing of the page.
 */
import { createStore } from "@/lib/store";
import { ApiError } from "./http";
import { type Draft, sendMessage } from "./messages";
import type { Attachment, Entity, Message } from "./types";

export interface PendingMessage {
  client_id: string;
  conversation_id: string;
  kind: "text" | "note";
  text: string;
  entities?: Entity[];
  attachments: Attachment[];
  reply_to: Message["reply_to"];
  created_at: string;
  state: "waiting" | "sending" | "failed";
  error: { code: string; text: string } | null;
}

const RETRY_MS = [1_000, 3_000, 8_000];

export interface OutboxPorts {
  /** Where it is kept; one key per person, so that nobody sends another's words. */
  key: string;
  stored: (message: Message) => void;
  send?: (conversation: string, draft: Draft) => Promise<Message>;
  storage?: Pick<Storage, "getItem" | "setItem">;
  wait?: (ms: number) => Promise<void>;
}

export class Outbox {
  readonly store = createStore<PendingMessage[]>([]);
  private busy = new Set<string>();
  private isClosed = false;

  constructor(private readonly ports: OutboxPorts) {
    this.store.set(this.load());
    this.store.subscribe(() => this.save());
  }

  /** Sends again what a reload or a lost network interrupted; repeats cost nothing. */
  resume(): void {
    this.isClosed = false;
    this.store.set((items) =>
      items.map((item) =>
        item.error?.code === "network" ? { ...item, state: "waiting", error: null } : item,
      ),
    );
    for (const conversation of new Set(this.store.get().map((item) => item.conversation_id))) {
      void this.drain(conversation);
    }
  }

  /** Messages that another page had left. */
  takeOver(items: PendingMessage[]): void {
    const known = new Set(this.store.get().map((item) => item.client_id));
    const fresh = items.filter((item) => !known.has(item.client_id)).map(asWaiting);
    if (fresh.length === 0) return;
    this.store.set((all) => [...fresh, ...all]);
    this.resume();
  }

  add(message: Omit<PendingMessage, "state" | "error" | "created_at">): void {
    const made: PendingMessage = {
      ...message,
      created_at: new Date().toISOString(),
      state: "waiting",
      error: null,
    };
    this.store.set((items) => [...items, made]);
    void this.drain(message.conversation_id);
  }

  retry(clientId: string): void {
    const found = this.find(clientId);
    if (!found) return;
    this.change(clientId, { state: "waiting", error: null });
    void this.drain(found.conversation_id);
  }

  discard(clientId: string): void {
    this.store.set((items) => items.filter((item) => item.client_id !== clientId));
  }

  close(): void {
    this.isClosed = true;
  }

  private async drain(conversation: string): Promise<void> {
    if (this.busy.has(conversation)) return;
    this.busy.add(conversation);
    try {
      for (;;) {
        const next = this.store
          .get()
          .find((item) => item.conversation_id === conversation && item.state === "waiting");
        if (!next || this.isClosed) return;
        if (!(await this.deliver(next))) return;
      }
    } finally {
      this.busy.delete(conversation);
    }
  }

  /** False: there is no network, nothing more can be sent now. */
  private async deliver(given: PendingMessage): Promise<boolean> {
    let item = given;
    this.change(item.client_id, { state: "sending" });
    for (let attempt = 0; ; attempt += 1) {
      try {
        const message = await (this.ports.send ?? sendMessage)(item.conversation_id, toDraft(item));
        this.ports.stored(message);
        this.discard(item.client_id);
        return true;
      } catch (error) {
        const known = error instanceof ApiError ? error : new ApiError(0, "unexpected", String(error));
        if (known.code === "bad_quote" && item.reply_to?.quote) {
          // The words were changed meanwhile: a reply to the whole is better than none.
          item = { ...item, reply_to: { ...item.reply_to, quote: null } };
          this.change(item.client_id, { reply_to: item.reply_to });
          continue;
        }
        const delay = RETRY_MS[attempt];
        if (!known.isTemporary || delay === undefined) {
          // Without a network it waits for one, and those behind it with it; what was refused is said.
          const state = known.code === "network" ? "waiting" : "failed";
          this.change(item.client_id, { state, error: { code: known.code, text: known.message } });
          return state === "failed";
        }
        await (this.ports.wait ?? pause)(delay);
        if (this.isClosed || !this.find(item.client_id)) return true;
      }
    }
  }

  private find(clientId: string): PendingMessage | undefined {
    return this.store.get().find((item) => item.client_id === clientId);
  }

  private change(clientId: string, patch: Partial<PendingMessage>): void {
    this.store.set((items) =>
      items.map((item) => (item.client_id === clientId ? { ...item, ...patch } : item)),
    );
  }

  private load(): PendingMessage[] {
    try {
      const items = JSON.parse(this.storage().getItem(this.ports.key) ?? "[]") as PendingMessage[];
      return items.map(asWaiting);
    } catch {
      return [];
    }
  }

  private save(): void {
    try {
      this.storage().setItem(this.ports.key, JSON.stringify(this.store.get()));
    } catch {
      // A full or forbidden storage costs the survival of a reload, not the message.
    }
  }

  private storage(): Pick<Storage, "getItem" | "setItem"> {
    return this.ports.storage ?? sessionStorage;
  }
}

const asWaiting = (item: PendingMessage): PendingMessage =>
  item.state === "sending" ? { ...item, state: "waiting" } : item;

function toDraft(item: PendingMessage): Draft {
  return {
    client_id: item.client_id,
    kind: item.kind,
    text: item.text,
    ...(item.entities?.length ? { entities: item.entities } : {}),
    ...(item.attachments.length > 0 ? { media_ids: item.attachments.map((a) => a.media_id) } : {}),
    ...(item.reply_to ? { reply_to: item.reply_to.id } : {}),
    ...(item.reply_to?.quote ? { quote: item.reply_to.quote } : {}),
  };
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
