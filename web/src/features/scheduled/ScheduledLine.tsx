/** One message that is to be sent later: what it says and when, or why it was not sent, and what can be done with it. */
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { cancelScheduled, type Scheduled, scheduledKeys, sendScheduled } from "@/api/scheduled";
import { IconButton } from "@/components/controls";
import { useTry } from "@/components/trying";
import { formatMoment } from "@/lib/format";

const SIZE = "size-8 pointer-coarse:size-10";

interface ScheduledLineProps {
  item: Scheduled;
  /** Where it is to be sent, where that is not plain. */
  place?: { name: string; open: () => void };
  onEdit: () => void;
}

export function ScheduledLine({ item, place, onEdit }: ScheduledLineProps) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const { isBusy, run } = useTry();
  const attempt = async (job: () => Promise<unknown>) => {
    await run(job);
    await client.invalidateQueries({ queryKey: scheduledKeys.every });
  };
  const { id, conversation_id } = item;
  return (
    <li className="flex items-center gap-1 rounded-lg py-1.5 pr-1 pl-2 hover:bg-hover">
      <span className="min-w-0 flex-1">
        {place && (
          <button
            type="button"
            dir="auto"
            onClick={place.open}
            className="relative block max-w-full truncate text-left text-sm font-medium hover:underline pointer-coarse:-mt-2 pointer-coarse:min-h-10 pointer-coarse:pt-2"
          >
            {place.name}
          </button>
        )}
        <span dir="auto" className="line-clamp-2 text-left text-sm [overflow-wrap:anywhere]">
          {item.text || (item.attachments[0] && t(`kinds.${item.attachments[0].kind}`))}
        </span>
        <span className={`block text-xs ${item.state === "failed" ? "text-bad" : "text-muted"}`}>
          <WhenOrWhy item={item} />
        </span>
      </span>
      <IconButton
        icon="edit"
        label={t("composer.changeScheduled")}
        className={SIZE}
        disabled={isBusy}
        onClick={onEdit}
      />
      <IconButton
        icon="send"
        label={t("composer.sendNow")}
        className={SIZE}
        disabled={isBusy}
        onClick={() => void attempt(() => sendScheduled(conversation_id, id))}
      />
      <IconButton
        icon="trash"
        label={t("composer.cancelScheduled")}
        className={SIZE}
        disabled={isBusy}
        onClick={() => void attempt(() => cancelScheduled(conversation_id, id))}
      />
    </li>
  );
}

export function WhenOrWhy({ item }: { item: Scheduled }) {
  const { t } = useTranslation();
  if (item.state !== "failed") return formatMoment(item.send_at);
  const { error } = item;
  return error ? t(`errors.${error.code}`, { defaultValue: error.message }) : t("delivery.notSaved");
}
