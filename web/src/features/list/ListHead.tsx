/** Above a list: the way to the menu on a phone, what the list is, the search of all that was said, and more. */
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "@/components/controls";
import { dialogStore } from "@/lib/desk-view";
import type { PanelHome } from "@/lib/panel";
import { useStore } from "@/lib/store";

interface ListHeadProps {
  title: ReactNode;
  panel: PanelHome;
  children?: ReactNode;
}

export function ListHead({ title, panel, children }: ListHeadProps) {
  const { t } = useTranslation();
  const isSearching = useStore(panel.store) === "everywhere";
  return (
    <div className="mb-2.5 flex h-8 pointer-coarse:h-10 items-center gap-1">
      <IconButton
        icon="menu"
        label={t("nav.openMenu")}
        className="-ml-1 size-9 md:hidden"
        onClick={() => dialogStore.set("rail")}
      />
      <h1 className="min-w-0 flex-1 truncate px-1 text-lg font-semibold tracking-tight">{title}</h1>
      <IconButton
        icon="search"
        label={t("chats.findAll")}
        isOn={isSearching}
        aria-pressed={isSearching}
        data-opens="everywhere"
        className="size-8 pointer-coarse:size-10"
        onClick={() => panel.toggle("everywhere")}
      />
      {children}
    </div>
  );
}
