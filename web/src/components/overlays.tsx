/**
 * Dialogs, menus and toasts. Radix gives focus traps and keys; its overlay and modal menus are left out, because
 * they add a <style> element, which the content policy forbids.
 */
import { DropdownMenu, Dialog as RadixDialog } from "radix-ui";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { createStore, useStore } from "@/lib/store";
import { Button, IconButton, Keys } from "./controls";
import { Icon, type IconName } from "./Icon";

/** The focus goes back to where it was, unless what was chosen has put it into a field. */
function keepChosenFocus(event: Event): void {
  if (/^(INPUT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "")) event.preventDefault();
}

/** What holds the trigger of the menu opened last: a message's buttons are gone by the time its dialog closes. */
let menuPlace: HTMLElement | null = null;

/** What had the focus last outside dialogs and menus: our dialogs have no trigger that Radix could go back to. */
let lastFocused: HTMLElement | null = null;
document.addEventListener("focusin", ({ target }) => {
  if (target instanceof HTMLElement && !target.closest("[role=dialog], [role=menu]")) lastFocused = target;
});
document.addEventListener("focusout", ({ target, relatedTarget }) => {
  // Left on purpose, as the composer is by Escape, and not because another window came up: nothing to go back to.
  if (target === lastFocused && !relatedTarget && document.hasFocus()) lastFocused = null;
});

/** The dialog that is open gives the focus to this when it closes: a long press has opened it, and gives none. */
export function returnFocusTo(place: HTMLElement | null): void {
  if (place) lastFocused = place;
}

function returnFocus(event: Event): void {
  keepChosenFocus(event);
  requestAnimationFrame(() => {
    if (document.activeElement !== document.body) return;
    (lastFocused?.isConnected ? lastFocused : menuPlace)?.focus();
  });
}

interface DialogProps {
  isOpen: boolean;
  onClose: () => void;
  title: string;
  /** The title is spoken but not shown. */
  isTitleHidden?: boolean;
  width?: string;
  /** Closed by what stands in it alone: neither Escape nor a press beside it loses what is shown once. */
  isKept?: boolean;
  children: ReactNode;
}

