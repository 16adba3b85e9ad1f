/** What stands beside the thread: the details of what is open, or a search. The choice of details is kept. */
import { createStore } from "./store";

/** `search` begins in what is open, `everywhere` in all there is. */
export type Panel = "details" | "search" | "everywhere" | null;

/** Below this the panel lies over the thread. */
export const isCovering = (): boolean => matchMedia("(max-width: 1279px)").matches;

export interface PanelHome {
  store: ReturnType<typeof createStore<Panel>>;
  set: (panel: Panel) => void;
  toggle: (panel: NonNullable<Panel>) => void;
}

/** `key`: where the choice is kept; `isOpenAtFirst`: of who has chosen nothing yet. */
export function makePanel(key: string, isOpenAtFirst: boolean): PanelHome {
  const isWanted = (localStorage.getItem(key) ?? (isOpenAtFirst ? "open" : "closed")) === "open";
  const store = createStore<Panel>(isWanted && !isCovering() ? "details" : null);
  const set = (panel: Panel) => {
    // Closing a search is no word about the details.
    if (panel === "details" || store.get() === "details")
      localStorage.setItem(key, panel === "details" ? "open" : "closed");
    store.set(panel);
  };
  return { store, set, toggle: (panel) => set(store.get() === panel ? null : panel) };
}
