/** Above the thread: with whom, in what state, and what can be done about it. */
import { useTranslation } from "react-i18next";
import { useInboxes } from "@/api/hooks";
import type { DeskConversation } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { ActionButton, IconButton } from "@/components/controls";
import { Icon, type IconName } from "@/components/Icon";
import { Menu, MenuItem, MenuLine } from "@/components/overlays";
import { type Action, keysOf, useActions } from "@/lib/actions";
import { deskPanel } from "@/lib/desk-view";
import { formatMoment } from "@/lib/format";
import { navigate } from "@/lib/router";
import { useStore } from "@/lib/store";

const MENU: [string, IconName][] = [
  ["conversation.pending", "pending"],
  ["conversation.snooze", "snooze"],
  ["conversation.reopen", "reopen"],
  ["conversation.resolve", "resolve"],
];
const ASSIGN: [string, IconName][] = [
  ["conversation.assignMe", "user"],
  ["conversation.assign", "users"],
  ["conversation.unassign", "userOff"],
];

export function Header({ conversation }: { conversation: DeskConversation }) {
  const { t } = useTranslation();
  const actions = useActions();
  const beside = useStore(deskPanel.store);
  const inbox = useInboxes().data?.find((one) => one.id === conversation.inbox_id);
  const { contact, status } = conversation;
  const about = [inbox?.name, stateText(conversation, t)].filter(Boolean).join(" · ");
  const panel = actions.get("conversation.panel");
  const turn: { action: Action | undefined; icon: IconName } =
    status === "open" || status === "pending"
      ? { action: actions.get("conversation.resolve"), icon: "resolve" }
      : { action: actions.get("conversation.reopen"), icon: "reopen" };
  return (
    <header className="@container flex h-14 shrink-0 items-center gap-2 border-b border-line bg-surface pr-2 pl-4 max-md:pl-1">
      <IconButton
        icon="back"
        label={t("conversation.back")}
        className="size-10 md:hidden"
        onClick={() => navigate("/inbox")}
      />
      <button
        type="button"
        onClick={panel?.run}
        className="-ml-1.5 flex min-w-0 flex-1 items-center gap-2.5 rounded-lg px-1.5 py-1 text-left hover:bg-hover"
      >
        <span className="md:hidden">
          <Avatar id={contact.id} name={contact.name} size="sm" />
        </span>
        <span className="min-w-0">
          <span dir="auto" className="block truncate text-left leading-tight font-semibold">
            {contact.name}
          </span>
          <span className="block truncate text-xs text-muted">{about}</span>
        </span>
      </button>
      <AssigneeButton conversation={conversation} />
      <span className="hidden items-center @xl:flex">
        <ActionButton action={actions.get("conversation.snooze")} icon="snooze" />
      </span>
      <span className="hidden @md:block">
        <ActionButton {...turn} tone="plain" />
      </span>
      <span className="hidden @[22rem]:flex @md:hidden">
        <ActionButton {...turn} />
      </span>
      <Menu
        trigger={
          <IconButton
            icon="more"
            label={t("conversation.actions")}
            className="size-8 pointer-coarse:size-10"
          />
        }
      >
        {MENU.map(([name, icon]) => (
          <ActionItem key={name} action={actions.get(name)} icon={icon} />
        ))}
        <MenuLine />
        {ASSIGN.map(([name, icon]) => (
          <ActionItem key={name} action={actions.get(name)} icon={icon} />
        ))}
        <MenuLine />
        <ActionItem action={actions.get("messages.find")} icon="search" />
        <ActionItem action={panel} icon="panel" />
      </Menu>
      <IconButton
        icon="search"
        label={t("chats.find")}
        isOn={beside === "search"}
        aria-pressed={beside === "search"}
        data-opens="search"
        className="size-8 max-md:hidden"
        onClick={() => deskPanel.toggle("search")}
      />
      <IconButton
        icon="panel"
        label={t("conversation.panel")}
        isOn={beside === "details"}
        aria-pressed={beside === "details"}
        data-opens="details"
        className="size-8 max-md:hidden"
        onClick={panel?.run}
      />
    </header>
  );
}

function stateText(conversation: DeskConversation, t: ReturnType<typeof useTranslation>["t"]): string {
  if (conversation.status === "snoozed" && conversation.snoozed_until)
    return t("conversation.snoozedUntil", { time: formatMoment(conversation.snoozed_until) });
  if (conversation.status === "open")
    return conversation.contact.username ? `@${conversation.contact.username.replace(/^@/, "")}` : "";
  return t(`status.${conversation.status}`);
}

function ActionItem({ action, icon }: { action: Action | undefined; icon: IconName }) {
  if (!action?.isEnabled) return null;
  return (
    <MenuItem icon={icon} keys={action.shortcut && keysOf(action.shortcut)} onSelect={action.run}>
      {action.label}
    </MenuItem>
  );
}

function AssigneeButton({ conversation }: { conversation: DeskConversation }) {
  const { t } = useTranslation();
  const action = useActions().get("conversation.assign");
  const { assignee } = conversation;
  const label = assignee
    ? t("conversation.assignedTo", { name: assignee.name })
    : t("conversation.unassigned");
  return (
    <button
      type="button"
      onClick={action?.run}
      aria-label={`${label}. ${t("conversation.assign")}`}
      title={label}
      className="flex h-8 max-w-44 shrink-0 pointer-coarse:h-10 pointer-coarse:min-w-10 pointer-coarse:justify-center items-center gap-2 rounded-lg px-1.5 text-sm text-muted hover:bg-hover hover:text-ink"
    >
      {assignee ? <Avatar id={assignee.id} name={assignee.name} size="xs" /> : <Icon name="userOff" />}
      <span className="hidden truncate @2xl:inline">{assignee?.name ?? t("conversation.nobody")}</span>
    </button>
  );
}
