/** Asks before a message is deleted, and for whom. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { deleteMessage } from "@/api/messages";
import { useSync } from "@/api/sync";
import type { Message } from "@/api/types";
import { Button } from "@/components/controls";
import { Dialog, showToast } from "@/components/overlays";
import { errorText } from "@/lib/errors";
import type { Manner } from "./manner";

interface RemoveDialogProps {
  message: Message | null;
  manner: Manner;
  onClose: () => void;
}

export function RemoveDialog({ message, manner, onClose }: RemoveDialogProps) {
  const { t } = useTranslation();
  const sync = useSync();
  const [isBusy, setBusy] = useState(false);
  const remove = async (whom: "all" | "me") => {
    if (!message) return;
    setBusy(true);
    try {
      const stored = await deleteMessage(message.conversation_id, message.id, whom);
      if (whom === "all") sync.keepMessage(stored);
      else sync.hideMessage(message);
      onClose();
    } catch (error) {
      showToast(errorText(error, t), { isBad: true });
    } finally {
      setBusy(false);
    }
  };
  const canHide = message !== null && manner.can.hide(message);
  const canDelete = message !== null && manner.can.delete(message);
  return (
    <Dialog isOpen={message !== null} onClose={onClose} title={t("thread.deleteTitle")} width="max-w-sm">
      <p className="px-5 pb-4 text-muted">{canDelete ? manner.deleteText : t("chats.hideText")}</p>
      <div className="flex flex-wrap justify-end gap-2 px-5 pb-5">
        <Button onClick={onClose}>{t("common.cancel")}</Button>
        {canHide && (
          <Button isBusy={isBusy} onClick={() => void remove("me")}>
            {t("chats.hide")}
          </Button>
        )}
        {canDelete && (
          <Button tone="danger" isBusy={isBusy} onClick={() => void remove("all")}>
            {t(canHide ? "chats.deleteForAll" : "common.delete")}
          </Button>
        )}
      </div>
    </Dialog>
  );
}
