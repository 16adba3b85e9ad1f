/** Where answers and notes are written. Owns the words and files until they are sent; then the outbox has them. */

import { type ClipboardEvent, type KeyboardEvent, useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Features, Message, Sender } from "@/api/types";
import { IconButton } from "@/components/controls";
import { EmojiPicker } from "@/components/EmojiPicker";
import { Menu } from "@/components/overlays";
import { WhenDialog } from "@/components/WhenDialog";
import { ScheduledBar } from "@/features/scheduled/ScheduledBar";
import { composingStore, setComposing } from "@/lib/desk-view";
import { loadDraft, saveDraft } from "@/lib/drafts";
import { useStore } from "@/lib/store";
import { DropZone } from "./DropZone";
import { FileButton } from "./FileButton";
import {
  dropTaken,
  useArrivedDraft,
  useEditLast,
  useFocusRequests,
  useGrowing,
  useKeptDraft,
  useKeptReply,
  useTyping,
} from "./hooks";
import { type FindPeople, MentionList, useMentions } from "./mentions";
import { ComposingBar, ModeSwitch, ObstacleNote, SendButton, TextCount } from "./parts";
import { canRecord, Recorder } from "./Recorder";
import { useSending } from "./sending";
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
  /** Asks for those an @ can call, where not all are at hand. */
  findPeople?: FindPeople;
  canCallAll?: boolean;
  /** Whether what is being written follows to other devices. */
  isFollowed?: boolean;
}

const NOBODY: Sender[] = [];

export function Composer(props: ComposerProps) {
  const { id, placeholder, features, hasNotes, obstacle, isFollowed } = props;
  const { people = NOBODY, findPeople, canCallAll = false } = props;
  const { t } = useTranslation();
  const composing = useStore(composingStore, (all) => all[id] ?? null);
  const [draft] = useState(() => loadDraft(id));
  const [written, setWritten] = useState(draft.text);
  const [edited, setEdited] = useState<{ id: string; text: string } | null>(null);
  const [wantsNote, setNote] = useState(hasNotes && draft.isNote);
  const [isSendWanted, setSendWanted] = useState(false);
  const [isRecording, setRecording] = useState(false);
  const [isTiming, setTiming] = useState(false);
  const uploads = useUploads(features);
  const sending = useSending(id);
  const area = useRef<HTMLTextAreaElement>(null);
  const tellTyping = useTyping(id);

  const editing = composing?.kind === "edit" ? composing.message : null;
  const replying = composing?.kind === "reply" ? composing.message : null;
  const quote = composing?.kind === "reply" ? composing.quote : null;
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
  const [answered, setReplyTo] = useKeptReply(id, {
    replyTo: draft.replyTo ?? null,
    quote: draft.quote ?? null,
  });
  const mentions = useMentions({ id, area, text, people, findPeople, canCallAll, onText: setText });
  useKeptDraft(id, { text: written, isNote: wantsNote, ...answered, isShared: isFollowed });
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
    if (text.trim() === "") return;
    const isSame = text.trim() === message.text;
    if (isSame || (await sending.saveEdit(message, text, mentions.called))) stopComposing();
  };
  const take = () => ({
    text,
    isNote,
    replying,
    quote,
    called: mentions.called,
    media: uploads.uploads.flatMap((one) => (one.media ? [one.media] : [])),
  });
  const send = () => {
    if (isTooLong || sending.isSaving) return;
    if (editing) return void saveEdit(editing);
    if (isEmpty || uploads.hasFailed) return;
    if (uploads.isBusy) return setSendWanted(true);
    setSendWanted(false);
    sending.send(take());
    clear();
  };
  const isHeldUp = isTooLong || sending.isSaving || uploads.isBusy || uploads.hasFailed;
  const canSendLater = isFollowed && !editing && !isEmpty && !isHeldUp;
  const sendLater = async (at: Date) => {
    if (!canSendLater) return;
    const taken = take();
    const files = uploads.uploads.map((one) => one.id);
    if (!(await sending.sendLater(taken, at))) return;
    dropTaken(id, taken);
    for (const file of files) uploads.remove(file);
  };
  const latestSend = useRef(send);
  latestSend.current = send;
  useEffect(() => {
    if (!isSendWanted || uploads.isBusy) return;
    if (uploads.hasFailed) setSendWanted(false);
    else latestSend.current();
  }, [isSendWanted, uploads.isBusy, uploads.hasFailed]);

  const editLast = useEditLast(id, features);
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
    <DropZone isOn={!editing} onFiles={uploads.add}>
      {obstacle && <ObstacleNote text={obstacle.text} />}
      {isFollowed && <ScheduledBar conversation={id} />}
      {isRecording && (
        <Recorder
          onDone={() => setRecording(false)}
          onSend={(voice) => sending.sendVoice(voice, replying, quote)}
        />
      )}
      <WhenDialog
        isOpen={isTiming}
        title={t("composer.sendLater")}
        action={t("composer.schedule")}
        onClose={() => setTiming(false)}
        onChoose={(at) => void sendLater(at)}
      />
      <div
        hidden={isRecording}
        className={`relative rounded-2xl border shadow-[0_1px_2px_#17181d0a] transition-colors focus-within:border-accent focus-within:ring-3 focus-within:ring-accent-soft ${isNote ? "border-note-line bg-bubble-note" : "border-line-strong bg-surface"}`}
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
            <FileButton
              onFiles={(files) => {
                uploads.add(files);
                area.current?.focus();
              }}
            />
          )}
          {isFollowed && !editing && !isEmpty && (
            <IconButton
              icon="clock"
              label={t("composer.sendLater")}
              disabled={isHeldUp}
              onClick={() => setTiming(true)}
            />
          )}
          {isFollowed && !editing && isEmpty && canRecord() && (
            <IconButton icon="mic" label={t("composer.record")} onClick={() => setRecording(true)} />
          )}
          <SendButton
            label={t(editing ? "composer.saveEdit" : isNote ? "composer.saveNote" : "composer.send")}
            icon={editing ? "check" : "send"}
            isBusy={sending.isSaving || isSendWanted}
            isDisabled={isEmpty || isTooLong || sending.isSaving || uploads.hasFailed}
            onClick={send}
          />
        </div>
      </div>
    </DropZone>
  );
}

function limitOf(features: Features | undefined, isNote: boolean, hasFiles: boolean): number {
  if (!features || isNote) return 16_000;
  return hasFiles ? features.caption_limit : features.text_limit;
}
