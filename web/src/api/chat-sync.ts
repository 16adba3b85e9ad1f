/**
 * Keeps the chats of this tab fresh: the livelier ones are followed by their own streams, the others are looked at now
 * and then; new ones come by the personal stream.
 */
import type { QueryClient } from "@tanstack/react-query";
import { changeThread } from "./cache";
import {
  changeChat,
  chatKeys,
  dropChat,
  type FoundMembers,
  findChat,
  keepChat,
  patchFound,
  patchMembers,
  patchReader,
  replaceChat,
  sortChats,
} from "./chat-cache";
import { getChat, listChats, PAGE_SIZE, readRest } from "./chats";
import { takeDraft } from "./drafts";
import { ApiError } from "./http";
import { countUnread, hideMessage, isPersonal, moveReadPosition, patchConversation } from "./patches";
import { scheduledKeys } from "./scheduled";
import type { Chat, Cursor, Member, Page, PersonalFrame, StreamFrame } from "./types";

const RETRY_MS = 2_000;
/** Chats followed live; one connection watches at most 500 conversations, the open one and the desk's among them. */
const FOLLOWED = 400;
/** How often those that are not followed are looked at, and how many of them that moved are followed from then on. */
const SWEEP_MS = 20_000;
const PROMOTED = 5;
/** Who comes and goes together is one reason to ask again what moderators look at. */
const COALESCE_MS = 1_000;

export interface ChatSyncPorts {
  watch: (stream: string, cursor: Cursor) => void;
  keepWatching: (stream: string, cursor: Cursor) => void;
  unwatch: (stream: string) => void;
  isOpen: (stream: string) => boolean;
  lose: (stream: string) => void;
  /** Asks to be told when these come and go. */
  present: (actors: string[]) => void;
}

