/** How far an outgoing message has come, and what a person can decide when it stands still. */
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { decideDelivery } from "@/api/messages";
import type { PendingMessage } from "@/api/outbox";
import { useSync } from "@/api/sync";
import type { DeliveryState, Message } from "@/api/types";
import { Icon, type IconName } from "@/components/Icon";
import { showToast } from "@/components/overlays";
import { errorText } from "@/lib/errors";

const ICONS: Record<DeliveryState, IconName> = {
  queued: "clock",
  sending: "clock",
  sent: "check",
  delivered: "checks",
  read: "checks",
  failed: "alert",
  unknown: "question",
  cancelled: "close",
};
const TONES: Partial<Record<DeliveryState, string>> = {
  read: "text-accent-ink",
  failed: "text-bad",
  unknown: "text-warn",
};

/** A queue longer than this is worth a word. */
const LATE_MS = 4_000;

export function DeliveryMark({
  message,
  pending,
  receipt,
}: {
  message: Message;
  pending: PendingMessage | null;
  /** What is known where no provider tells. */
  receipt: DeliveryState | null;
}) {
  const { t } = useTranslation();
  const state: DeliveryState | null = pending
    ? pending.state === "failed"
      ? "failed"
      : "queued"
    : (message.status?.state ?? receipt);
  if (!state) return null;
  const label = pending
    ? t(pending.state === "failed" ? "delivery.notSaved" : "delivery.waiting")
    : t(`delivery.${state}`);
  return (
    <span title={label} data-delivery={state} className={`inline-flex ${TONES[state] ?? ""}`}>
      <Icon name={ICONS[state]} className="size-[14px]" />
      <span className="sr-only">{label}</span>
    </span>
  );
}

/** Below a message that failed or is not certain: the reason, and the ways on. */
export function DeliveryTrouble({ message, pending }: { message: Message; pending: PendingMessage | null }) {
  const { t } = useTranslation();
  const { outbox } = useSync();
  const { decide, busy } = useDecision(message);
  if (pending) {
    if (pending.state !== "failed") return null;
    const known = t(`errors.${pending.error?.code}`, { defaultValue: "" });
    return (
      <Trouble tone="bad" title={t("delivery.notSaved")} reason={known || pending.error?.text}>
        <Way label={t("delivery.retry")} onClick={() => outbox.retry(pending.client_id)} />
        <Way label={t("delivery.discard")} onClick={() => outbox.discard(pending.client_id)} />
      </Trouble>
    );
  }
  if (message.status?.state === "failed") {
    return (
      <Trouble tone="bad" title={t("delivery.failed")} reason={message.status.error?.text}>
        <Way label={t("delivery.retry")} isBusy={busy} onClick={() => decide("retry")} />
      </Trouble>
    );
  }
  if (message.status?.state === "queued") {
    return (
      <Late since={message.created_at}>
        <Way label={t("delivery.cancel")} isBusy={busy} onClick={() => decide("cancel")} />
      </Late>
    );
  }
  if (message.status?.state === "unknown") {
    return (
      <Trouble tone="warn" title={t("delivery.unknown")} reason={t("delivery.unknownText")}>
        <Way label={t("delivery.sendAgain")} isBusy={busy} onClick={() => decide("send_again")} />
        <Way label={t("delivery.markSent")} isBusy={busy} onClick={() => decide("mark_sent")} />
      </Trouble>
    );
  }
  return null;
}

type Decision = "retry" | "send_again" | "mark_sent" | "cancel";

function useDecision(message: Message) {
  const { t } = useTranslation();
  const sync = useSync();
  const [busy, setBusy] = useState(false);
  const decide = async (action: Decision) => {
    setBusy(true);
    try {
      sync.keepMessage(await decideDelivery(message.conversation_id, message.id, action));
    } catch (error) {
      showToast(errorText(error, t), { isBad: true });
    } finally {
      setBusy(false);
    }
  };
  return { decide: (action: Decision) => void decide(action), busy };
}

/** What still waits after a while can be called back; what leaves at once is not spoken of. */
function Late({ since, children }: { since: string; children: React.ReactNode }) {
  const { t } = useTranslation();
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), Math.max(0, Date.parse(since) + LATE_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [since]);
  if (!isLate) return null;
  return (
    <div className="mt-1 flex items-center text-xs text-muted">
      {t("delivery.queued")} · {children}
    </div>
  );
}

function Trouble({
  tone,
  title,
  reason,
  children,
}: {
  tone: "bad" | "warn";
  title: string;
  reason?: string;
  children: React.ReactNode;
}) {
  return (
    <div className="mt-1 flex max-w-[420px] flex-col items-end text-right text-xs" role="status">
      <p>
        <span className={`font-medium ${tone === "bad" ? "text-bad" : "text-warn"}`}>{title}</span>
        {reason && <span className="text-muted"> · {reason}</span>}
      </p>
      <p className="-mr-1.5 flex">{children}</p>
    </div>
  );
}

function Way({ label, isBusy, onClick }: { label: string; isBusy?: boolean; onClick: () => void }) {
  return (
    <button
      type="button"
      disabled={isBusy}
      onClick={onClick}
      className="rounded-md px-1.5 py-1 font-medium text-accent-ink hover:bg-hover disabled:opacity-50"
    >
      {label}
    </button>
  );
}
