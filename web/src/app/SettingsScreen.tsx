/** Settings: sections on the left, one page on the right; on a phone first the sections, then the page. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useIsAdmin } from "@/api/hooks";
import { IconButton } from "@/components/controls";
import { Icon, type IconName } from "@/components/Icon";
import { ConnectDialog } from "@/features/inboxes/ConnectDialog";
import { HelpDialog, PaletteDialog } from "@/features/palette/Dialogs";
import { Keys, Sessions } from "@/features/settings/Access";
import { Audit } from "@/features/settings/Audit";
import { Inboxes } from "@/features/settings/Inboxes";
import { Journal } from "@/features/settings/Journal";
import { People } from "@/features/settings/People";
import { Profile } from "@/features/settings/Profile";
import { Security } from "@/features/settings/Security";
import { navigate, usePath } from "@/lib/router";
import { ConnectionBanner } from "./ConnectionBanner";

interface SectionOf {
  name: "inboxes" | "people" | "keys" | "journal" | "audit" | "profile" | "security" | "sessions";
  icon: IconName;
  group: "workspace" | "personal";
  isForAdmins: boolean;
}

const SECTIONS: SectionOf[] = [
  { name: "inboxes", icon: "inbox", group: "workspace", isForAdmins: false },
  { name: "people", icon: "users", group: "workspace", isForAdmins: false },
  { name: "keys", icon: "key", group: "workspace", isForAdmins: true },
  { name: "journal", icon: "alert", group: "workspace", isForAdmins: true },
  { name: "audit", icon: "list", group: "workspace", isForAdmins: true },
  { name: "profile", icon: "user", group: "personal", isForAdmins: false },
  { name: "security", icon: "key", group: "personal", isForAdmins: false },
  { name: "sessions", icon: "devices", group: "personal", isForAdmins: false },
];

export default function SettingsScreen() {
  const { t } = useTranslation();
  const isAdmin = useIsAdmin();
  const [isConnecting, setConnecting] = useState(false);
  const wanted = usePath().split("/")[2] ?? "";
  const sections = SECTIONS.filter((section) => isAdmin || !section.isForAdmins);
  const chosen = sections.find((section) => section.name === wanted);
  const shown = chosen ?? sections[0];
  return (
    <div className="flex h-full flex-col">
      <ConnectionBanner />
      <div className="flex min-h-0 flex-1">
        <nav
          aria-label={t("settings.title")}
          className={`w-56 shrink-0 overflow-y-auto border-r border-line bg-rail max-md:w-full max-md:border-r-0 ${chosen ? "max-md:hidden" : ""}`}
        >
          <div className="flex h-14 items-center gap-1 px-2">
            <IconButton
              icon="back"
              label={t("nav.inbox")}
              className="size-9"
              onClick={() => navigate("/inbox")}
            />
            <span className="font-semibold">{t("settings.title")}</span>
          </div>
          <div className="px-2 pb-4">
            {(["workspace", "personal"] as const).map((group) => (
              <div key={group} className="pb-4">
                <h2 className="px-2.5 pb-1 text-xs font-medium text-muted">{t(`settings.${group}`)}</h2>
                {sections
                  .filter((section) => section.group === group)
                  .map((section) => (
                    <SectionLink
                      key={section.name}
                      section={section}
                      isOn={section === chosen}
                      isShown={section === shown}
                    />
                  ))}
              </div>
            ))}
          </div>
        </nav>
        <main className={`min-w-0 flex-1 overflow-y-auto bg-canvas ${chosen ? "" : "max-md:hidden"}`}>
          <div className="sticky top-0 z-10 flex h-14 items-center gap-1 border-b border-line bg-surface px-1 md:hidden">
            <IconButton
              icon="back"
              label={t("common.back")}
              className="size-10"
              onClick={() => navigate("/settings")}
            />
            <h1 className="font-semibold">{shown && t(`settings.${shown.name}`)}</h1>
          </div>
          {shown?.name === "inboxes" && <Inboxes onConnect={() => setConnecting(true)} />}
          {shown?.name === "people" && <People />}
          {shown?.name === "keys" && <Keys />}
          {shown?.name === "journal" && <Journal />}
          {shown?.name === "audit" && <Audit />}
          {shown?.name === "profile" && <Profile />}
          {shown?.name === "security" && <Security />}
          {shown?.name === "sessions" && <Sessions />}
        </main>
      </div>
      <ConnectDialog isOpen={isConnecting} onClose={() => setConnecting(false)} />
      <PaletteDialog />
      <HelpDialog />
    </div>
  );
}

function SectionLink({ section, isOn, isShown }: { section: SectionOf; isOn: boolean; isShown: boolean }) {
  const { t } = useTranslation();
  const look = isOn
    ? "bg-selected font-medium text-ink"
    : `text-muted hover:bg-hover hover:text-ink ${isShown ? "md:bg-selected md:font-medium md:text-ink" : ""}`;
  return (
    <button
      type="button"
      aria-current={isShown ? "page" : undefined}
      onClick={() => navigate(`/settings/${section.name}`)}
      className={`flex h-8 w-full items-center gap-2.5 rounded-lg px-2.5 text-left text-sm max-md:h-11 ${look}`}
    >
      <Icon name={section.icon} className={`size-[17px] ${isOn ? "text-accent-ink" : ""}`} />
      <span className="flex-1">{t(`settings.${section.name}`)}</span>
      <Icon name="forward" className="size-4 text-faint md:hidden" />
    </button>
  );
}
