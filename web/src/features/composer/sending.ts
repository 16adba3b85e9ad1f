/** What becomes of the words: sent by the outbox, kept for later, or put in the place of what was said before. */
import { useQueryClient } from "@tanstack/react-query";
import { editMessage } from "@/api/messages";
import { scheduledKeys, scheduleMessage } from "@/api/scheduled";
import { useSync } from "@/api/sync";
import type { Attachment, Media, Message } from "@/api/types";
import { useTry } from "@/components/trying";
import { moveEntities } from "@/lib/richtext";
import { type Called, findMentions } from "./mentions";

interface Written {
  text: string;
  isNote: boolean;
  media: Media[];
  /** The message it answers. */
  replying: Message | null;
  /** The words of it that are quoted. */
  quote: string | null;
  called: Called;
}

/** The doings of one conversation's composer. Each but `send` and `sendVoice` tells whether it was done. */
export function useSending(id: string) {
  const sync = useSync();
  const client = useQueryClient();
  const { isBusy: isSaving, run: attempt } = useTry();
  const send = ({ text, isNote, media, replying, quote, called }: Written) =>
    sync.outbox.add({
      client_id: crypto.randomUUID(),
      conversation_id: id,
      kind: isNote ? "note" : "text",
      text: text.trim(),
      entities: findMentions(text.trim(), called),
      attachments: media.map(toAttachment),
      reply_to: replying ? toReply(replying, quote) : null,
    });
  const sendVoice = (voice: Media, replying: Message | null, quote: string | null) =>
    send({ text: "", isNote: false, media: [voice], replying, quote, called: new Map() });
  const sendLater = ({ text, media, replying, quote, called }: Written, at: Date) =>
    attempt(async () => {
      await scheduleMessage(id, {
        client_id: crypto.randomUUID(),
        send_at: at.toISOString(),
        text: text.trim(),
        entities: findMentions(text.trim(), called),
        media_ids: media.map((one) => one.id),
        ...(replying ? { reply_to: replying.id } : {}),
        ...(replying && quote ? { quote } : {}),
      });
      void client.invalidateQueries({ queryKey: scheduledKeys.every });
    });
  const saveEdit = (message: Message, text: string, called: Called) => {
    const words = text.trim();
    const kept = moveEntities(message.entities, message.text, words);
    const entities = [...kept, ...findMentions(words, called, kept)];
    return attempt(async () => sync.keepMessage(await editMessage(id, message.id, words, entities)));
  };
  return { isSaving, send, sendVoice, sendLater, saveEdit };
}

const toReply = (message: Message, quote: string | null): Message["reply_to"] => ({
  id: message.id,
  sender_name: message.sender.name,
  text: message.text.slice(0, 200),
  quote,
});

function toAttachment(media: Media): Attachment {
  const { id, ...rest } = media;
  return { media_id: id, error: null, ...rest };
}
