/** The left rail: views, inboxes with counts, and the person's own menu. */
import { useTranslation } from "react-i18next";
import { signOut } from "@/api/accounts";
import type { Filter } from "@/api/desk";
import { useChats, useCounts, useHasDesk, useInboxes, useMe } from "@/api/hooks";
import type { Inbox } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Icon, type IconName } from "@/components/Icon";
import { Logo } from "@/components/Logo";
import { Menu, MenuItem, MenuLabel, MenuLine } from "@/components/overlays";
import { keysOf, useActions } from "@/lib/actions";
import { needsReading } from "@/lib/chat-view";
import { dialogStore, filterStore } from "@/lib/desk-view";
import { setLanguage } from "@/lib/i18n";
import { navigate, usePath } from "@/lib/router";
import { useStore } from "@/lib/store";
import { setTheme, themeChoice } from "@/lib/theme";

export function Rail() {
  const { t } = useTranslation();
  const me = useMe();
  const path = usePath();
  const hasDesk = useHasDesk();
  return (
    <nav aria-label={t("nav.views")} className="flex h-full min-h-0 flex-col bg-rail">
      <div className="flex h-14 shrink-0 items-center gap-2.5 px-4">
        <Logo className="size-6" />
        <span className="truncate font-semibold tracking-tight">{me.workspace.name}</span>
      </div>
      <div className="min-h-0 flex-1 overflow-y-auto px-2 pb-3">
        <ChatsItem isOn={path.startsWith("/chats")} />
        {hasDesk && <DeskViews isHere={path.startsWith("/inbox")} />}
      </div>
      <div className="flex flex-col gap-px border-t border-line p-2">
        <RailItem
          icon="settings"
          label={t("nav.settings")}
          isOn={path.startsWith("/settings")}
          onClick={() => {
            dialogStore.set(null);
            navigate("/settings");
          }}
        />
        <ProfileMenu />
      </div>
    </nav>
  );
}

function ChatsItem({ isOn }: { isOn: boolean }) {
  const { t } = useTranslation();
  const chats = useChats().data;
  return (
    <RailItem
      icon="chats"
      label={t("chats.title")}
      count={chats?.filter(needsReading).length}
      isOn={isOn}
      onClick={() => {
        if (dialogStore.get() === "rail") dialogStore.set(null);
        if (!location.pathname.startsWith("/chats")) navigate("/chats");
      }}
    />
  );
}

function DeskViews({ isHere }: { isHere: boolean }) {
  const { t } = useTranslation();
  const counts = useCounts().data;
  const inboxes = useInboxes().data;
  const filter = useStore(filterStore);
  const isAll = isHere && !filter.inbox_id && !filter.assignee;
  const show = (part: Partial<Filter>) => {
    filterStore.set((old) => ({
      status: old.status === "all" ? "open" : old.status,
      inbox_id: null,
      assignee: null,
      ...part,
    }));
    if (dialogStore.get() === "rail") dialogStore.set(null);
    if (!location.pathname.startsWith("/inbox")) navigate("/inbox");
  };
  return (
    <>
      <h2 className="px-2.5 pt-4 pb-1 text-xs font-medium text-muted">{t("nav.desk")}</h2>
      <RailItem
        icon="inbox"
        label={t("nav.all")}
        count={counts?.open}
        isOn={isAll}
        onClick={() => show({})}
      />
      <RailItem
        icon="user"
        label={t("nav.mine")}
        count={counts?.mine}
        isOn={isHere && filter.assignee === "me"}
        onClick={() => show({ assignee: "me" })}
      />
      <RailItem
        icon="userOff"
        label={t("nav.unassigned")}
        count={counts?.unassigned}
        isOn={isHere && filter.assignee === "none"}
        onClick={() => show({ assignee: "none" })}
      />
      {inboxes && inboxes.length > 0 && (
        <>
          <h2 className="px-2.5 pt-5 pb-1 text-xs font-medium text-muted">{t("nav.inboxes")}</h2>
          {inboxes.map((inbox) => (
            <RailItem
              key={inbox.id}
              icon={inbox.is_sandbox ? "phone" : "telegram"}
              label={inbox.name}
              count={counts?.inboxes[inbox.id]?.open}
              warning={warningOf(inbox, t(`inboxes.${inbox.state}`))}
              isOn={isHere && filter.inbox_id === inbox.id}
              onClick={() => show({ inbox_id: inbox.id })}
            />
          ))}
        </>
      )}
    </>
  );
}

