/** What the composer's field does by itself: takes the focus when asked, grows, tells that someone types. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { keys } from "@/api/cache";
import { arrivedDraft, tellDraft } from "@/api/drafts";
import { useMe } from "@/api/hooks";
import type { Thread } from "@/api/patches";
import { useSync } from "@/api/sync";
import type { Features, Message } from "@/api/types";
import { isModalOpen } from "@/lib/actions";
import { composingStore, focusRequest, setComposing } from "@/lib/desk-view";
import { loadDraft, quoteKept, saveDraft, type Writing, withoutTaken } from "@/lib/drafts";
import { useStore } from "@/lib/store";

const TYPING_EVERY_MS = 4_000;
const TYPING_STOPS_MS = 5_000;

export function useFocusRequests(
  id: string,
  area: RefObject<HTMLTextAreaElement | null>,
  setNote: (isNote: boolean) => void,
): void {
  const request = useStore(focusRequest);
  useLayoutEffect(() => {
    if (request?.conversation !== id) return;
    if (request.isNote !== null) setNote(request.isNote);
    // At once, so that not a letter typed after the shortcut is lost; and again when a menu has given its focus back.
    const isCovered = isModalOpen();
    area.current?.focus();
    if (isCovered) requestAnimationFrame(() => area.current?.focus());
    focusRequest.set(null);
  }, [request, id, area, setNote]);
}

/** Keeps what is written, here and, where it is followed, on the server. What was loaded is no news. */
export function useKeptDraft(id: string, writing: Writing): void {
  const { text, isNote, replyTo, quote, isShared } = writing;
  const last = useRef(writing);
  useEffect(() => {
    const before = last.current;
    const isSame = text === before.text && isNote === before.isNote;
    if (isSame && replyTo === before.replyTo && quote === before.quote) return;
    last.current = { text, isNote, replyTo, quote, isShared };
    saveDraft(id, last.current);
    if (isShared) tellDraft(id, text, replyTo ?? null);
  }, [id, text, isNote, replyTo, quote, isShared]);
}

/** Takes away what was sent; what was written meanwhile stays. Also when the composer it was sent from is gone by now. */
export function dropTaken(id: string, taken: { text: string; replying: Message | null }): void {
  const { text, replyTo, ...rest } = loadDraft(id);
  const left = withoutTaken(text, taken.text);
  const reply = replyTo === taken.replying?.id ? null : (replyTo ?? null);
  saveDraft(id, { ...rest, text: left, replyTo: reply, quote: reply ? rest.quote : null });
  tellDraft(id, left, reply);
  arrivedDraft.set({ conversation: id, text: left, replyTo: reply });
}

/** Words that were written on another device take the place of those here. */
export function useArrivedDraft(
  id: string,
  setWritten: (text: string) => void,
  setReplyTo: (message: string | null) => void,
): void {
  const arrived = useStore(arrivedDraft);
  // What had come before this composer stood was taken by loading the draft, and may have been written on since.
  const seen = useRef(arrived);
  useEffect(() => {
    if (arrived === seen.current || arrived?.conversation !== id) return;
    seen.current = arrived;
    setWritten(arrived.text);
    setReplyTo(arrived.replyTo);
  }, [arrived, id, setWritten, setReplyTo]);
}

/** What a draft answers: the message's id, and the words of it that are quoted. */
interface Answered {
  replyTo: string | null;
  quote: string | null;
}

const NOTHING: Answered = { replyTo: null, quote: null };

/**
 * The message a draft answers: of a draft from elsewhere its id alone is known until the thread has the message.
 * Returns what to keep of it with the draft, and how another device's takes its place.
 */
export function useKeptReply(id: string, first: Answered): [Answered, (message: string | null) => void] {
  const composing = useStore(composingStore, (all) => all[id] ?? null);
  const [{ replyTo: awaited, quote }, setAwaited] = useState(composing ? NOTHING : first);
  const found = useQuery({
    queryKey: keys.thread(id),
    enabled: false,
    select: (thread: Thread) => thread.items.find((message) => message.id === awaited),
  }).data;
  useEffect(() => {
    if (!awaited || found?.id !== awaited) return;
    setAwaited(NOTHING);
    if (!found.deleted_at) setComposing(id, { kind: "reply", message: found, quote });
  }, [id, awaited, quote, found]);
  const take = useCallback(
    (message: string | null) => {
      const now = composingStore.get()[id];
      if (now?.kind === "edit") return;
      if (now && now.message.id !== message) setComposing(id, null);
      const isHere = now?.message.id === message;
      setAwaited(isHere ? NOTHING : { replyTo: message, quote: quoteKept(id, message) });
    },
    [id],
  );
  if (!composing) return [{ replyTo: awaited, quote }, take];
  if (composing.kind === "edit") return [NOTHING, take];
  return [{ replyTo: composing.message.id, quote: composing.quote }, take];
}

/** Takes one's last words up again to edit them; false: there are none that can be. */
export function useEditLast(id: string, features: Features | undefined): () => boolean {
  const client = useQueryClient();
  const me = useMe().actor.id;
  return () => {
    const own = client
      .getQueryData<Thread>(keys.thread(id))
      ?.items.findLast((m) => m.sender.id === me && !m.deleted_at && m.kind !== "system" && m.text !== "");
    if (!own || (own.kind === "text" && features && !features.can_edit)) return false;
    setComposing(id, { kind: "edit", message: own });
    return true;
  };
}

/** The field is as high as its words, up to its maximum. */
export function useGrowing(area: RefObject<HTMLTextAreaElement | null>, text: string): void {
  useLayoutEffect(() => {
    const box = area.current;
    if (!box) return;
    void text;
    box.style.height = "0px";
    box.style.height = `${box.scrollHeight}px`;
  }, [area, text]);
}

/** Says "typing" at most every few seconds, and "stopped" once it stopped. */
export function useTyping(conversation: string): (isOn: boolean) => void {
  const sync = useSync();
  const toldAt = useRef(0);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const tell = useCallback(
    (isOn: boolean) => {
      clearTimeout(timer.current);
      if (!isOn) {
        if (toldAt.current > 0) sync.sendTyping(conversation, false);
        toldAt.current = 0;
        return;
      }
      if (Date.now() - toldAt.current > TYPING_EVERY_MS) {
        toldAt.current = Date.now();
        sync.sendTyping(conversation, true);
      }
      timer.current = setTimeout(() => tell(false), TYPING_STOPS_MS);
    },
    [sync, conversation],
  );
  useEffect(() => () => tell(false), [tell]);
  return tell;
}
