/**
 * The one socket of this tab: says hello with the access token, renews it, follows the open conversation and the
 * personal stream by cursors, and comes back by itself. It hands frames on in order; what they change is
 * `patches.ts`, where they are kept is `sync.ts`.
 */
import { Pace } from "./pace";
import { StreamReader } from "./stream";
import type { Cursor, ServerFrame, SignalFrame, StreamFrame } from "./types";

const BACKOFF_MS = [1_000, 2_000, 4_000, 8_000, 16_000];
/** Proves the line alive, and finds a dead one that the network does not report. */
const PING_MS = 25_000;
const ANSWER_MS = 10_000;
/** The server takes 120 commands a minute, and closes at more; the first 500 `watch` of a connection are free. */
const FREE_WATCHES = 500;
const PACE = { burst: 30, everyMs: 1_200 };
/** The close code of a socket whose token expired or was revoked. */
const UNAUTHENTICATED = 4001;
/** A short absence is nobody's business. */
const AWAY_MS = 2_000;

export type ConnectionState = "connected" | "connecting" | "away";

export interface RealtimePorts {
  /** An access token that still holds; a new one when the last was refused. */
  token: (wasRefused: boolean) => Promise<string | null>;
  openSocket: () => WebSocket;
  apply: (stream: string, frame: StreamFrame) => void;
  /** The stream cannot be continued: read a snapshot and give its cursor to `watch`. */
  reset: (stream: string) => void;
  gone: (stream: string) => void;
  touched: (conversation: string) => void;
  signal: (frame: SignalFrame) => void;
  /** Connected again (or for the first time): lists catch up. */
  ready: (isFirst: boolean) => void;
  state: (state: ConnectionState) => void;
}

type Answer = { ok: true; data: Record<string, unknown> } | { ok: false; code: string };

