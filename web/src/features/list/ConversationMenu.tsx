/** What can be done with a conversation of the desk without opening it: the menu of a row. */
import { useTranslation } from "react-i18next";
import { useConversation, useMe } from "@/api/hooks";
import { moveRead } from "@/api/messages";
import { useSync } from "@/api/sync";
import type { DeskConversation } from "@/api/types";
import { MenuItem, MenuLine, showToast } from "@/components/overlays";
import { useTry } from "@/components/trying";
import {
  type ConversationChange,
  conversationMenuStore,
  dialogAbout,
  dialogStore,
  statusOf,
} from "@/lib/desk-view";
import { useStore } from "@/lib/store";
import { RowMenu } from "./RowMenu";

interface ConversationMenuProps {
  onChange: (id: string, wanted: ConversationChange) => void;
}

export function ConversationMenu({ onChange }: ConversationMenuProps) {
  const place = useStore(conversationMenuStore);
  const conversation = useConversation(place?.id ?? "").data;
  return (
    <RowMenu store={conversationMenuStore} item={place ? conversation : undefined}>
      {(item) => <Items conversation={item} onChange={(wanted) => onChange(item.id, wanted)} />}
    </RowMenu>
  );
}

interface ItemsProps {
  conversation: DeskConversation;
  onChange: (wanted: ConversationChange) => void;
}

function Items({ conversation, onChange }: ItemsProps) {
  const { t } = useTranslation();
  const sync = useSync();
  const attempt = useTry();
  const me = useMe().actor;
  const { id, status, assignee, unread, last_number } = conversation;
  const markRead = () => attempt.run(async () => sync.keepRead(id, await moveRead(id, last_number)));
  const resolve = () => {
    onChange({ status: "resolved" });
    const undo = () => onChange(statusOf(conversation));
    showToast(t("conversation.resolved"), { action: { label: t("common.undo"), run: undo } });
  };
  const ask = (dialog: "snooze" | "assign") => () => {
    dialogAbout.set(id);
    dialogStore.set(dialog);
  };
  const take = () => onChange({ assignee: { id: me.id, kind: me.kind, name: me.name, role: me.role } });
  return (
    <>
      {unread > 0 && (
        <MenuItem icon="checks" onSelect={() => void markRead()}>
          {t("chats.markRead")}
        </MenuItem>
      )}
      {status !== "resolved" && (
        <MenuItem icon="resolve" onSelect={resolve}>
          {t("conversation.resolve")}
        </MenuItem>
      )}
      {status !== "open" && (
        <MenuItem icon="reopen" onSelect={() => onChange({ status: "open" })}>
          {t(status === "snoozed" ? "conversation.unsnooze" : "conversation.reopen")}
        </MenuItem>
      )}
      {status !== "pending" && (
        <MenuItem icon="pending" onSelect={() => onChange({ status: "pending" })}>
          {t("conversation.pending")}
        </MenuItem>
      )}
      <MenuItem icon="snooze" onSelect={ask("snooze")}>
        {t("conversation.snooze")}
      </MenuItem>
      <MenuLine />
      {assignee?.id !== me.id && (
        <MenuItem icon="user" onSelect={take}>
          {t("conversation.assignMe")}
        </MenuItem>
      )}
      <MenuItem icon="users" onSelect={ask("assign")}>
        {t("conversation.assign")}
      </MenuItem>
      {assignee && (
        <MenuItem icon="userOff" onSelect={() => onChange({ assignee: null })}>
          {t("conversation.unassign")}
        </MenuItem>
      )}
    </>
  );
}
