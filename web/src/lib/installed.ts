/** The application as an installed program: registers its worker, and tells when a newer version waits. */
import { createStore } from "./store";

/** Looks for a newer version this often while the window stays open. */
const LOOK_EVERY_MS = 60 * 60_000;

/** Loads the newer version that waits; null while there is none. */
export const updateStore = createStore<(() => void) | null>(null);

export async function startWorker(): Promise<void> {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  const { serviceWorker } = navigator;
  let isUpdating = false;
  serviceWorker.addEventListener("controllerchange", () => {
    if (isUpdating) location.reload();
  });
  try {
    const registration = await serviceWorker.register("/sw.js");
    const offer = () => {
      const waiting = registration.waiting;
      // Without a controller it is the first one: nothing to load anew.
      if (!waiting || !serviceWorker.controller) return;
      updateStore.set(() => () => {
        isUpdating = true;
        waiting.postMessage("activate");
      });
    };
    offer();
    registration.addEventListener("updatefound", () => {
      registration.installing?.addEventListener("statechange", offer);
    });
    setInterval(() => void registration.update().catch(() => undefined), LOOK_EVERY_MS);
  } catch {
    // A browser that forbids workers opens the application by the network, as ever.
  }
}
