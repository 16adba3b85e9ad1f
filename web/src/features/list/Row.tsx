/** One conversation of the list: who, what was said last, when, and what needs attention. */
import { memo } from "react";
import { useTranslation } from "react-i18next";
import type { DeskConversation, Snippet } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Icon } from "@/components/Icon";
import { conversationMenuStore } from "@/lib/desk-view";
import { formatMoment, formatShort } from "@/lib/format";
import { LastMessage, UnreadBadge } from "./LastMessage";
import { MenuRow } from "./MenuRow";

interface RowProps {
  conversation: DeskConversation;
  isOpen: boolean;
  /** Among conversations of any status each says its own. */
  showsStatus: boolean;
  draft: string | undefined;
  me: string;
  onOpen: (id: string) => void;
}

export const Row = memo(function Row({ conversation, isOpen, showsStatus, draft, me, onOpen }: RowProps) {
  const { t } = useTranslation();
  const { contact, last_message: last, unread, assignee } = conversation;
  const isUnread = unread > 0;
  return (
    <MenuRow
      id={conversation.id}
      name={contact.name}
      isOpen={isOpen}
      onOpen={onOpen}
      onMenu={conversationMenuStore.set}
    >
      <Avatar id={contact.id} name={contact.name} />
      <span className="flex min-w-0 flex-1 flex-col gap-0.5">
        <span className="flex items-baseline gap-2">
          <span
            dir="auto"
            className={`min-w-0 flex-1 truncate text-left ${isUnread ? "font-semibold" : "font-medium"}`}
          >
            {contact.name}
          </span>
          <span
            className={`shrink-0 text-xs tabular-nums group-focus-within:invisible group-hover:invisible pointer-coarse:visible! ${isUnread ? "text-accent-ink" : "text-muted"}`}
          >
            {showsStatus &&
              ["pending", "resolved"].includes(conversation.status) &&
              `${t(`status.${conversation.status}`)} · `}
            <Moment conversation={conversation} />
          </span>
        </span>
        <span className="flex items-center gap-2">
          <span className="flex min-w-0 flex-1 items-center gap-1 text-sm text-muted">
            {draft && !isOpen ? (
              <span className="truncate">
                <span className="text-bad">{t("list.draft")}: </span>
                {draft}
              </span>
            ) : (
              last && <LastMessage snippet={last} isOwn={last.sender.id === me} />
            )}
          </span>
          {last && <Trouble snippet={last} />}
          {isUnread ? (
            <UnreadBadge count={unread} />
          ) : (
            assignee && <Avatar id={assignee.id} name={assignee.name} size="xs" />
          )}
        </span>
      </span>
    </MenuRow>
  );
});

function Moment({ conversation }: { conversation: DeskConversation }) {
  const { t } = useTranslation();
  if (conversation.status === "snoozed" && conversation.snoozed_until) {
    return (
      <span className="inline-flex items-center gap-1 text-warn">
        <Icon name="snooze" className="size-3.5" />
        {t("list.until", { time: formatMoment(conversation.snoozed_until) })}
      </span>
    );
  }
  return <time dateTime={conversation.active_at}>{formatShort(conversation.active_at)}</time>;
}

function Trouble({ snippet }: { snippet: Snippet }) {
  const { t } = useTranslation();
  const state = snippet.status?.state;
  if (state !== "failed" && state !== "unknown") return null;
  const label = t(state === "failed" ? "list.deliveryFailed" : "list.deliveryUnknown");
  return (
    <span title={label} className={state === "failed" ? "text-bad" : "text-warn"}>
      <Icon name={state === "failed" ? "alert" : "question"} className="size-4" />
      <span className="sr-only">{label}</span>
    </span>
  );
}
