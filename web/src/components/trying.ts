/** Doing something that the server may refuse: busy meanwhile, and what went wrong is said. */
import { useCallback, useState } from "react";
import { useTranslation } from "react-i18next";
import { errorText } from "@/lib/errors";
import { showToast } from "./overlays";

export function useTry(): { isBusy: boolean; run: (job: () => Promise<unknown>) => Promise<boolean> } {
  const { t } = useTranslation();
  const [isBusy, setBusy] = useState(false);
  const run = useCallback(
    async (job: () => Promise<unknown>) => {
      setBusy(true);
      try {
        await job();
        return true;
      } catch (error) {
        showToast(errorText(error, t), { isBad: true });
        return false;
      } finally {
        setBusy(false);
      }
    },
    [t],
  );
  return { isBusy, run };
}
