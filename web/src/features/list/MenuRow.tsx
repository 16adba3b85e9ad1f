/** What rows of both lists share: a press opens, the second button, a long press or the button above asks for the menu. */
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "@/components/controls";
import { useMenuAsked } from "@/lib/useMenuAsked";

interface MenuRowProps {
  /** The conversation's id. */
  id: string;
  name: string;
  isOpen: boolean;
  onOpen: (id: string) => void;
  /** The menu is wanted at this place of the screen. */
  onMenu: (place: { id: string; x: number; y: number }) => void;
  children: ReactNode;
}

export function MenuRow({ id, name, isOpen, onOpen, onMenu, children }: MenuRowProps) {
  const { t } = useTranslation();
  const ask = (x: number, y: number) => onMenu({ id, x, y });
  return (
    <div className="group relative" {...useMenuAsked(ask)}>
      <button
        type="button"
        data-conversation={id}
        aria-haspopup="menu"
        aria-current={isOpen ? "true" : undefined}
        tabIndex={isOpen ? 0 : -1}
        onClick={() => onOpen(id)}
        className={`flex h-[68px] w-full items-center gap-3 rounded-xl px-2.5 text-left outline-offset-[-2px] select-none [-webkit-touch-callout:none] transition-colors duration-75 ${isOpen ? "bg-selected" : "hover:bg-hover"}`}
      >
        {children}
      </button>
      <span className="absolute top-1.5 right-2 hidden rounded-lg bg-raised shadow-pop group-focus-within:block group-hover:block pointer-coarse:hidden!">
        <IconButton
          icon="more"
          label={t("chats.menuOf", { name })}
          className="size-7"
          onClick={({ currentTarget }) => {
            const { left, bottom } = currentTarget.getBoundingClientRect();
            ask(left, bottom);
          }}
        />
      </span>
    </div>
  );
}
