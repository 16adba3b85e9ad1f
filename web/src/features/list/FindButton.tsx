/** Opens the search of all that was said, beside the list. */
import { useTranslation } from "react-i18next";
import { IconButton } from "@/components/controls";
import type { PanelHome } from "@/lib/panel";
import { useStore } from "@/lib/store";

export function FindButton({ panel }: { panel: PanelHome }) {
  const { t } = useTranslation();
  const isOn = useStore(panel.store) === "everywhere";
  return (
    <IconButton
      icon="search"
      label={t("chats.findAll")}
      isOn={isOn}
      aria-pressed={isOn}
      data-opens="everywhere"
      className="size-8 pointer-coarse:size-10"
      onClick={() => panel.toggle("everywhere")}
    />
  );
}
