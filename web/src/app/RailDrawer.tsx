import { Dialog } from "radix-ui";
import { useTranslation } from "react-i18next";
import { Rail } from "@/features/list/Rail";
import { dialogStore } from "@/lib/desk-view";
import { useStore } from "@/lib/store";

/** The rail on a phone: comes from the side, goes away by a tap beside it. */
export function RailDrawer() {
  const { t } = useTranslation();
  const isOpen = useStore(dialogStore) === "rail";
  return (
    <Dialog.Root
      open={isOpen}
      onOpenChange={(open) => !open && dialogStore.get() === "rail" && dialogStore.set(null)}
    >
      <Dialog.Portal>
        <div className="fade-in fixed inset-0 z-40 bg-black/40" />
        <Dialog.Content
          aria-describedby={undefined}
          className="slide-in fixed inset-y-0 left-0 z-50 w-72 max-w-[85%] overflow-hidden bg-rail shadow-pop outline-none"
        >
          <Dialog.Title className="sr-only">{t("nav.menu")}</Dialog.Title>
          <Rail />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
