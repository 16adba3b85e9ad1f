/** The smallest store React can follow: for what lives in this tab only and is no server state. */
import { useSyncExternalStore } from "react";

export interface Store<T> {
  get: () => T;
  set: (next: T | ((old: T) => T)) => void;
  subscribe: (listener: () => void) => () => void;
}

export function createStore<T>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      const made = typeof next === "function" ? (next as (old: T) => T)(value) : next;
      if (Object.is(made, value)) return;
      value = made;
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** A part of a store; `pick` must return the same value for the same state. */
export function useStore<T, P = T>(store: Store<T>, pick?: (value: T) => P): P {
  return useSyncExternalStore(store.subscribe, () => {
    const value = store.get();
    return pick ? pick(value) : (value as unknown as P);
  });
}