export function Dialog(props: DialogProps) {
  const { isOpen, onClose, title, isTitleHidden, width = "max-w-md", isKept = false, children } = props;
  const { t } = useTranslation();
  const keep = (event: Event) => isKept && event.preventDefault();
  return (
    <RadixDialog.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <RadixDialog.Portal>
        <div className="fade-in fixed inset-0 z-50 bg-black/35 dark:bg-black/55" />
        <RadixDialog.Content
          aria-describedby={undefined}
          onCloseAutoFocus={returnFocus}
          onEscapeKeyDown={keep}
          onInteractOutside={keep}
          className={`pop-in fixed top-[12vh] left-1/2 z-50 flex max-h-[80vh] w-[calc(100%-24px)] -translate-x-1/2 flex-col overflow-hidden rounded-xl bg-surface shadow-pop outline-none max-sm:top-4 dark:bg-raised ${width}`}
        >
          <div
            className={
              isTitleHidden ? "sr-only" : "flex min-h-12 items-center justify-between pt-3 pr-3 pb-1 pl-5"
            }
          >
            <RadixDialog.Title className="text-lg font-semibold">{title}</RadixDialog.Title>
            {!isTitleHidden && !isKept && (
              <IconButton icon="close" label={t("common.close")} onClick={onClose} />
            )}
          </div>
          {children}
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}

interface ConfirmProps {
  isOpen: boolean;
  title: string;
  text: string;
  action: string;
  isBusy?: boolean;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm({ isOpen, title, text, action, isBusy, onConfirm, onClose }: ConfirmProps) {
  const { t } = useTranslation();
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title={title} width="max-w-sm">
      <p className="px-5 pb-4 text-muted">{text}</p>
      <div className="flex justify-end gap-2 px-5 pb-5">
        <Button onClick={onClose}>{t("common.cancel")}</Button>
        <Button tone="danger" isBusy={isBusy} onClick={onConfirm}>
          {action}
        </Button>
      </div>
    </Dialog>
  );
}

const MENU =
  "pop-in z-50 max-h-(--radix-dropdown-menu-content-available-height) min-w-48 overflow-y-auto rounded-xl bg-raised p-1 shadow-pop outline-none";

interface MenuProps {
  trigger: ReactNode;
  align?: "start" | "end" | "center";
  side?: "top" | "bottom" | "right";
  onOpenChange?: (isOpen: boolean) => void;
  children: ReactNode;
}

export function Menu({ trigger, align = "end", side = "bottom", onOpenChange, children }: MenuProps) {
  const button = useRef<HTMLButtonElement>(null);
  const change = (isOpen: boolean) => {
    // A press opens it without giving the button the focus.
    if (isOpen) lastFocused = button.current;
    if (isOpen) menuPlace = button.current?.closest<HTMLElement>("[data-key]") ?? button.current;
    onOpenChange?.(isOpen);
  };
  return (
    <DropdownMenu.Root modal={false} onOpenChange={change}>
      <DropdownMenu.Trigger asChild ref={button}>
        {trigger}
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align={align}
          onCloseAutoFocus={keepChosenFocus}
          side={side}
          sideOffset={4}
          collisionPadding={8}
          className={MENU}
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

interface ContextMenuProps {
  /** Where it opens, in pixels of the window; null: closed. */
  place: { x: number; y: number } | null;
  onClose: () => void;
  /** It is off the screen: the focus is to go back to what it was about. */
  onClosed: () => void;
  children: ReactNode;
}

/** A menu at a place of the screen, of whatever stands there. */
export function ContextMenu({ place, onClose, onClosed, children }: ContextMenuProps) {
  return (
    <DropdownMenu.Root modal={false} open={place !== null} onOpenChange={(isOpen) => isOpen || onClose()}>
      <DropdownMenu.Trigger asChild>
        <span
          aria-hidden
          tabIndex={-1}
          className="pointer-events-none fixed size-px"
          style={{ left: place?.x ?? 0, top: place?.y ?? 0 }}
        />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="start"
          sideOffset={2}
          collisionPadding={8}
          className={MENU}
          onContextMenu={(event) => event.preventDefault()}
          onFocusOutside={(event) => event.preventDefault()}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            onClosed();
          }}
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

interface MenuItemProps {
  icon?: IconName;
  isDanger?: boolean;
  isChecked?: boolean;
  keys?: string[];
  hint?: string;
  isDisabled?: boolean;
  onSelect: () => void;
  children: ReactNode;
}

export function MenuItem({
  icon,
  isDanger,
  isChecked,
  keys,
  hint,
  isDisabled,
  onSelect,
  children,
}: MenuItemProps) {
  return (
    <DropdownMenu.Item
      disabled={isDisabled}
      onSelect={onSelect}
      className={`flex min-h-8 items-center gap-2.5 rounded-lg px-2 py-1 text-sm outline-none select-none data-disabled:opacity-45 data-highlighted:bg-hover data-highlighted:focus-visible:ring-1 data-highlighted:focus-visible:ring-accent/50 pointer-coarse:min-h-10 ${isDanger ? "text-bad" : ""}`}
    >
      {icon && <Icon name={icon} className={`size-4 ${isDanger ? "" : "text-muted"}`} />}
      <span className="flex-1 truncate">{children}</span>
      {hint && <span className="text-xs text-faint">{hint}</span>}
      {isChecked && <Icon name="check" className="size-4 text-accent" />}
      {keys && <Keys keys={keys} />}
    </DropdownMenu.Item>
  );
}

export const MenuLine = () => <DropdownMenu.Separator className="my-1 h-px bg-line" />;
export const MenuLabel = ({ children }: { children: ReactNode }) => (
  <DropdownMenu.Label className="px-2 pt-1.5 pb-1 text-xs text-muted">{children}</DropdownMenu.Label>
);

interface Toast {
  id: number;
  text: string;
  isBad: boolean;
  /** Stays until it is answered. */
  isKept: boolean;
  action?: { label: string; run: () => void };
}

const toasts = createStore<Toast[]>([]);
let nextToast = 1;
const TOAST_MS = 5_000;
/** What can be answered waits longer. */
const ASKING_MS = 10_000;

export function showToast(
  text: string,
  more: { isBad?: boolean; isKept?: boolean; action?: Toast["action"] } = {},
): void {
  const id = nextToast++;
  toasts.set((all) => [
    ...all.slice(-2),
    { id, text, isBad: more.isBad ?? false, isKept: more.isKept ?? false, action: more.action },
  ]);
}

const dismiss = (id: number) => toasts.set((all) => all.filter((toast) => toast.id !== id));

export function Toasts() {
  const all = useStore(toasts);
  return (
    <div
      aria-live="polite"
      className="pointer-events-none fixed inset-x-0 bottom-5 z-60 flex flex-col items-center gap-2 px-4 max-md:bottom-20"
    >
      {all.map((toast) => (
        <ToastLine key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

function ToastLine({ toast }: { toast: Toast }) {
  // Under the mouse or with the focus it is being read, or about to be answered.
  const [isHeld, setHeld] = useState(false);
  const isLasting = toast.isKept || isHeld;
  const ms = toast.action ? ASKING_MS : TOAST_MS;
  useEffect(() => {
    if (isLasting) return;
    const timer = setTimeout(() => dismiss(toast.id), ms);
    return () => clearTimeout(timer);
  }, [toast.id, isLasting, ms]);
  return (
    <div
      className="rise-in pointer-events-auto flex items-center gap-3 rounded-xl bg-[#22232a] py-2 pr-2 pl-4 text-sm text-white shadow-pop dark:bg-[#34353e]"
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      {toast.isBad && <Icon name="alert" className="size-4 text-[#ff8e99]" />}
      <span>{toast.text}</span>
      {toast.action ? (
        <button
          type="button"
          className="rounded-md px-2 py-1 font-medium text-[#b4b7ff] hover:bg-white/10"
          onClick={() => {
            toast.action?.run();
            dismiss(toast.id);
          }}
        >
          {toast.action.label}
        </button>
      ) : (
        <span className="w-2" />
      )}
    </div>
  );
}
