/** Changing the words or the time of a message that waits; one that was not sent waits again by it. */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { changeScheduled, type Scheduled, scheduledKeys } from "@/api/scheduled";
import { Button } from "@/components/controls";
import { DateField } from "@/components/DateField";
import { FormError, TextAreaField } from "@/components/fields";
import { errorText } from "@/lib/errors";
import { toLocalMoment } from "@/lib/format";
import { moveEntities } from "@/lib/richtext";
import { WhenOrWhy } from "./ScheduledLine";

const LONGEST = 16_000;
const HOUR_MS = 3_600_000;

export function EditScheduled({ item, onDone }: { item: Scheduled; onDone: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [text, setText] = useState(item.text);
  const [when, setWhen] = useState(() =>
    toLocalMoment(
      Date.parse(item.send_at) > Date.now() ? new Date(item.send_at) : new Date(Date.now() + HOUR_MS),
    ),
  );
  const [timeError, setTimeError] = useState<string | null>(null);
  const [refusal, setRefusal] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const words = text.trim();
  const isEmpty = words === "" && item.attachments.length === 0;
  const save = async () => {
    const at = new Date(when);
    if (!when || at.getTime() <= Date.now()) return setTimeError(t("conversation.customPast"));
    setBusy(true);
    setRefusal(null);
    try {
      // What was not touched keeps its seconds.
      const isMoved = when !== toLocalMoment(new Date(item.send_at));
      await changeScheduled(item.conversation_id, item.id, {
        send_at: isMoved ? at.toISOString() : item.send_at,
        ...(words === item.text
          ? {}
          : { text: words, entities: moveEntities(item.entities, item.text, words) }),
      });
      await client.invalidateQueries({ queryKey: scheduledKeys.every });
      onDone();
    } catch (error) {
      setRefusal(errorText(error, t));
      setBusy(false);
    }
  };
  return (
    <form
      noValidate
      className="flex min-h-0 flex-col gap-3 overflow-y-auto px-5 pb-5"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isEmpty && !isBusy) void save();
      }}
    >
      {item.state === "failed" && !refusal && (
        <FormError>
          <WhenOrWhy item={item} />
        </FormError>
      )}
      <FormError>{refusal}</FormError>
      <TextAreaField
        label={t("composer.label")}
        value={text}
        rows={5}
        dir="auto"
        autoFocus
        maxLength={LONGEST}
        onChange={setText}
      />
      {item.attachments.length > 0 && (
        <p className="text-xs text-muted">{t("composer.filesStay", { count: item.attachments.length })}</p>
      )}
      <DateField
        label={t("composer.sendAt")}
        type="datetime-local"
        none={t("fields.pickMoment")}
        value={when}
        error={timeError}
        onChange={(value) => {
          setWhen(value);
          setTimeError(null);
        }}
      />
      <div className="flex justify-end gap-2 pt-1">
        <Button onClick={onDone}>{t("common.cancel")}</Button>
        <Button type="submit" tone="primary" isBusy={isBusy} disabled={isEmpty}>
          {t("common.save")}
        </Button>
      </div>
    </form>
  );
}
