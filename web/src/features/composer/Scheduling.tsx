/** Sending later: choosing the time, and what waits for its time. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { cancelScheduled, listScheduled, type Scheduled, scheduledKey, sendScheduled } from "@/api/scheduled";
import { Button, IconButton } from "@/components/controls";
import { TextField } from "@/components/fields";
import { Icon } from "@/components/Icon";
import { Dialog, showToast } from "@/components/overlays";
import { errorText } from "@/lib/errors";
import { formatMoment } from "@/lib/format";
import { snoozePresets } from "@/lib/snooze";

interface WhenDialogProps {
  isOpen: boolean;
  onClose: () => void;
  onChoose: (at: Date) => void;
}

export function WhenDialog({ isOpen, onClose, onChoose }: WhenDialogProps) {
  const { t } = useTranslation();
  const [custom, setCustom] = useState("");
  const [error, setError] = useState<string | null>(null);
  const choose = (at: Date) => {
    onClose();
    onChoose(at);
  };
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title={t("composer.sendLater")} width="max-w-sm">
      <div className="px-3 pb-4">
        {snoozePresets(new Date()).map((preset) => (
          <button
            key={preset.name}
            type="button"
            onClick={() => choose(preset.until)}
            className="flex h-10 w-full items-center gap-3 rounded-lg px-2 text-left text-sm hover:bg-hover"
          >
            <Icon name="clock" className="size-4 text-muted" />
            <span className="flex-1">{t(`conversation.${preset.name}`)}</span>
            <span className="text-xs text-muted">{formatMoment(preset.until)}</span>
          </button>
        ))}
        <form
          noValidate
          className="mt-2 flex flex-col gap-3 border-t border-line px-2 pt-3"
          onSubmit={(event) => {
            event.preventDefault();
            const at = new Date(custom);
            if (!custom || at.getTime() <= Date.now()) setError(t("conversation.customPast"));
            else choose(at);
          }}
        >
          <TextField
            label={t("conversation.custom")}
            type="datetime-local"
            value={custom}
            error={error}
            onChange={setCustom}
          />
          <Button type="submit" className="h-9">
            {t("composer.schedule")}
          </Button>
        </form>
      </div>
    </Dialog>
  );
}

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
            ? (item.error?.message ?? t("delivery.notSaved"))
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
