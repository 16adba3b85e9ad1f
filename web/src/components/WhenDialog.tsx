/** Asks for a moment to come: some that are often meant, or one's own. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { formatMoment } from "@/lib/format";
import { snoozePresets } from "@/lib/snooze";
import { Button } from "./controls";
import { DateField } from "./DateField";
import { Icon } from "./Icon";
import { Dialog } from "./overlays";

interface WhenDialogProps {
  isOpen: boolean;
  title: string;
  /** What is done at that moment, on the button. */
  action: string;
  onClose: () => void;
  onChoose: (at: Date) => void;
}

export function WhenDialog({ isOpen, title, action, onClose, onChoose }: WhenDialogProps) {
  const choose = (at: Date) => {
    onClose();
    onChoose(at);
  };
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title={title} width="max-w-sm">
      {isOpen && <When action={action} onChoose={choose} />}
    </Dialog>
  );
}

function When({ action, onChoose }: { action: string; onChoose: (at: Date) => void }) {
  const { t } = useTranslation();
  const [custom, setCustom] = useState("");
  const [error, setError] = useState<string | null>(null);
  return (
    <div className="overflow-y-auto px-3 pt-1 pb-4">
      {snoozePresets(new Date()).map((preset, index) => (
        <button
          key={preset.name}
          type="button"
          autoFocus={index === 0}
          onClick={() => onChoose(preset.until)}
          className="flex h-10 w-full items-center gap-3 rounded-lg px-2 text-left text-sm hover:bg-hover"
        >
          <Icon name="clock" className="size-4 text-muted" />
          <span className="flex-1">{t(`conversation.${preset.name}`)}</span>
          <span className="text-xs text-muted">{formatMoment(preset.until)}</span>
        </button>
      ))}
      <form
        noValidate
        className="mt-2 flex flex-wrap items-end gap-2 border-t border-line px-2 pt-3"
        onSubmit={(event) => {
          event.preventDefault();
          const at = new Date(custom);
          if (!custom || at.getTime() <= Date.now()) setError(t("conversation.customPast"));
          else onChoose(at);
        }}
      >
        <div className="min-w-52 flex-1">
          <DateField
            label={t("conversation.custom")}
            type="datetime-local"
            none={t("fields.pickMoment")}
            value={custom}
            error={error}
            onChange={setCustom}
          />
        </div>
        <Button type="submit" className="mt-[25px] h-9 self-start max-sm:mt-0 max-sm:w-full">
          {action}
        </Button>
      </form>
    </div>
  );
}
