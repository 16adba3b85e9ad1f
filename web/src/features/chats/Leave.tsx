/** Leaving a chat: asked first, for the way back is not one's own. */
import { useTranslation } from "react-i18next";
import { leaveChat } from "@/api/chats";
import type { Chat } from "@/api/types";
import { Confirm } from "@/components/overlays";
import { useTry } from "@/components/trying";
import { navigate, openChatOf } from "@/lib/router";

/** `chat`: the one to leave; null while nothing is asked. */
export function LeaveConfirm({ chat, onClose }: { chat: Chat | null; onClose: () => void }) {
  const { t } = useTranslation();
  const attempt = useTry();
  const leave = async () => {
    if (!chat) return;
    const isLeft = await attempt.run(() => leaveChat(chat.id));
    onClose();
    if (isLeft && openChatOf(location.pathname) === chat.id) navigate("/chats");
  };
  return (
    <Confirm
      isOpen={chat !== null}
      title={t("chats.leaveTitle")}
      text={t("chats.leaveText")}
      action={t("chats.leave")}
      isBusy={attempt.isBusy}
      onConfirm={() => void leave()}
      onClose={onClose}
    />
  );
}
