/** Joins the socket to the query cache: one per signed-in tab. Owns catch-up of lists, typing, connection state. */
import type { QueryClient } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { createStore } from "@/lib/store";
import { Turns } from "@/lib/turns";
import {
  changeConversation,
  changeThread,
  dropConversation,
  keepConversation,
  keys,
  type LoadedList,
} from "./cache";
import { chatKeys } from "./chat-cache";
import { ChatSync } from "./chat-sync";
import { getPeople } from "./chats";
import { getConversation, listChanges } from "./desk";
import { loadDrafts, noteLine, retellDrafts } from "./drafts";
import { ApiError } from "./http";
import { startKeeping } from "./kept";
import { listMessages, setReaction } from "./messages";
import { NameBook } from "./names";
import { Outbox } from "./outbox";
import { makeOutboxHome, type OutboxHome } from "./outbox-home";
import {
  countUnread,
  hideMessage,
  isPersonal,
  joinPage,
  moveReadPosition,
  patchConversation,
  patchThread,
  type Thread,
  trimThread,
  upsertMessage,
  withReaction,
} from "./patches";
import { type Presence, PresenceWatch } from "./presence";
import { type ConnectionState, Realtime } from "./realtime";
import { currentToken, onToken, refreshSession, tokenExpiresAt } from "./session";
import type { DeskConversation, Message, MessagePage, SignalFrame, StreamFrame } from "./types";

const COALESCE_MS = 150;
const COUNTS_MS = 800;
const TYPING_MS = 6_000;
const RESET_RETRY_MS = 2_000;
/** A token about to end is not worth a hello. */
const TOKEN_MARGIN_MS = 5_000;
/** Messages of a thread kept in the page; the far end is let go and read again on the way back. */
const WINDOW = 400;

export class Sync {
  readonly connection = createStore<ConnectionState>("connecting");
  /** Who types where: conversation -> actor -> when to stop believing it. */
  readonly typing = createStore<Record<string, Record<string, number>>>({});
  /** Conversations this person lost the right to see while looking. */
  readonly gone = createStore<ReadonlySet<string>>(new Set());
  readonly outbox: Outbox;
  readonly chats: ChatSync;
  readonly presence: PresenceWatch;
  readonly names = new NameBook(getPeople);
  private readonly reactions = new Turns();
  private readonly home: OutboxHome;
  private readonly realtime: Realtime;
  private token: string | null = null;
  private touchTimer: ReturnType<typeof setTimeout> | undefined;
  private countsTimer: ReturnType<typeof setTimeout> | undefined;
  /** Conversations on screen. */
  private open = new Set<string>();
  private isCatchingUp = false;
  private isAskedAgain = false;
  private isStopped = false;
  private stopToken: () => void = () => undefined;
  private stopKeeping: () => void = () => undefined;

  constructor(
    private readonly client: QueryClient,
    private readonly me: string,
  ) {
    this.home = makeOutboxHome(me);
    const { key, storage } = this.home;
    this.outbox = new Outbox({ key, storage, stored: (message) => this.keepMessage(message) });
    this.realtime = new Realtime({
      token: async (wasRefused) => {
        const holds = !wasRefused && tokenExpiresAt() > Date.now() + TOKEN_MARGIN_MS;
        if (!holds) await refreshSession();
        return currentToken();
      },
      openSocket: () => new WebSocket(`${location.origin.replace(/^http/, "ws")}/v1/ws`),
      apply: (stream, frame) => this.apply(stream, frame),
      reset: (stream) => void this.readAgain(stream),
      gone: (stream) => this.lose(stream),
      touched: () => this.catchUpSoon(),
      signal: (frame) => this.noteSignal(frame),
      ready: (isFirst) => this.comeBack(isFirst),
      state: (state) => {
        this.connection.set(state);
        noteLine(state === "connected");
      },
    });
    this.chats = new ChatSync(client, me, {
      watch: (stream, cursor) => this.realtime.watch(stream, cursor),
      keepWatching: (stream, cursor) => this.realtime.keepWatching(stream, cursor),
      unwatch: (stream) => this.realtime.unwatch(stream),
      isOpen: (stream) => this.open.has(stream),
      lose: (stream) => this.lose(stream),
      present: (actors) => this.presence.watch(actors),
    });
    this.presence = new PresenceWatch((actors) => this.realtime.watchPresence(actors));
  }

  start(): void {
    this.isStopped = false;
    this.chats.start();
    this.stopToken = onToken((token) => this.realtime.renew(token));
    this.realtime.start();
    this.outbox.resume();
    this.home.adopt(this.outbox);
    this.stopKeeping = startKeeping(this.client, this.me);
  }

  stop(): void {
    this.isStopped = true;
    this.stopToken();
    this.stopKeeping();
    this.realtime.stop();
    this.chats.stop();
    this.outbox.close();
    this.home.leave();
    clearTimeout(this.touchTimer);
    clearTimeout(this.countsTimer);
  }

