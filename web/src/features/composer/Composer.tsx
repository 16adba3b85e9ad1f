/** Where answers and notes are written. Owns the words and files until they are sent; then the outbox has them. */

import { useQueryClient } from "@tanstack/react-query";
import { type ClipboardEvent, type KeyboardEvent, useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { keys } from "@/api/cache";
import { useMe } from "@/api/hooks";
import { editMessage } from "@/api/messages";
import type { Thread } from "@/api/patches";
import { scheduledKey, scheduleMessage } from "@/api/scheduled";
import { useSync } from "@/api/sync";
import type { Attachment, Features, Media, Message, Sender } from "@/api/types";
import { IconButton, Spinner } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { Menu, showToast } from "@/components/overlays";
import { composingStore, setComposing } from "@/lib/desk-view";
import { loadDraft, saveDraft } from "@/lib/drafts";
import { errorText } from "@/lib/errors";
import { moveEntities } from "@/lib/richtext";
import { useStore } from "@/lib/store";
import { EmojiPicker } from "./EmojiPicker";
import {
  useArrivedDraft,
  useFocusRequests,
  useGrowing,
  useKeptDraft,
  useKeptReply,
  useTyping,
} from "./hooks";
import { findMentions, MentionList, useMentions } from "./mentions";
import { ComposingBar, ModeSwitch, TextCount } from "./parts";
import { canRecord, Recorder } from "./Recorder";
import { ScheduledBar, WhenDialog } from "./Scheduling";
import { UploadStrip } from "./UploadStrip";
import { useUploads } from "./uploads";

export interface Obstacle {
  text: string;
  /** Nothing can be sent; notes still can, where there are notes. */
  isHard: boolean;
}

interface ComposerProps {
  /** The conversation's id. */
  id: string;
  /** What stands in the empty field. */
  placeholder: string;
  /** What the way to the reader can carry; without a provider between, all. */
  features?: Features;
  /** Whether words for colleagues alone can be written here. */
  hasNotes: boolean;
  obstacle: Obstacle | null;
  /** Whom an @ can call. */
  people?: Sender[];
  canCallAll?: boolean;
  /** Whether what is being written follows to other devices. */
  isFollowed?: boolean;
}

const NOBODY: Sender[] = [];

export function Composer(props: ComposerProps) {
  const { id, placeholder, features, hasNotes, obstacle, isFollowed } = props;
  const { people = NOBODY, canCallAll = false } = props;
  const { t } = useTranslation();
  const sync = useSync();
  const client = useQueryClient();
  const me = useMe().actor;
  const composing = useStore(composingStore, (all) => all[id] ?? null);
  const [draft] = useState(() => loadDraft(id));
  const [written, setWritten] = useState(draft.text);
  const [edited, setEdited] = useState<{ id: string; text: string } | null>(null);
  const [wantsNote, setNote] = useState(hasNotes && draft.isNote);
  const [isSaving, setSaving] = useState(false);
  const [isSendWanted, setSendWanted] = useState(false);
  const [isDropping, setDropping] = useState(false);
  const uploads = useUploads(features);
  const area = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const tellTyping = useTyping(id);

  const editing = composing?.kind === "edit" ? composing.message : null;
  const replying = composing?.kind === "reply" ? composing.message : null;
  // Editing has its own words; what was being written waits underneath.
  const text = editing ? (edited?.id === editing.id ? edited.text : editing.text) : written;
  const setText = (words: string) => {
    if (editing) setEdited({ id: editing.id, text: words });
    else setWritten(words);
  };
  const isNote = editing ? editing.kind === "note" : wantsNote || (hasNotes && obstacle?.isHard === true);
  const limit = limitOf(features, isNote, uploads.uploads.length > 0);
  const isTooLong = text.length > limit;
  const isEmpty = text.trim() === "" && uploads.uploads.length === 0;

  useFocusRequests(id, area, setNote);
  useGrowing(area, text);
  const [isRecording, setRecording] = useState(false);
  const [isTiming, setTiming] = useState(false);
  const [replyTo, setReplyTo] = useKeptReply(id, draft.replyTo ?? null);
  const mentions = useMentions({ area, text, people, canCallAll, onText: setText });
  useKeptDraft(id, { text: written, isNote: wantsNote, replyTo, isShared: isFollowed });
  useArrivedDraft(id, setWritten, setReplyTo);

  const stopComposing = useCallback(() => {
    setEdited(null);
    setComposing(id, null);
  }, [id]);
  const clear = () => {
    setWritten("");
    uploads.clear();
    saveDraft(id, { text: "", isNote: wantsNote });
    stopComposing();
    tellTyping(false);
  };
  const saveEdit = async (message: Message) => {
    setSaving(true);
    try {
      const words = text.trim();
      const kept = moveEntities(message.entities, message.text, words);
      const entities = [...kept, ...findMentions(words, mentions.called, kept)];
      sync.keepMessage(await editMessage(id, message.id, words, entities));
      stopComposing();
    } catch (error) {
      showToast(errorText(error, t), { isBad: true });
    } finally {
      setSaving(false);
    }
  };
  const send = () => {
    if (isTooLong || isSaving) return;
    if (editing) {
      if (text.trim() === editing.text) stopComposing();
      else if (text.trim() !== "") void saveEdit(editing);
      return;
    }
    if (isEmpty || uploads.hasFailed) return;
    if (uploads.isBusy) return setSendWanted(true);
    setSendWanted(false);
    sync.outbox.add({
      client_id: crypto.randomUUID(),
      conversation_id: id,
      kind: isNote ? "note" : "text",
      text: text.trim(),
      entities: findMentions(text.trim(), mentions.called),
      attachments: uploads.uploads.flatMap((one) => (one.media ? [toAttachment(one.media)] : [])),
      reply_to: replying ? toReply(replying) : null,
    });
    clear();
  };
  const sendVoice = (media: Media) =>
    sync.outbox.add({
      client_id: crypto.randomUUID(),
      conversation_id: id,
      kind: "text",
      text: "",
      attachments: [toAttachment(media)],
      reply_to: replying ? toReply(replying) : null,
    });
  const sendLater = async (at: Date) => {
    try {
      await scheduleMessage(id, {
        client_id: crypto.randomUUID(),
        send_at: at.toISOString(),
        text: text.trim(),
        entities: findMentions(text.trim(), mentions.called),
        media_ids: uploads.uploads.flatMap((one) => (one.media ? [one.media.id] : [])),
        ...(replying ? { reply_to: replying.id } : {}),
      });
      clear();
      await client.invalidateQueries({ queryKey: scheduledKey(id) });
    } catch (error) {
      showToast(errorText(error, t), { isBad: true });
    }
  };
  const latestSend = useRef(send);
  latestSend.current = send;
  useEffect(() => {
    if (!isSendWanted || uploads.isBusy) return;
    if (uploads.hasFailed) setSendWanted(false);
    else latestSend.current();
  }, [isSendWanted, uploads.isBusy, uploads.hasFailed]);

  const editLast = (): boolean => {
    const thread = client.getQueryData<Thread>(keys.thread(id));
    const own = thread?.items.findLast(
      (m) => m.sender.id === me.id && !m.deleted_at && m.kind !== "system" && m.text !== "",
    );
    if (!own || (own.kind === "text" && features && !features.can_edit)) return false;
    setComposing(id, { kind: "edit", message: own });
    return true;
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.nativeEvent.isComposing || mentions.onKeyDown(event)) return;
    const isTouch = matchMedia("(pointer: coarse)").matches;
    if (event.key === "Enter" && !event.shiftKey && !isTouch) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && text === "" && !composing) {
      if (editLast()) event.preventDefault();
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (composing) stopComposing();
      else area.current?.blur();
    }
  };
  const onPaste = (event: ClipboardEvent) => {
    if (editing || event.clipboardData.files.length === 0) return;
    event.preventDefault();
    uploads.add(event.clipboardData.files);
  };
  const insert = (words: string) => {
    const box = area.current;
    const at = box?.selectionStart ?? text.length;
    setText(text.slice(0, at) + words + text.slice(box?.selectionEnd ?? at));
    requestAnimationFrame(() => {
      box?.focus();
      box?.setSelectionRange(at + words.length, at + words.length);
    });
  };

  return (
    <div
      className="relative shrink-0 bg-canvas px-4 pb-4 max-md:px-2 max-md:pb-[max(8px,env(safe-area-inset-bottom))]"
      onDragOver={(event) => {
        if (editing || !event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setDropping(true);
      }}
      onDragLeave={(event) =>
        !event.currentTarget.contains(event.relatedTarget as Node | null) && setDropping(false)
      }
      onDrop={(event) => {
        event.preventDefault();
        setDropping(false);
        uploads.add(event.dataTransfer.files);
      }}
    >
      {obstacle && (
        <p
          role="status"
          className="mb-2 flex items-start gap-2 rounded-lg bg-warn-soft px-3 py-2 text-sm text-warn"
        >
          <Icon name="alert" className="mt-px size-4" />
          {obstacle.text}
        </p>
      )}
      {isFollowed && <ScheduledBar conversation={id} />}
      {isRecording && <Recorder onDone={() => setRecording(false)} onSend={sendVoice} />}
      <WhenDialog isOpen={isTiming} onClose={() => setTiming(false)} onChoose={(at) => void sendLater(at)} />
      <div
        hidden={isRecording}
        className={`relative rounded-2xl border shadow-[0_1px_2px_#17181d0a] transition-colors focus-within:border-accent focus-within:ring-3 focus-within:ring-accent-soft ${isNote ? "border-note-line bg-bubble-note" : "border-line-strong bg-surface"} ${isDropping ? "border-accent" : ""}`}
      >
        <MentionList mentions={mentions} />
        {composing && <ComposingBar composing={composing} onCancel={stopComposing} />}
        {uploads.uploads.length > 0 && (
          <UploadStrip uploads={uploads.uploads} onRemove={uploads.remove} onRetry={uploads.retry} />
        )}
        <textarea
          ref={area}
          dir="auto"
          rows={1}
          value={text}
          placeholder={isNote ? t("composer.notePlaceholder") : placeholder}
          aria-label={t("composer.label")}
          onChange={(event) => {
            setText(event.target.value);
            if (!isNote && event.target.value.trim()) tellTyping(true);
          }}
          onKeyDown={onKeyDown}
          onSelect={mentions.look}
          onPaste={onPaste}
          onBlur={() => {
            tellTyping(false);
            mentions.close();
          }}
          {...mentions.aria}
          className="block max-h-[40vh] min-h-[44px] w-full resize-none bg-transparent px-3.5 pt-2.5 pb-1 outline-none placeholder:truncate"
        />
        <div className="flex items-center gap-0.5 px-1.5 pb-1.5">
          {!editing && hasNotes && (
            <ModeSwitch isNote={isNote} isReplyPossible={!obstacle?.isHard} onChange={setNote} />
          )}
          <span className="flex-1" />
          <TextCount length={text.length} limit={limit} />
          {isSendWanted && (
            <span className="px-1.5 text-xs text-muted max-md:hidden">{t("composer.willSend")}</span>
          )}
          <Menu side="top" trigger={<IconButton icon="smile" label={t("composer.emoji")} />}>
            <EmojiPicker onPick={insert} />
          </Menu>
          {!editing && (
            <IconButton
              icon="paperclip"
              label={t("composer.attach")}
              onClick={() => picker.current?.click()}
            />
          )}
          <input
            ref={picker}
            type="file"
            multiple
            hidden
            onChange={(event) => {
              uploads.add(event.target.files ?? []);
              event.target.value = "";
              area.current?.focus();
            }}
          />
          {isFollowed && !editing && !isEmpty && (
            <IconButton icon="clock" label={t("composer.sendLater")} onClick={() => setTiming(true)} />
          )}
          {isFollowed && !editing && isEmpty && canRecord() && (
            <IconButton icon="mic" label={t("composer.record")} onClick={() => setRecording(true)} />
          )}
          <button
            type="button"
            onClick={send}
            disabled={isEmpty || isTooLong || isSaving || uploads.hasFailed}
            aria-label={t(editing ? "composer.saveEdit" : isNote ? "composer.saveNote" : "composer.send")}
            title={t("composer.hint")}
            className="ml-1 flex h-8 w-9 items-center justify-center rounded-lg bg-accent text-on-accent transition-[filter,background] hover:brightness-110 disabled:bg-hover disabled:text-faint"
          >
            {isSaving || isSendWanted ? <Spinner /> : <Icon name={editing ? "check" : "send"} />}
          </button>
        </div>
      </div>
      {isDropping && (
        <div className="fade-in pointer-events-none absolute inset-x-4 inset-y-0 z-10 mb-4 flex items-center justify-center rounded-2xl border-2 border-dashed border-accent bg-[color-mix(in_srgb,var(--surface)_88%,var(--accent))] font-medium text-accent-ink">
          {t("composer.drop")}
        </div>
      )}
    </div>
  );
}

function limitOf(features: Features | undefined, isNote: boolean, hasFiles: boolean): number {
  if (!features || isNote) return 16_000;
  return hasFiles ? features.caption_limit : features.text_limit;
}

const toReply = (message: Message): Message["reply_to"] => ({
  id: message.id,
  sender_name: message.sender.name,
  text: message.text.slice(0, 200),
  quote: null,
});

function toAttachment(media: Media): Attachment {
  const { id, ...rest } = media;
  return { media_id: id, error: null, ...rest };
}
