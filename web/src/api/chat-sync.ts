/** Keeps the chats of this tab fresh: each is followed by its own stream, new ones come by the personal stream. */
import type { QueryClient } from "@tanstack/react-query";
import { changeThread } from "./cache";
import {
  changeChat,
  chatKeys,
  findChat,
  keepChat,
  patchMembers,
  patchReader,
  replaceChat,
} from "./chat-cache";
import { CHATS_KEPT, getChat, listChats } from "./chats";
import { takeDraft } from "./drafts";
import { ApiError } from "./http";
import { countUnread, hideMessage, isPersonal, moveReadPosition, patchConversation } from "./patches";
import { scheduledKey } from "./scheduled";
import type { Chat, Cursor, Member, PersonalFrame, StreamFrame } from "./types";

const RETRY_MS = 2_000;

export interface ChatSyncPorts {
  watch: (stream: string, cursor: Cursor) => void;
  keepWatching: (stream: string, cursor: Cursor) => void;
  lose: (stream: string) => void;
  /** Asks to be told when these come and go. */
  present: (actors: string[]) => void;
}

export class ChatSync {
  constructor(
    private readonly client: QueryClient,
    private readonly me: string,
    private readonly ports: ChatSyncPorts,
  ) {}

  /** Reads the list; from then on every chat of it is live. */
  async load(signal?: AbortSignal): Promise<Chat[]> {
    const chats = await listChats(signal);
    // What came by a stream while the list was read is newer than the list.
    const known = this.client.getQueryData<Chat[]>(chatKeys.list) ?? [];
    const newer = new Map(known.map((chat) => [chat.id, chat]));
    const fresh = chats.map((chat) => {
      const here = newer.get(chat.id);
      return here && here.head.number > chat.head.number ? here : chat;
    });
    for (const chat of fresh.slice(0, CHATS_KEPT)) this.ports.keepWatching(chat.id, chat.head);
    this.ports.present(fresh.flatMap((chat) => (chat.peer ? [chat.peer.id] : [])));
    return fresh;
  }

  has(id: string): boolean {
    return findChat(this.client, id) !== undefined;
  }

  keep(chat: Chat): void {
    if (chat.peer) this.ports.present([chat.peer.id]);
    keepChat(this.client, chat);
    this.ports.keepWatching(chat.id, chat.head);
  }

  /** Asks for the chat as it is now: it is new, or something of it changed that its stream does not tell. */
  async readAgain(id: string): Promise<void> {
    try {
      const chat = await getChat(id);
      replaceChat(this.client, chat);
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

  noteRead(stream: string, actor: string, read_number: number): void {
    this.changeMembers(stream, (members) => patchReader(members, actor, read_number));
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
        if (!this.has(frame.data.conversation_id)) void this.readAgain(frame.data.conversation_id);
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
        void this.client.invalidateQueries({
          queryKey: scheduledKey(frame.data.scheduled.conversation_id),
        });
        return;
      case "draft.changed":
        takeDraft(frame.data.conversation_id, frame.data.draft);
    }
  }

  private changeMembers(id: string, change: (members: Member[]) => Member[]): void {
    this.client.setQueryData<Member[]>(chatKeys.members(id), (members) =>
      members ? change(members) : members,
    );
  }
}
