/** What is to be sent later: it waits above the field, and can be sent now or not at all. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { cancelScheduled, listScheduled, type Scheduled, scheduledKey, sendScheduled } from "@/api/scheduled";
import { IconButton } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { Dialog, showToast } from "@/components/overlays";
import { errorText } from "@/lib/errors";
import { formatMoment } from "@/lib/format";

/** Above the field: what waits here, and what can be done with it. */
export function ScheduledBar({ conversation }: { conversation: string }) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  const items = useQuery({
    queryKey: scheduledKey(conversation),
    queryFn: () => listScheduled(conversation),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  }).data;
  if (!items?.length) return null;
  return (
    <>
      <button
        type="button"
        onClick={() => setOpen(true)}
        className="mb-1.5 flex h-7 items-center gap-2 rounded-lg px-2 text-xs text-muted hover:bg-hover hover:text-ink"
      >
        <Icon name="clock" className="size-3.5" />
        {t("composer.scheduled", { count: items.length })}
      </button>
      <Dialog isOpen={isOpen} onClose={() => setOpen(false)} title={t("composer.scheduledTitle")}>
        <ul className="min-h-0 overflow-y-auto px-3 pb-4">
          {items.map((item) => (
            <Line key={item.id} item={item} />
          ))}
        </ul>
      </Dialog>
    </>
  );
}

function Line({ item }: { item: Scheduled }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const attempt = async (job: () => Promise<unknown>) => {
    try {
      await job();
    } catch (error) {
      showToast(errorText(error, t), { isBad: true });
    }
    await client.invalidateQueries({ queryKey: scheduledKey(item.conversation_id) });
  };
  const { id, conversation_id } = item;
  return (
    <li className="flex items-center gap-2 rounded-lg px-2 py-1.5 hover:bg-hover">
      <span className="min-w-0 flex-1">
        <span dir="auto" className="line-clamp-2 text-left text-sm [overflow-wrap:anywhere]">
          {item.text || (item.attachments[0] && t(`kinds.${item.attachments[0].kind}`))}
        </span>
        <span className={`block text-xs ${item.state === "failed" ? "text-bad" : "text-muted"}`}>
          {item.state === "failed"
            ? item.error
              ? t(`errors.${item.error.code}`, { defaultValue: item.error.message })
              : t("delivery.notSaved")
            : formatMoment(item.send_at)}
        </span>
      </span>
      <IconButton
        icon="send"
        label={t("composer.sendNow")}
        onClick={() => void attempt(() => sendScheduled(conversation_id, id))}
      />
      <IconButton
        icon="trash"
        label={t("composer.cancelScheduled")}
        onClick={() => void attempt(() => cancelScheduled(conversation_id, id))}
      />
    </li>
  );
}