  /** The first list tells from where changes are counted; later lists are newer and change nothing. */
  noteToken(token: string): void {
    if (this.token) return;
    this.token = token;
    this.catchUpSoon();
  }

  follow(conversation: string): () => void {
    const thread = this.client.getQueryData<Thread>(keys.thread(conversation));
    this.open.add(conversation);
    // Chats are followed whether they are open or not.
    const isChat = this.chats.has(conversation);
    if (thread && isChat) this.realtime.keepWatching(conversation, thread.head);
    else if (thread) this.realtime.watch(conversation, thread.head);
    if (isChat) void this.chats.noteOpen(conversation);
    return () => {
      this.open.delete(conversation);
      if (!this.chats.isFollowed(conversation)) this.realtime.unwatch(conversation);
    };
  }

  sendTyping(conversation: string, isOn: boolean): void {
    this.realtime.sendTyping(conversation, isOn);
  }

  keepMessage(message: Message): void {
    changeThread(this.client, message.conversation_id, (thread) => upsertMessage(thread, message));
  }

  /** Deleted for this person alone: the personal stream tells the counts. */
  hideMessage(message: Message): void {
    changeThread(this.client, message.conversation_id, (thread) => hideMessage(thread, message.id));
  }

  /** Puts a reaction or takes it away, at once on screen; what the server refuses is taken back. */
  async react(message: Message, emoji: string, isOn: boolean): Promise<void> {
    const { conversation_id, id } = message;
    const show = (shown: boolean) =>
      changeThread(this.client, conversation_id, (thread) =>
        withReaction(thread, id, { emoji, actor: this.me, isOn: shown }),
      );
    show(isOn);
    await this.reactions.take(`${id} ${emoji}`, async (isLast) => {
      try {
        await setReaction(conversation_id, id, emoji, isOn);
      } catch (error) {
        if (isLast()) show(!isOn);
        throw error;
      }
    });
  }

  keepConversation(conversation: DeskConversation): void {
    keepConversation(this.client, conversation, this.me);
    this.countSoon();
  }

  /** A contact's new name shows in every conversation with them at once. */
  keepContactName(contact: string, name: string): void {
    const shown = this.client
      .getQueriesData<LoadedList>({ queryKey: keys.lists })
      .flatMap(([, list]) => list?.items ?? []);
    const open = this.client
      .getQueriesData<DeskConversation>({ queryKey: ["conversation"] })
      .map(([, row]) => row);
    for (const row of [...shown, ...open]) {
      if (row?.contact.id !== contact || row.contact.name === name) continue;
      changeConversation(this.client, row.id, this.me, (old) => ({
        ...old,
        contact: { ...old.contact, name },
      }));
    }
  }

  keepRead(conversation: string, read: { read_number: number; own_since: number; mentions?: number }): void {
    changeThread(this.client, conversation, (thread) => moveReadPosition(thread, read));
    this.chats.keepRead(conversation, read);
    changeConversation(this.client, conversation, this.me, (row) => {
      const moved = moveReadPosition(row, read);
      return moved === row ? row : { ...moved, unread: countUnread(moved) };
    });
  }

  /** Puts another part of the history on the screen: around a message, or the newest. */
  async show(conversation: string, place: { around: number } | null): Promise<void> {
    const page = await listMessages(conversation, place ?? {});
    this.client.setQueryData<Thread>(keys.thread(conversation), page);
    this.realtime.watch(conversation, page.head);
  }

  async loadMore(conversation: string, side: "before" | "after"): Promise<void> {
    const thread = this.client.getQueryData<Thread>(keys.thread(conversation));
    const edge = side === "before" ? thread?.items[0] : thread?.items.at(-1);
    if (!edge) return;
    const place = side === "before" ? { before: edge.position } : { after: edge.position };
    const page = await listMessages(conversation, place);
    changeThread(this.client, conversation, (now) =>
      trimThread(joinPage(now, page, side), WINDOW, side === "before" ? "after" : "before"),
    );
    if (side === "after" && !page.has_after) this.closeSeam(conversation, page);
  }

  /** What happened between reading the last page and now was not placed, for the window did not reach it then. */
  private closeSeam(conversation: string, page: MessagePage): void {
    const thread = this.client.getQueryData<Thread>(keys.thread(conversation));
    if (!thread || page.head.number >= thread.head.number) return;
    const { head, read_number, own_since } = page;
    changeThread(this.client, conversation, (now) => ({ ...now, head, read_number, own_since }));
    this.realtime.watch(conversation, head);
  }

  private apply(stream: string, frame: StreamFrame): void {
    if (frame.type === "event" && isPersonal(frame)) {
      if (frame.kind === "read.moved") this.keepRead(frame.data.conversation_id, frame.data);
      else if (frame.kind === "conversation.removed") this.lose(frame.data.conversation_id);
      else if (frame.kind === "rights.changed") this.startOver();
      else {
        this.chats.applyPersonal(frame);
        if (frame.kind === "conversation.added") this.catchUpSoon();
      }
      return;
    }
    this.chats.apply(stream, frame);
    changeThread(this.client, stream, (thread) => patchThread(thread, frame, this.me));
    changeConversation(this.client, stream, this.me, (row) => patchConversation(row, frame, this.me));
    if (frame.type === "event" && frame.kind === "message.created" && frame.actor_id) {
      this.stopTyping(stream, frame.actor_id);
    }
  }

