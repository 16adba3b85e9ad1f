/** The room beside the thread; where there is little width it lies above it. */
import type { KeyboardEvent, ReactNode } from "react";
import type { PanelHome } from "@/lib/panel";

export function Beside({ width, children }: { width: string; children: ReactNode }) {
  return (
    <div
      className={`${width} shrink-0 border-l border-line max-xl:fixed max-xl:inset-y-0 max-xl:right-0 max-xl:z-30 max-xl:shadow-pop max-sm:w-full`}
    >
      {children}
    </div>
  );
}

/** Escape closes the panel, and the focus goes to what opens it. */
export const closeByEscape = (home: PanelHome) => (event: KeyboardEvent<HTMLElement>) => {
  const { target, currentTarget } = event;
  const panel = home.store.get();
  if (event.key !== "Escape" || event.defaultPrevented || !panel) return;
  // What lies above the panel closes itself; a field with words in it is emptied first.
  if (!(target instanceof HTMLElement) || !currentTarget.contains(target)) return;
  if (target instanceof HTMLInputElement && target.value) return;
  home.set(null);
  const openers = [...currentTarget.querySelectorAll<HTMLElement>(`[data-opens=${panel}]`)];
  openers.findLast((one) => one.checkVisibility())?.focus();
};
