/** An action is a value: a name, a label, a shortcut and what it does. Buttons, menus, palette and keys share it. */
import { createContext, useContext } from "react";

export type ActionGroup = "conversation" | "navigation" | "general";

export interface Action {
  name: string;
  label: string;
  group: ActionGroup;
  /** Physical key (`KeyJ`), so that it works in every keyboard layout; `mod` is Ctrl or Cmd. */
  shortcut?: { code: string; mod?: boolean; shift?: boolean };
  run: () => void;
  isEnabled: boolean;
  /** Shown in the palette; keys that move a selection are not. */
  isListed?: boolean;
}

export const ActionsContext = createContext<ReadonlyMap<string, Action>>(new Map());

export const useActions = (): ReadonlyMap<string, Action> => useContext(ActionsContext);

export function useAction(name: string): Action | undefined {
  return useContext(ActionsContext).get(name);
}

const isMac = /Mac|iP(hone|ad)/.test(navigator.userAgent);
const NAMES: Record<string, string> = {
  Slash: "/",
  Comma: ",",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  Enter: "↵",
};

/** How a shortcut is written, one string per key. */
export function keysOf(shortcut: NonNullable<Action["shortcut"]>): string[] {
  const key = NAMES[shortcut.code] ?? shortcut.code.replace(/^Key|^Digit/, "");
  const isQuestion = shortcut.code === "Slash" && shortcut.shift;
  return [
    ...(shortcut.mod ? [isMac ? "⌘" : "Ctrl"] : []),
    ...(shortcut.shift && !isQuestion ? ["⇧"] : []),
    isQuestion ? "?" : key,
  ];
}

export function matchesShortcut(event: KeyboardEvent, shortcut: NonNullable<Action["shortcut"]>): boolean {
  return (
    event.code === shortcut.code &&
    (event.ctrlKey || event.metaKey) === Boolean(shortcut.mod) &&
    event.shiftKey === Boolean(shortcut.shift) &&
    !event.altKey
  );
}

/** Is the person writing, so that single keys are letters? */
export function isWriting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

/** Does a dialog or menu own the keyboard? */
export const isModalOpen = (): boolean =>
  document.querySelector(
    '[role="dialog"],[role="menu"],[role="alertdialog"],[role="listbox"][data-state="open"]',
  ) !== null;
