/** What is pinned, above the messages: a click goes to it, and shows the one pinned before. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { chatKeys } from "@/api/chat-cache";
import { listPins } from "@/api/messages";
import { Icon } from "@/components/Icon";
import { jumpRequest } from "@/lib/desk-view";

export const usePins = (conversation: string) =>
  useQuery({
    queryKey: chatKeys.pins(conversation),
    queryFn: () => listPins(conversation),
    staleTime: Number.POSITIVE_INFINITY,
  });

export function PinBar({ conversation }: { conversation: string }) {
  const { t } = useTranslation();
  const pins = usePins(conversation).data ?? [];
  const [index, setIndex] = useState(0);
  const at = index % Math.max(1, pins.length);
  const pin = pins[at];
  if (!pin) return null;
  const { message } = pin;
  const go = () => {
    jumpRequest.set({ conversation, id: message.id, position: message.position });
    setIndex(at + 1);
  };
  return (
    <button
      type="button"
      onClick={go}
      aria-label={t("chats.pinned", { text: message.text })}
      className="flex h-11 w-full shrink-0 items-center gap-2.5 border-b border-line bg-surface px-4 text-left text-sm outline-offset-[-2px] hover:bg-hover"
    >
      <Icon name="pin" className="size-4 text-accent-ink" />
      <span className="min-w-0 flex-1">
        <span className="block text-2xs leading-tight font-semibold text-accent-ink">
          {t("chats.pinnedMessage")}
          {pins.length > 1 && ` ${t("media.of", { index: at + 1, total: pins.length })}`}
        </span>
        <span dir="auto" className="block truncate text-left text-xs text-muted">
          {message.sender.name.split(/\s+/)[0]}:{" "}
          {message.text || (message.attachments[0] && t(`kinds.${message.attachments[0].kind}`))}
        </span>
      </span>
    </button>
  );
}
