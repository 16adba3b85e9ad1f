/** The messages of one conversation: history by pages, live by its stream, the reader's place kept. */
import { type KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useMe, useThread } from "@/api/hooks";
import { decideDelivery, moveRead } from "@/api/messages";
import type { Thread as ThreadData } from "@/api/patches";
import { useSync } from "@/api/sync";
import type { Attachment, Listed, Message } from "@/api/types";
import { Button, Empty, Spinner } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { showToast } from "@/components/overlays";
import { focusRequest, jumpRequest, setComposing } from "@/lib/desk-view";
import { errorText } from "@/lib/errors";
import { formatDay } from "@/lib/format";
import { useStore } from "@/lib/store";
import { Bubble, type BubbleDoings } from "./Bubble";
import { buildItems, byDay, type Item } from "./items";
import { Lightbox, type Viewing } from "./Lightbox";
import type { Manner } from "./manner";
import { RemoveDialog } from "./RemoveDialog";
import { useThreadScroll } from "./scrolling";

const READ_DELAY_MS = 350;
const FLASH_MS = 1_600;
/** Pages to search back for a quoted message. */
const SEARCH_PAGES = 8;

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
  const [flashed, setFlashed] = useState<string | null>(null);
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

  const flash = useCallback((key: string) => {
    setFlashed(key);
    setTimeout(() => setFlashed((now) => (now === key ? null : now)), FLASH_MS);
  }, []);
  const jump = useCallback(
    async (target: string) => {
      for (let page = 0; page <= SEARCH_PAGES; page += 1) {
        const found = latest.current.items.find((m) => m.id === target);
        if (found) {
          const key = found.client_id ?? found.id;
          await new Promise(requestAnimationFrame);
          if (toKey(key)) return flash(key);
        }
        if (!latest.current.has_before) break;
        try {
          await sync.loadMore(id, "before");
        } catch (error) {
          return showToast(errorText(error, t), { isBad: true });
        }
        await new Promise(requestAnimationFrame);
      }
      showToast(t("thread.notFound"));
    },
    [sync, id, toKey, flash, t],
  );
  const request = useStore(jumpRequest);
  useEffect(() => {
    if (request?.conversation !== id) return;
    jumpRequest.set(null);
    void (async () => {
      if (!latest.current.items.some((m) => m.id === request.id)) {
        try {
          await sync.show(id, { around: request.position });
        } catch (error) {
          return showToast(errorText(error, t), { isBad: true });
        }
        await new Promise(requestAnimationFrame);
      }
      await jump(request.id);
    })();
  }, [request, id, sync, jump, t]);
  const doings = useMemo<BubbleDoings>(
    () => ({
      reply: (message) => compose(id, "reply", message),
      edit: (message) => compose(id, "edit", message),
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

function compose(conversation: string, kind: "reply" | "edit", message: Message): void {
  setComposing(conversation, { kind, message });
  focusRequest.set({ conversation, isNote: kind === "edit" ? message.kind === "note" : false });
}

function firstUnreadOf(conversation: Listed, thread: ThreadData): number | null {
  const unread = Math.max(0, conversation.last_number - thread.read_number - thread.own_since);
  return unread > 0 ? thread.read_number + 1 : null;
}

function useLoader(id: string, side: "before" | "after", hasMore: boolean): [boolean, () => void] {
  const sync = useSync();
  const [isLoading, setLoading] = useState(false);
  const running = useRef(false);
  const load = useCallback(() => {
    if (!hasMore || running.current) return;
    running.current = true;
    setLoading(true);
    sync
      .loadMore(id, side)
      // The next scroll asks again.
      .catch(() => undefined)
      .finally(() => {
        running.current = false;
        setLoading(false);
      });
  }, [sync, id, side, hasMore]);
  return [isLoading, load];
}

const isLooking = () => document.visibilityState === "visible" && document.hasFocus();

/** Reading is being at the bottom of a window that has the person's attention. */
function useReadPosition(id: string, thread: ThreadData, isAtBottom: boolean): void {
  const sync = useSync();
  const [isSeen, setSeen] = useState(isLooking);
  useEffect(() => {
    const look = () => setSeen(isLooking());
    window.addEventListener("focus", look);
    window.addEventListener("blur", look);
    document.addEventListener("visibilitychange", look);
    return () => {
      window.removeEventListener("focus", look);
      window.removeEventListener("blur", look);
      document.removeEventListener("visibilitychange", look);
    };
  }, []);
  const last = thread.items.findLast((m) => m.number !== null)?.number ?? 0;
  const isBehind = last - thread.read_number - thread.own_since > 0;
  useEffect(() => {
    if (!isSeen || !isAtBottom || thread.has_after || !isBehind) return;
    const timer = setTimeout(() => {
      moveRead(id, last)
        .then((read) => sync.keepRead(id, read))
        // Not read on the server is read again at the next look.
        .catch(() => undefined);
    }, READ_DELAY_MS);
    return () => clearTimeout(timer);
  }, [isSeen, isAtBottom, isBehind, last, id, sync, thread.has_after]);
}

/** How many messages came while the reader was further up. */
function useNews(thread: ThreadData, isAtBottom: boolean, me: string): number {
  const seen = useRef(thread.items.at(-1)?.position ?? 0);
  if (isAtBottom && !thread.has_after)
    seen.current = Math.max(seen.current, thread.items.at(-1)?.position ?? 0);
  return thread.items.filter((m) => m.position > seen.current && m.sender.id !== me && m.kind !== "system")
    .length;
}

/** Up and down walk through messages, Enter opens the menu of one. */
function walkMessages(event: KeyboardEvent<HTMLDivElement>): void {
  const row = (event.target as HTMLElement).closest<HTMLElement>("[data-key]");
  if (!row || event.target !== row) return;
  if (event.key === "Enter") {
    event.preventDefault();
    const button = row.querySelector<HTMLElement>("[data-message-menu]");
    button?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    return;
  }
  if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
  event.preventDefault();
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>("[data-key]")];
  const next = rows[rows.indexOf(row) + (event.key === "ArrowUp" ? -1 : 1)];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

/** The day on screen stays in sight above its messages. */
function DayMark({ at }: { at: string }) {
  return (
    <div className="pointer-events-none sticky top-2 z-10 mt-3 flex justify-center">
      <span className="rounded-full bg-[color-mix(in_srgb,var(--canvas)_82%,transparent)] px-2.5 py-0.5 text-xs font-medium text-muted ring-1 ring-line backdrop-blur-sm">
        {formatDay(at)}
      </span>
    </div>
  );
}

function Line({ item, children }: { item: Item; children: React.ReactNode }) {
  const { t } = useTranslation();
  return (
    <>
      {item.isFirstUnread && (
        <div className="mt-4 mb-1 flex items-center gap-3 px-4 text-xs font-medium text-accent-ink">
          <span className="h-px flex-1 bg-accent/25" />
          {t("thread.unread")}
          <span className="h-px flex-1 bg-accent/25" />
        </div>
      )}
      {children}
    </>
  );
}

function Typing({ conversation, nameOf }: { conversation: string; nameOf: Manner["nameOf"] }) {
  const { t } = useTranslation();
  const { typing } = useSync();
  const all = useStore(typing);
  const names = Object.keys(all[conversation] ?? {})
    .map(nameOf)
    .filter(Boolean);
  return (
    <p className="h-6 px-5 pt-1 text-xs text-muted" aria-live="polite">
      {names.length > 0 && (
        <span className="fade-in inline-flex items-center gap-1.5">
          <Icon name="edit" className="shimmer size-3.5" />
          {t("thread.typing", { count: names.length, names: names.join(", ") })}
        </span>
      )}
    </p>
  );
}

function ToNewest({ count, onClick }: { count: number; onClick: () => void }) {
  const { t } = useTranslation();
  const label = count > 0 ? t("thread.new", { count }) : t("thread.newest");
  return (
    <button
      type="button"
      onClick={onClick}
      aria-label={label}
      title={label}
      className="rise-in absolute right-4 bottom-4 flex size-10 items-center justify-center rounded-full bg-raised text-muted shadow-pop hover:text-ink"
    >
      <Icon name="down" />
      {count > 0 && (
        <span className="absolute -top-1.5 flex h-5 min-w-5 items-center justify-center rounded-full bg-accent px-1.5 text-2xs font-semibold text-on-accent tabular-nums">
          {count}
        </span>
      )}
    </button>
  );
}

function Loading({ label }: { label: string }) {
  return (
    <div role="status" aria-label={label} className="flex justify-center py-2 text-faint">
      <Spinner />
    </div>
  );
}

function Waiting() {
  const { t } = useTranslation();
  return (
    <div
      role="status"
      aria-label={t("common.loading")}
      className="flex min-h-0 flex-1 flex-col justify-end gap-2 bg-canvas px-5 pb-8"
    >
      {["w-56", "w-72", "w-40 self-end", "w-64 self-end", "w-48"].map((width) => (
        <span key={width} className={`shimmer h-9 max-w-[80%] rounded-2xl bg-hover ${width}`} />
      ))}
    </div>
  );
}
