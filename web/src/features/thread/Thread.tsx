/** The messages of one conversation: history by pages, live by its stream, the reader's place kept. */
import {
  type KeyboardEvent,
  type MouseEvent,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { useTranslation } from "react-i18next";
import { useMe, useThread } from "@/api/hooks";
import { decideDelivery } from "@/api/messages";
import type { Thread as ThreadData } from "@/api/patches";
import { useSync } from "@/api/sync";
import type { Attachment, Listed, Message } from "@/api/types";
import { Button, Empty } from "@/components/controls";
import { showToast } from "@/components/overlays";
import { type Composing, focusRequest, setComposing } from "@/lib/desk-view";
import { errorText } from "@/lib/errors";
import { useStore } from "@/lib/store";
import { Bubble, type BubbleDoings } from "./Bubble";
import { buildItems, byDay } from "./items";
import { useJumps } from "./jumping";
import { Lightbox, type Viewing } from "./Lightbox";
import type { Manner } from "./manner";
import { DayMark, Line, Loading, ToNewest, Typing, Waiting } from "./marks";
import { RemoveDialog } from "./RemoveDialog";
import { firstUnreadOf, useLoader, useNews, useReadPosition } from "./reading";
import { useThreadScroll } from "./scrolling";

interface ThreadProps {
  conversation: Listed;
  manner: Manner;
}

export function Thread({ conversation, manner }: ThreadProps) {
  const { t } = useTranslation();
  const thread = useThread(conversation.id);
  if (thread.data) return <Loaded conversation={conversation} manner={manner} thread={thread.data} />;
  if (thread.isError) {
    return (
      <Empty icon="alert" title={t("thread.failed")} text={errorText(thread.error, t)}>
        <Button onClick={() => void thread.refetch()}>{t("common.retry")}</Button>
      </Empty>
    );
  }
  return <Waiting />;
}

function Loaded({ conversation, manner, thread }: ThreadProps & { thread: ThreadData }) {
  const { t } = useTranslation();
  const sync = useSync();
  const me = useMe().actor;
  const id = conversation.id;
  const pending = useStore(sync.outbox.store);
  const [firstUnread] = useState(() => firstUnreadOf(conversation, thread));
  const items = useMemo(
    () =>
      buildItems(
        thread,
        pending.filter((one) => one.conversation_id === id),
        me,
        firstUnread,
        manner,
      ),
    [thread, pending, me, firstUnread, id, manner],
  );
  const scroller = useRef<HTMLDivElement>(null);
  const [isLoadingOlder, loadOlder] = useLoader(id, "before", thread.has_before);
  const [, loadNewer] = useLoader(id, "after", thread.has_after);
  const [startAt] = useState(() => items.find((item) => item.isFirstUnread)?.key ?? null);
  const scroll = useThreadScroll({
    scroller,
    version: items,
    startAt,
    onNearTop: loadOlder,
    onNearBottom: loadNewer,
  });
  const [viewing, setViewing] = useState<Viewing | null>(null);
  const [removing, setRemoving] = useState<Message | null>(null);
  const latest = useRef(thread);
  latest.current = thread;

  useReadPosition(id, thread, scroll.isAtBottom);
  const news = useNews(thread, scroll.isAtBottom, me.id);
  const isOwnNew = pending.some((one) => one.conversation_id === id && one.state === "waiting");
  const { toBottom, toKey } = scroll;
  const toNewest = useCallback(async () => {
    if (latest.current.has_after)
      await sync.show(id, null).catch((error) => showToast(errorText(error, t), { isBad: true }));
    requestAnimationFrame(toBottom);
  }, [sync, id, toBottom, t]);
  useEffect(() => {
    if (isOwnNew) void toNewest();
  }, [isOwnNew, toNewest]);

  const [flashed, jump] = useJumps(id, thread, toKey);
  const doings = useMemo<BubbleDoings>(
    () => ({
      reply: (message, quote) => compose(id, { kind: "reply", message, quote }),
      edit: (message) => compose(id, { kind: "edit", message }),
      remove: setRemoving,
      jump: (target) => void jump(target),
      view: (pictures: Attachment[], index: number) => setViewing({ pictures, index }),
      react: (message, emoji, isOn) =>
        void sync
          .react(message, emoji, isOn)
          .catch((error) => showToast(errorText(error, t), { isBad: true })),
      cancel: (message) =>
        void decideDelivery(id, message.id, "cancel")
          .then((stored) => sync.keepMessage(stored))
          .catch((error) => showToast(errorText(error, t), { isBad: true })),
    }),
    [id, jump, sync, t],
  );

  return (
    <div className="relative min-h-0 flex-1 bg-canvas">
      <div
        ref={scroller}
        role="log"
        aria-label={t("thread.label")}
        aria-live="polite"
        onScroll={scroll.onScroll}
        onKeyDown={walkMessages}
        onContextMenu={askMenu}
        className="h-full overflow-x-hidden overflow-y-auto overscroll-contain [overflow-anchor:none]"
      >
        <div className="flex min-h-full flex-col justify-end pt-3 pb-2">
          {isLoadingOlder && <Loading label={t("thread.loadingOlder")} />}
          {items.length === 0 && (
            <p className="m-auto px-6 text-center text-sm text-balance text-muted">{manner.emptyText}</p>
          )}
          {byDay(items).map((day) => (
            <section key={day[0]?.message.created_at.slice(0, 10)} className="flex flex-col">
              <DayMark at={day[0]?.message.created_at ?? ""} />
              {day.map((item) => (
                <Line key={item.key} item={item}>
                  <Bubble
                    isLast={item === items.at(-1)}
                    item={item}
                    me={me.id}
                    isFlashed={flashed === item.key}
                    manner={manner}
                    receipt={item.pending ? null : manner.receiptOf(item.message)}
                    doings={doings}
                  />
                </Line>
              ))}
            </section>
          ))}
          {!thread.has_after && <Typing conversation={id} nameOf={manner.nameOf} />}
        </div>
      </div>
      {(!scroll.isAtBottom || thread.has_after) && <ToNewest count={news} onClick={() => void toNewest()} />}
      <Lightbox viewing={viewing} onClose={() => setViewing(null)} />
      <RemoveDialog message={removing} manner={manner} onClose={() => setRemoving(null)} />
    </div>
  );
}

function compose(conversation: string, composing: NonNullable<Composing>): void {
  const { kind, message } = composing;
  setComposing(conversation, composing);
  focusRequest.set({ conversation, isNote: kind === "edit" ? message.kind === "note" : false });
}

/** The second button opens the message's menu, but for what has one of its own: links, pictures, chosen words. */
function askMenu(event: MouseEvent<HTMLDivElement>): void {
  const target = event.target as HTMLElement;
  const row = target.closest<HTMLElement>("[data-key]");
  if (!row || target.closest("a, img, video, audio") || !getSelection()?.isCollapsed) return;
  if (openMenu(row)) event.preventDefault();
}

function openMenu(row: HTMLElement): boolean {
  const button = row.querySelector<HTMLElement>("[data-message-menu]");
  button?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  return button !== null;
}

/** Up and down walk through messages; Enter, the menu key or Shift+F10 opens the menu of one. */
function walkMessages(event: KeyboardEvent<HTMLDivElement>): void {
  const row = (event.target as HTMLElement).closest<HTMLElement>("[data-key]");
  if (!row || event.target !== row) return;
  if (event.key === "Enter" || event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
    event.preventDefault();
    openMenu(row);
    return;
  }
  if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
  event.preventDefault();
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>("[data-key]")];
  const next = rows[rows.indexOf(row) + (event.key === "ArrowUp" ? -1 : 1)];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}
