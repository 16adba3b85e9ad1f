/** Small parts of the composer. */
import { useTranslation } from "react-i18next";
import { IconButton, Spinner } from "@/components/controls";
import { Icon, type IconName } from "@/components/Icon";
import type { Composing } from "@/lib/desk-view";

/** When to start telling how many characters are left. */
const COUNT_FROM = 0.85;

export function ModeSwitch({
  isNote,
  isReplyPossible,
  onChange,
}: {
  isNote: boolean;
  isReplyPossible: boolean;
  onChange: (isNote: boolean) => void;
}) {
  const { t } = useTranslation();
  const look =
    "rounded-md px-2.5 py-1 text-xs font-medium text-muted pointer-coarse:min-h-10 hover:text-ink aria-pressed:text-ink disabled:opacity-40";
  return (
    <div role="group" aria-label={t("composer.label")} className="ml-0.5 flex rounded-lg bg-hover p-0.5">
      <button
        type="button"
        aria-pressed={!isNote}
        disabled={!isReplyPossible}
        onClick={() => onChange(false)}
        className={`${look} aria-pressed:bg-surface aria-pressed:shadow-sm dark:aria-pressed:bg-line-strong`}
      >
        {t("composer.reply")}
      </button>
      <button
        type="button"
        aria-pressed={isNote}
        onClick={() => onChange(true)}
        className={`${look} aria-pressed:bg-note-line aria-pressed:text-note`}
      >
        {t("composer.note")}
      </button>
    </div>
  );
}

export function TextCount({ length, limit }: { length: number; limit: number }) {
  const { t } = useTranslation();
  if (length < limit * COUNT_FROM) return null;
  const isOver = length > limit;
  return (
    <span
      title={isOver ? t("composer.tooLong") : undefined}
      role={isOver ? "alert" : undefined}
      className={`px-1.5 text-xs tabular-nums ${isOver ? "font-medium text-bad" : "text-muted"}`}
    >
      {limit - length}
    </span>
  );
}

export function ComposingBar({
  composing,
  onCancel,
}: {
  composing: NonNullable<Composing>;
  onCancel: () => void;
}) {
  const { t } = useTranslation();
  const isEdit = composing.kind === "edit";
  const { message } = composing;
  const quote = composing.kind === "reply" ? composing.quote : null;
  return (
    <div className="flex items-center gap-2.5 px-3 pt-2">
      <Icon name={isEdit ? "edit" : "reply"} className="size-4 text-accent-ink" />
      <div className="min-w-0 flex-1 border-l-2 border-accent pl-2.5 text-xs">
        <p className="font-semibold text-accent-ink">
          {isEdit
            ? t("composer.editing")
            : t(quote ? "composer.quoting" : "composer.replyingTo", { name: message.sender.name })}
        </p>
        <p className="truncate text-muted">
          {quote || message.text || (message.attachments[0] && t(`kinds.${message.attachments[0].kind}`))}
        </p>
      </div>
      <IconButton
        icon="close"
        label={t(isEdit ? "composer.cancelEdit" : "composer.cancelReply")}
        className="size-7"
        onClick={onCancel}
      />
    </div>
  );
}

/** Why nothing can be sent at the moment. */
export function ObstacleNote({ text }: { text: string }) {
  return (
    <p
      role="status"
      className="mb-2 flex items-start gap-2 rounded-lg bg-warn-soft px-3 py-2 text-sm text-warn"
    >
      <Icon name="alert" className="mt-px size-4" />
      {text}
    </p>
  );
}

interface SendButtonProps {
  label: string;
  icon: IconName;
  isBusy: boolean;
  isDisabled: boolean;
  onClick: () => void;
}

export function SendButton({ label, icon, isBusy, isDisabled, onClick }: SendButtonProps) {
  const { t } = useTranslation();
  return (
    <button
      type="button"
      onClick={onClick}
      disabled={isDisabled}
      aria-label={label}
      title={t("composer.hint")}
      className="ml-1 flex h-8 w-9 pointer-coarse:size-10 items-center justify-center rounded-lg bg-accent text-on-accent transition-[filter,background] hover:brightness-110 disabled:bg-hover disabled:text-faint"
    >
      {isBusy ? <Spinner /> : <Icon name={icon} />}
    </button>
  );
}
