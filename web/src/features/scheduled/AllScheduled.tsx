/** What is to be sent later in all chats, the next first. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useChats, useScheduled } from "@/api/hooks";
import { Empty } from "@/components/controls";
import { Dialog } from "@/components/overlays";
import { RowsFailed, RowsLoading } from "@/features/list/Rows";
import { chatTitle } from "@/lib/chat-view";
import { chatPath, navigate } from "@/lib/router";
import { EditScheduled } from "./EditScheduled";
import { ScheduledLine } from "./ScheduledLine";

export function AllScheduled() {
  const { t } = useTranslation();
  const scheduled = useScheduled(null);
  const chats = useChats().data;
  const [edited, setEdited] = useState<string | null>(null);
  const editing = scheduled.data?.find((one) => one.id === edited);
  const nameOf = (id: string) => {
    const chat = chats?.find((one) => one.id === id);
    return chat ? (chatTitle(chat) ?? t(`chats.untitled.${chat.kind}`)) : t("chats.gone");
  };
  if (scheduled.isPending) return <RowsLoading />;
  if (!scheduled.data) return <RowsFailed onRetry={() => void scheduled.refetch()} />;
  if (scheduled.data.length === 0) return <Empty icon="clock" title={t("chats.none.scheduled")} />;
  return (
    <>
      <ul aria-label={t("composer.scheduledTitle")} className="min-h-0 flex-1 overflow-y-auto p-1.5">
        {scheduled.data.map((item) => (
          <ScheduledLine
            key={item.id}
            item={item}
            place={{
              name: nameOf(item.conversation_id),
              open: () => navigate(chatPath(item.conversation_id)),
            }}
            onEdit={() => setEdited(item.id)}
          />
        ))}
      </ul>
      <Dialog
        isOpen={editing !== undefined}
        onClose={() => setEdited(null)}
        title={t("composer.scheduledOne")}
      >
        {editing && <EditScheduled key={editing.id} item={editing} onDone={() => setEdited(null)} />}
      </Dialog>
    </>
  );
}
