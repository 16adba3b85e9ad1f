/** What stands in a thread besides messages: the day, the line above what is new, who types, the way down. */
import { useTranslation } from "react-i18next";
import { useNames } from "@/api/hooks";
import { useSync } from "@/api/sync";
import { Spinner } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { formatDay } from "@/lib/format";
import { useStore } from "@/lib/store";
import type { Item } from "./items";
import type { Manner } from "./manner";

/** The day on screen stays in sight above its messages. */
export function DayMark({ at }: { at: string }) {
  return (
    <div className="pointer-events-none sticky top-2 z-10 mt-3 flex justify-center">
      <span className="rounded-full bg-[color-mix(in_srgb,var(--canvas)_82%,transparent)] px-2.5 py-0.5 text-xs font-medium text-muted ring-1 ring-line backdrop-blur-sm">
        {formatDay(at)}
      </span>
    </div>
  );
}

export function Line({ item, children }: { item: Item; children: React.ReactNode }) {
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

export function Typing({ conversation, nameOf }: { conversation: string; nameOf: Manner["nameOf"] }) {
  const { t } = useTranslation();
  const { typing } = useSync();
  const all = useStore(typing);
  const writers = Object.keys(all[conversation] ?? {});
  const called = useNames(writers, nameOf);
  const names = writers.map(called).filter(Boolean);
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

export function ToNewest({ count, onClick }: { count: number; onClick: () => void }) {
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

export function Loading({ label }: { label: string }) {
  return (
    <div role="status" aria-label={label} className="flex justify-center py-2 text-faint">
      <Spinner />
    </div>
  );
}

export function Waiting() {
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