const warningOf = (inbox: Inbox, state: string): string | null =>
  inbox.state === "connected" ? null : [state, inbox.state_reason].filter(Boolean).join(": ");

interface RailItemProps {
  icon: IconName;
  label: string;
  count?: number;
  warning?: string | null;
  isOn: boolean;
  onClick: () => void;
}

function RailItem({ icon, label, count, warning, isOn, onClick }: RailItemProps) {
  return (
    <button
      type="button"
      onClick={onClick}
      aria-current={isOn ? "page" : undefined}
      title={warning ?? undefined}
      className={`flex h-8 w-full items-center gap-2.5 rounded-lg px-2.5 text-left text-sm transition-colors duration-100 pointer-coarse:h-10 ${isOn ? "bg-selected font-medium text-ink" : "text-muted hover:bg-hover hover:text-ink"}`}
    >
      <Icon name={icon} className={`size-[17px] ${isOn ? "text-accent-ink" : ""}`} />
      <span className="min-w-0 flex-1 truncate">{label}</span>
      {warning ? (
        <Icon name="alert" className="size-4 text-bad" />
      ) : count ? (
        <span className="text-xs text-muted tabular-nums">{count}</span>
      ) : null}
      {warning && <span className="sr-only">{warning}</span>}
    </button>
  );
}

export function ProfileMenu() {
  const { t, i18n } = useTranslation();
  const me = useMe();
  const theme = useStore(themeChoice);
  const actions = useActions();
  const palette = actions.get("palette");
  const help = actions.get("help");
  return (
    <Menu
      align="start"
      side="top"
      trigger={
        <button
          type="button"
          aria-label={t("nav.profileMenu")}
          className="flex h-10 w-full items-center gap-2.5 rounded-lg px-1.5 text-left hover:bg-hover data-[state=open]:bg-hover"
        >
          <Avatar id={me.actor.id} name={me.actor.name} size="sm" />
          <span className="min-w-0 flex-1 truncate text-sm font-medium">{me.actor.name}</span>
          <Icon name="chevron" className="size-4 rotate-180 text-faint" />
        </button>
      }
    >
      <MenuLabel>{me.login?.email ?? me.login?.phone}</MenuLabel>
      <MenuItem icon="user" onSelect={() => navigate("/settings/profile")}>
        {t("settings.profile")}
      </MenuItem>
      {palette && (
        <MenuItem icon="search" keys={palette.shortcut && keysOf(palette.shortcut)} onSelect={palette.run}>
          {t("nav.commands")}
        </MenuItem>
      )}
      {help && (
        <MenuItem icon="keyboard" keys={help.shortcut && keysOf(help.shortcut)} onSelect={help.run}>
          {t("nav.help")}
        </MenuItem>
      )}
      <MenuLine />
      <MenuLabel>{t("fields.theme")}</MenuLabel>
      {(["system", "light", "dark"] as const).map((choice) => (
        <MenuItem key={choice} isChecked={theme === choice} onSelect={() => setTheme(choice)}>
          {t(`theme.${choice}`)}
        </MenuItem>
      ))}
      <MenuLine />
      <MenuLabel>{t("fields.language")}</MenuLabel>
      <MenuItem isChecked={i18n.language === "ru"} onSelect={() => void setLanguage("ru")}>
        Русский
      </MenuItem>
      <MenuItem isChecked={i18n.language === "en"} onSelect={() => void setLanguage("en")}>
        English
      </MenuItem>
      <MenuLine />
      <MenuItem icon="logout" onSelect={() => void signOut()}>
        {t("auth.signOut")}
      </MenuItem>
    </Menu>
  );
}