export class Realtime {
  private socket: WebSocket | null = null;
  private isReady = false;
  private isStopped = true;
  private wasReady = false;
  private wasRefused = false;
  private attempt = 0;
  private nextId = 1;
  private pending = new Map<number, (answer: Answer) => void>();
  private readers = new Map<string, StreamReader>();
  private personal: StreamReader | null = null;
  private freeWatches = FREE_WATCHES;
  private pace = new Pace(PACE.burst, PACE.everyMs);
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private awayTimer: ReturnType<typeof setTimeout> | undefined;
  private pingTimer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly ports: RealtimePorts) {}

  start(): void {
    if (!this.isStopped) return;
    this.isStopped = false;
    window.addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.hurry);
    this.goAway();
    void this.connect();
  }

  stop(): void {
    this.isStopped = true;
    window.removeEventListener("online", this.hurry);
    document.removeEventListener("visibilitychange", this.hurry);
    clearTimeout(this.retryTimer);
    clearTimeout(this.awayTimer);
    this.awayTimer = undefined;
    for (const reader of this.readers.values()) reader.close();
    this.personal?.close();
    this.readers.clear();
    this.personal = null;
    this.wasReady = false;
    this.drop();
  }

  /** Follows a conversation from what has been applied; `unwatch` ends it. Survives reconnects. */
  watch(stream: string, cursor: Cursor): void {
    const known = this.readers.get(stream);
    if (known) known.moveTo(cursor);
    else
      this.readers.set(
        stream,
        this.makeReader(stream, cursor, () => this.sendWatch(stream)),
      );
    this.sendWatch(stream);
  }

  /** As `watch`, but a stream that is followed from there or from earlier goes on undisturbed. */
  keepWatching(stream: string, cursor: Cursor): void {
    const known = this.readers.get(stream);
    if (!known || known.cursor.number > cursor.number) this.watch(stream, cursor);
  }

  unwatch(stream: string): void {
    const reader = this.readers.get(stream);
    if (!reader) return;
    reader.close();
    this.readers.delete(stream);
    if (!this.isReady) return;
    this.inTurn(this.pace.take(), () => {
      if (!this.readers.has(stream)) void this.call({ do: "unwatch", conversation_id: stream });
    });
  }

  sendTyping(conversation: string, isOn: boolean): void {
    if (this.isReady) void this.call({ do: "typing", conversation_id: conversation, is_on: isOn });
  }

  /** The data of the answer; undefined when there is none, or no line. */
  async watchPresence(actor_ids: string[]): Promise<unknown> {
    if (!this.isReady) return undefined;
    const answer = await this.call({ do: "presence.watch", actor_ids });
    return answer.ok ? answer.data : undefined;
  }

  renew(token: string): void {
    if (this.isReady) void this.call({ do: "renew", token });
  }

  private makeReader(stream: string, cursor: Cursor, resume: () => void): StreamReader {
    return new StreamReader(cursor, { apply: (frame) => this.ports.apply(stream, frame), resume });
  }

  private async connect(): Promise<void> {
    clearTimeout(this.retryTimer);
    if (this.isStopped || this.socket) return;
    const token = await this.ports.token(this.wasRefused);
    if (this.isStopped || this.socket) return;
    if (!token) return this.retryLater();
    const socket = this.ports.openSocket();
    this.socket = socket;
    socket.onopen = () => void this.greet(socket, token);
    socket.onmessage = (event) => this.receive(JSON.parse(String(event.data)) as ServerFrame);
    socket.onclose = (event) => {
      this.wasRefused ||= event.code === UNAUTHENTICATED;
      this.lose(socket);
    };
    socket.onerror = () => this.lose(socket);
  }

  private async greet(socket: WebSocket, token: string): Promise<void> {
    const personal = this.personal?.cursor;
    const answer = await this.call({ do: "hello", token, ...(personal ? { personal } : {}) });
    if (socket !== this.socket) return;
    this.wasRefused = !answer.ok && answer.code === "unauthenticated";
    if (!answer.ok) return this.lose(socket);
    const { actor_id, personal: head } = answer.data as { actor_id: string; personal: Cursor };
    this.personal ??= this.makeReader(actor_id, head, () => this.reconnect());
    this.isReady = true;
    this.freeWatches = FREE_WATCHES;
    this.pace = new Pace(PACE.burst, PACE.everyMs);
    this.attempt = 0;
    clearTimeout(this.awayTimer);
    this.awayTimer = undefined;
    this.ports.state("connected");
    this.pingTimer = setInterval(() => void this.ping(), PING_MS);
    void this.call({ do: "watch_inboxes" });
    for (const stream of this.readers.keys()) this.sendWatch(stream);
    this.ports.ready(!this.wasReady);
    this.wasReady = true;
  }

  private sendWatch(stream: string): void {
    const reader = this.readers.get(stream);
    if (!reader || !this.isReady) return;
    this.freeWatches -= 1;
    this.inTurn(this.freeWatches >= 0 ? 0 : this.pace.take(), () => this.askToWatch(stream, reader));
  }

  /** Does it after a wait, on the same connection or not at all: a new one asks for everything anew. */
  private inTurn(waitMs: number, job: () => void): void {
    const { socket } = this;
    if (waitMs === 0) job();
    else setTimeout(() => this.isReady && this.socket === socket && job(), waitMs);
  }

  private askToWatch(stream: string, reader: StreamReader): void {
    if (this.readers.get(stream) !== reader) return;
    const command = { do: "watch", conversation_id: stream, cursor: reader.cursor };
    void this.call(command).then((answer) => {
      if (answer.ok || this.readers.get(stream) !== reader) return;
      if (answer.code === "reset") this.ports.reset(stream);
      else if (answer.code === "not_found" || answer.code === "forbidden") this.lostRight(stream);
    });
  }

  private receive(frame: ServerFrame): void {
    switch (frame.type) {
      case "answer":
        this.settle(
          frame.id,
          frame.ok ? { ok: true, data: frame.data } : { ok: false, code: frame.error.code },
        );
        return;
      case "event":
      case "skip":
        this.readerOf(frame.stream)?.take(frame);
        return;
      case "reset":
        // One that is watched no more is nobody's business, and no reason to move in another.
        if (!this.readerOf(frame.stream)) return;
        if (frame.stream.startsWith("act_")) this.personal?.moveTo(frame.head);
        this.ports.reset(frame.stream);
        return;
      case "gone":
        this.lostRight(frame.stream);
        return;
      case "touched":
        this.ports.touched(frame.conversation_id);
        return;
      case "signal":
        this.ports.signal(frame);
        return;
      case "resync":
        this.reconnect();
    }
  }

  private readerOf(stream: string): StreamReader | null {
    return this.readers.get(stream) ?? (stream.startsWith("act_") ? this.personal : null);
  }

  private lostRight(stream: string): void {
    this.readers.get(stream)?.close();
    this.readers.delete(stream);
    this.ports.gone(stream);
  }

  private call(command: Record<string, unknown>): Promise<Answer> {
    const { socket } = this;
    if (socket?.readyState !== WebSocket.OPEN) return Promise.resolve({ ok: false, code: "closed" });
    const id = this.nextId++;
    socket.send(JSON.stringify({ id, ...command }));
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.settle(id, { ok: false, code: "timeout" }), ANSWER_MS);
      this.pending.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
  }

  private settle(id: number, answer: Answer): void {
    const resolve = this.pending.get(id);
    this.pending.delete(id);
    resolve?.(answer);
  }

  private async ping(): Promise<void> {
    const { socket } = this;
    const answer = await this.call({ do: "ping" });
    if (!answer.ok && socket && socket === this.socket) this.lose(socket);
  }

  private reconnect(): void {
    if (this.socket) this.lose(this.socket);
  }

  private lose(socket: WebSocket): void {
    if (socket !== this.socket) return;
    this.drop();
    if (this.isStopped) return;
    this.goAway();
    this.retryLater();
  }

  private drop(): void {
    const { socket } = this;
    this.socket = null;
    this.isReady = false;
    clearInterval(this.pingTimer);
    for (const id of [...this.pending.keys()]) this.settle(id, { ok: false, code: "closed" });
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
  }

  private retryLater(): void {
    const delay = BACKOFF_MS[Math.min(this.attempt, BACKOFF_MS.length - 1)] ?? 16_000;
    this.attempt += 1;
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => void this.connect(), delay * (0.5 + Math.random() / 2));
  }

  /** The network or the person is back: no reason to wait. A line that looks open is asked at once. */
  private hurry = (): void => {
    if (document.visibilityState === "hidden") return;
    if (this.isReady) void this.ping();
    else void this.connect();
  };

  private goAway(): void {
    if (this.awayTimer !== undefined) return;
    this.ports.state("connecting");
    this.awayTimer = setTimeout(() => this.ports.state("away"), AWAY_MS);
  }
}
