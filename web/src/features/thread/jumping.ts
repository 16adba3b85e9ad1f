/** Going to a message wherever it stands: quoted, pinned, found. It flashes once it is on screen. */
import { useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Thread as ThreadData } from "@/api/patches";
import { useSync } from "@/api/sync";
import { showToast } from "@/components/overlays";
import { jumpRequest } from "@/lib/desk-view";
import { errorText } from "@/lib/errors";
import { useStore } from "@/lib/store";

const FLASH_MS = 1_600;
/** Pages to search back for a quoted message. */
const SEARCH_PAGES = 8;

/** Returns the key of the message that flashes, and the way to any other by its id. */
export function useJumps(
  id: string,
  thread: ThreadData,
  toKey: (key: string) => boolean,
): [string | null, (target: string) => Promise<void>] {
  const { t } = useTranslation();
  const sync = useSync();
  const [flashed, setFlashed] = useState<string | null>(null);
  const latest = useRef(thread);
  latest.current = thread;
  const flash = useCallback((key: string) => {
    setFlashed(key);
    setTimeout(() => setFlashed((now) => (now === key ? null : now)), FLASH_MS);
  }, []);
  const jump = useCallback(
    async (target: string) => {
      for (let page = 0; page <= SEARCH_PAGES; page += 1) {
        const found = latest.current.items.find((m) => m.id === target);
        if (found) {
          const key = found.client_id ?? found.id;
          await new Promise(requestAnimationFrame);
          if (toKey(key)) return flash(key);
        }
        if (!latest.current.has_before) break;
        try {
          await sync.loadMore(id, "before");
        } catch (error) {
          return showToast(errorText(error, t), { isBad: true });
        }
        await new Promise(requestAnimationFrame);
      }
      showToast(t("thread.notFound"));
    },
    [sync, id, toKey, flash, t],
  );
  const request = useStore(jumpRequest);
  useEffect(() => {
    if (request?.conversation !== id) return;
    jumpRequest.set(null);
    void (async () => {
      if (!latest.current.items.some((m) => m.id === request.id)) {
        try {
          await sync.show(id, { around: request.position });
        } catch (error) {
          return showToast(errorText(error, t), { isBad: true });
        }
        await new Promise(requestAnimationFrame);
      }
      await jump(request.id);
    })();
  }, [request, id, sync, jump, t]);
  return [flashed, jump];
}