  private async readAgain(stream: string): Promise<void> {
    if (stream.startsWith("act_")) {
      this.startOver();
      return;
    }
    if (this.isStopped) return;
    try {
      const page = await listMessages(stream, {});
      this.client.setQueryData<Thread>(keys.thread(stream), page);
      this.realtime.watch(stream, page.head);
      if (this.chats.has(stream)) await this.chats.readAgain(stream);
      else this.keepConversation(await getConversation(stream));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) this.lose(stream);
      else setTimeout(() => void this.readAgain(stream), RESET_RETRY_MS);
    }
  }

  private lose(stream: string): void {
    if (stream.startsWith("act_")) {
      this.startOver();
      return;
    }
    this.gone.set((old) => new Set([...old, stream]));
    dropConversation(this.client, stream);
    this.chats.forget(stream);
    this.countSoon();
  }

  private startOver(): void {
    this.token = null;
    this.gone.set(new Set());
    void this.client.invalidateQueries({ queryKey: keys.lists });
    void this.client.invalidateQueries({ queryKey: keys.inboxes });
    void this.client.invalidateQueries({ queryKey: keys.counts });
    void this.client.invalidateQueries({ queryKey: chatKeys.list });
  }

  private comeBack(isFirst: boolean): void {
    this.outbox.resume();
    this.presence.reconnect();
    this.catchUpSoon();
    // The personal stream tells of later ones; a line that was away is caught up by it.
    if (isFirst) void loadDrafts().catch(() => undefined);
    else retellDrafts();
    // What could not be asked while the line was away is asked now.
    void this.client.refetchQueries({
      type: "active",
      predicate: ({ state }) => state.status === "error" || state.error !== null || state.isInvalidated,
    });
    if (isFirst) return;
    void this.chats.sweep();
    this.chats.rereadReaders();
    void this.client.invalidateQueries({ queryKey: keys.inboxes });
  }

  private catchUpSoon(): void {
    this.touchTimer ??= setTimeout(() => {
      this.touchTimer = undefined;
      void this.catchUp();
    }, COALESCE_MS);
  }

  private async catchUp(): Promise<void> {
    if (this.isCatchingUp) {
      this.isAskedAgain = true;
      return;
    }
    if (!this.token) return;
    this.isCatchingUp = true;
    try {
      const changes = await listChanges(this.token);
      this.token = changes.token;
      if (changes.reset) await this.client.invalidateQueries({ queryKey: keys.lists });
      for (const item of changes.items) keepConversation(this.client, item, this.me);
      this.countSoon();
    } catch {
      // Asked again from the same token, after a while: a touch that was missed has no other witness.
      if (this.connection.get() === "connected") setTimeout(() => this.catchUpSoon(), RESET_RETRY_MS);
    } finally {
      this.isCatchingUp = false;
      if (this.isAskedAgain) {
        this.isAskedAgain = false;
        this.catchUpSoon();
      }
    }
  }

  private countSoon(): void {
    this.countsTimer ??= setTimeout(() => {
      this.countsTimer = undefined;
      void this.client.invalidateQueries({ queryKey: keys.counts });
    }, COUNTS_MS);
  }

  private noteSignal(frame: SignalFrame): void {
    if (frame.kind === "presence.changed") {
      this.presence.note(frame.stream, frame.data as unknown as Presence);
      return;
    }
    if (frame.actor_id === null || frame.actor_id === this.me) return;
    if (frame.kind === "member.read")
      this.chats.noteRead(frame.stream, frame.actor_id, Number(frame.data.read_number));
    if (frame.kind === "typing.stopped") this.stopTyping(frame.stream, frame.actor_id);
    if (frame.kind !== "typing.started") return;
    const { stream, actor_id } = frame;
    const until = Date.now() + TYPING_MS;
    this.typing.set((all) => ({ ...all, [stream]: { ...all[stream], [actor_id]: until } }));
    setTimeout(() => {
      const still = this.typing.get()[stream]?.[actor_id];
      if (still !== undefined && still <= Date.now()) this.stopTyping(stream, actor_id);
    }, TYPING_MS + 50);
  }

  private stopTyping(stream: string, actor: string): void {
    if (this.typing.get()[stream]?.[actor] === undefined) return;
    this.typing.set((all) => {
      const { [actor]: _stopped, ...rest } = all[stream] ?? {};
      return { ...all, [stream]: rest };
    });
  }
}

export const SyncContext = createContext<Sync | null>(null);

export function useSync(): Sync {
  const sync = useContext(SyncContext);
  if (!sync) throw new Error("useSync needs a signed-in person");
  return sync;
}