export class ChatSync {
  private followed = new Set<string>();
  private sweepTimer: ReturnType<typeof setTimeout> | undefined;
  private isSweeping = false;
  private isStopped = false;
  /** Where somebody came or went a moment ago. */
  private readonly moved = new Set<string>();
  private movedTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly client: QueryClient,
    private readonly me: string,
    private readonly ports: ChatSyncPorts,
    private readonly most = FOLLOWED,
  ) {}

  /**
   * Reads the list; from then on the chats spoken in most lately are live, and the others are looked at now and then.
   * Where nothing is on screen yet the first page is enough to begin with: the rest comes behind it.
   */
  async load(signal?: AbortSignal): Promise<Chat[]> {
    const isFirst = this.listed().length === 0;
    const first = await listChats(false, null, signal);
    const rest = readRest(first.next, signal);
    if (!isFirst) return this.take([...first.items, ...(await rest)]);
    void rest
      .then((more) => this.add(more))
      .catch(() => void this.client.invalidateQueries({ queryKey: chatKeys.list }));
    return this.take(first.items);
  }

  /** What came by a stream while the list was read is newer than the list. */
  private take(chats: Chat[]): Chat[] {
    const newer = new Map(this.listed().map((chat) => [chat.id, chat]));
    const fresh = chats.map((chat) => {
      const here = newer.get(chat.id);
      return here && here.head.number > chat.head.number ? here : chat;
    });
    const isLive = new Set(fresh.map((chat) => chat.id));
    for (const id of this.followed) if (!isLive.has(id)) this.followed.delete(id);
    for (const chat of fresh) {
      if (this.followed.size >= this.most && !this.followed.has(chat.id)) continue;
      this.followed.add(chat.id);
      this.ports.keepWatching(chat.id, chat.head);
    }
    this.ports.present(fresh.flatMap((chat) => (chat.peer ? [chat.peer.id] : [])));
    this.sweepLater();
    return fresh;
  }

  private add(more: Chat[]): void {
    const known = this.listed();
    const ids = new Set(known.map((chat) => chat.id));
    const all = [...known, ...more.filter((chat) => !ids.has(chat.id))];
    this.client.setQueryData<Chat[]>(chatKeys.list, sortChats(this.take(all)));
  }

  private listed(): Chat[] {
    return this.client.getQueryData<Chat[]>(chatKeys.list) ?? [];
  }

  has(id: string): boolean {
    return findChat(this.client, id) !== undefined;
  }

  forget(id: string): void {
    this.followed.delete(id);
    dropChat(this.client, id);
  }

  isFollowed(id: string): boolean {
    return this.followed.has(id);
  }

  keep(chat: Chat): void {
    if (chat.peer) this.ports.present([chat.peer.id]);
    keepChat(this.client, chat);
    this.follow(chat);
  }

  /** A chat comes on screen: it is live from then on, and its row as new as its thread. */
  async noteOpen(id: string): Promise<void> {
    if (this.followed.has(id)) return;
    try {
      this.keep(await getChat(id));
    } catch (error) {
      if (error instanceof ApiError && !error.isTemporary) this.ports.lose(id);
      // Else the next sweep sees it.
    }
  }

  /** Follows a chat in the place of the one that was silent for longest. */
  private follow({ id, head }: Chat): void {
    if (!this.followed.has(id) && this.followed.size >= this.most) {
      const silent = this.listed().findLast((one) => this.followed.has(one.id) && !this.ports.isOpen(one.id));
      if (silent) {
        this.followed.delete(silent.id);
        this.ports.unwatch(silent.id);
      }
    }
    this.followed.add(id);
    this.ports.keepWatching(id, head);
  }

  start(): void {
    this.isStopped = false;
  }

  /** What is under way comes to its end; nothing is asked after it. */
  stop(): void {
    this.isStopped = true;
    clearTimeout(this.sweepTimer);
    clearTimeout(this.movedTimer);
    this.movedTimer = undefined;
    this.moved.clear();
  }

  private sweepLater(): void {
    clearTimeout(this.sweepTimer);
    if (this.isStopped) return;
    this.sweepTimer = setTimeout(() => void this.sweep(), SWEEP_MS);
  }

  /** Looks at the chats that are not followed: the list has those that moved above all that did not. */
  async sweep(): Promise<void> {
    const unfollowed = this.listed().filter((chat) => !this.followed.has(chat.id));
    if (this.isSweeping || unfollowed.length === 0) return this.sweepLater();
    this.isSweeping = true;
    try {
      const moved = await this.readMoved(false);
      if (unfollowed.some((chat) => chat.is_archived)) moved.push(...(await this.readMoved(true)));
      for (const chat of moved) keepChat(this.client, chat);
      for (const chat of moved.slice(0, PROMOTED)) this.follow(chat);
    } catch {
      // The next sweep asks again.
    } finally {
      this.isSweeping = false;
      this.sweepLater();
    }
  }

  /** Those of a list in which something happened since they were read, that no stream tells of. */
  private async readMoved(archived: boolean): Promise<Chat[]> {
    const moved: Chat[] = [];
    let cursor: string | null = null;
    for (;;) {
      const page: Page<Chat> = await listChats(archived, cursor);
      const isNew = (chat: Chat) => (findChat(this.client, chat.id)?.head.number ?? -1) < chat.head.number;
      moved.push(...page.items.filter((chat) => !this.followed.has(chat.id) && isNew(chat)));
      const last = page.items.at(-1);
      cursor = page.next;
      if (!cursor || !last || !(last.is_pinned || isNew(last))) return moved;
    }
  }

  /** Asks for the chat as it is now: it is new, or something of it changed that its stream does not tell. */
  async readAgain(id: string): Promise<void> {
    if (this.isStopped) return;
    try {
      const chat = await getChat(id);
      replaceChat(this.client, chat);
      this.follow(chat);
      this.ports.watch(id, chat.head);
      await this.client.invalidateQueries({ queryKey: chatKeys.members(id) });
    } catch (error) {
      if (error instanceof ApiError && !error.isTemporary) this.ports.lose(id);
      else setTimeout(() => void this.readAgain(id), RETRY_MS);
    }
  }

  apply(stream: string, frame: StreamFrame): void {
    changeChat(this.client, stream, (chat) => patchConversation(chat, frame, this.me));
    if (frame.type !== "event" || isPersonal(frame)) return;
    this.changeMembers(stream, (members) => patchMembers(members, frame));
    this.client.setQueriesData<FoundMembers>(
      { queryKey: chatKeys.allFound(stream) },
      (found) => found && patchFound(found, frame),
    );
    const isMove = frame.kind === "member.joined" || frame.kind === "member.left";
    if (isMove && frame.data.member?.actor.id !== this.me) this.noteMoved(stream);
    // Who may see whom in a broadcast is another with one's role, and of somebody who writes no longer.
    if (frame.kind === "member.changed" && findChat(this.client, stream)?.kind === "broadcast")
      void this.client.invalidateQueries({ queryKey: chatKeys.members(stream) });
    if (
      frame.kind === "message.pinned" ||
      frame.kind === "message.unpinned" ||
      frame.kind === "message.deleted"
    )
      void this.client.invalidateQueries({ queryKey: chatKeys.pins(stream) });
  }

  /** A link was used by that, perhaps, or somebody kept out: no event tells it, for it is not everybody's to know. */
  private noteMoved(stream: string): void {
    this.moved.add(stream);
    this.movedTimer ??= setTimeout(() => {
      this.movedTimer = undefined;
      for (const id of this.moved) {
        void this.client.invalidateQueries({ queryKey: chatKeys.links(id) });
        void this.client.invalidateQueries({ queryKey: chatKeys.bans(id) });
      }
      this.moved.clear();
    }, COALESCE_MS);
  }

  /** How far others have read is told live alone: after a time without a line it is read again, where it is one page. */
  rereadReaders(): void {
    const isOnePage = ({ state }: { state: { data?: unknown } }) =>
      Array.isArray(state.data) && state.data.length <= PAGE_SIZE;
    void this.client.invalidateQueries({ queryKey: ["members"], predicate: isOnePage });
  }

  noteRead(stream: string, actor: string, read_number: number): void {
    this.changeMembers(stream, (members) => patchReader(members, actor, read_number));
    // Of somebody whom this page does not know the server tells whether they were there.
    if (!this.members(stream)?.some((one) => one.actor.id === actor))
      void this.client.invalidateQueries({ queryKey: chatKeys.readTo(stream) }, { cancelRefetch: false });
  }

  keepRead(id: string, read: { read_number: number; own_since: number; mentions?: number }): void {
    changeChat(this.client, id, (chat) => {
      const moved = moveReadPosition(chat, read);
      if (moved === chat) return chat;
      const unread = countUnread(moved);
      return { ...moved, unread, mentions: read.mentions ?? (unread === 0 ? 0 : chat.mentions) };
    });
  }

  /** What the personal stream tells of chats. */
  applyPersonal(frame: PersonalFrame): void {
    switch (frame.kind) {
      case "conversation.added":
        void this.readAgain(frame.data.conversation_id);
        return;
      case "mention.created":
        // Of a chat that is followed its own stream tells.
        if (!this.followed.has(frame.data.conversation_id)) void this.readAgain(frame.data.conversation_id);
        return;
      case "conversation.preferences_changed": {
        const { conversation_id, ...mine } = frame.data;
        changeChat(this.client, conversation_id, (chat) => ({ ...chat, ...mine }));
        return;
      }
      case "message.hidden": {
        const { conversation_id, message_id, own_since, mentions } = frame.data;
        changeThread(this.client, conversation_id, (thread) => hideMessage(thread, message_id));
        changeChat(this.client, conversation_id, (chat) => {
          const next = { ...chat, own_since, mentions };
          return { ...next, unread: countUnread(next) };
        });
        if (findChat(this.client, conversation_id)?.last_message?.id === message_id)
          void this.readAgain(conversation_id);
        return;
      }
      case "scheduled.changed":
        void this.client.invalidateQueries({ queryKey: scheduledKeys.every });
        return;
      case "draft.changed":
        takeDraft(frame.data.conversation_id, frame.data.draft);
    }
  }

  private members(id: string): Member[] | undefined {
    return this.client.getQueryData<Member[]>(chatKeys.members(id));
  }

  private changeMembers(id: string, change: (members: Member[]) => Member[]): void {
    this.client.setQueryData<Member[]>(chatKeys.members(id), (members) =>
      members ? change(members) : members,
    );
  }
}
