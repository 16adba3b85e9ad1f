/** What is to be sent later in a chat: it waits above the field, and can be changed, sent now or not at all. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useScheduled } from "@/api/hooks";
import { Icon } from "@/components/Icon";
import { Dialog } from "@/components/overlays";
import { EditScheduled } from "./EditScheduled";
import { ScheduledLine } from "./ScheduledLine";

export function ScheduledBar({ conversation }: { conversation: string }) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  const [edited, setEdited] = useState<string | null>(null);
  const items = useScheduled(conversation).data;
  const editing = items?.find((one) => one.id === edited);
  // Of nothing there is no dialog: the next that waits must not open one by itself.
  if (items?.length === 0 && isOpen) setOpen(false);
  if (!items?.length) return null;
  const close = () => {
    setOpen(false);
    setEdited(null);
  };
  return (
    <>
      <button
        type="button"
        onClick={() => setOpen(true)}
        className="mb-1.5 flex h-7 pointer-coarse:h-10 items-center gap-2 rounded-lg px-2 text-xs text-muted hover:bg-hover hover:text-ink"
      >
        <Icon name="clock" className="size-3.5" />
        {t("composer.scheduled", { count: items.length })}
      </button>
      <Dialog
        isOpen={isOpen}
        onClose={close}
        title={t(editing ? "composer.scheduledOne" : "composer.scheduledTitle")}
      >
        {editing ? (
          <EditScheduled item={editing} onDone={() => setEdited(null)} />
        ) : (
          <ul className="min-h-0 overflow-y-auto px-3 pb-4">
            {items.map((item) => (
              <ScheduledLine key={item.id} item={item} onEdit={() => setEdited(item.id)} />
            ))}
          </ul>
        )}
      </Dialog>
    </>
  );
}
