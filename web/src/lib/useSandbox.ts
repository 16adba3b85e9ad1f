/** Makes a sandbox inbox and opens its phone. */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { keys } from "@/api/cache";
import { openSandbox } from "@/api/desk";
import { showToast } from "@/components/overlays";
import { errorText } from "@/lib/errors";
import { openPhone } from "@/lib/sandbox";

export function useSandbox() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const open = async () => {
    setBusy(true);
    try {
      const inbox = await openSandbox();
      openPhone(inbox);
      showToast(t("welcome.sandboxOpened"), {
        action: { label: t("welcome.openPhone"), run: () => openPhone(inbox) },
      });
      await client.invalidateQueries({ queryKey: keys.inboxes });
    } catch (error) {
      showToast(errorText(error, t), { isBad: true });
    } finally {
      setBusy(false);
    }
  };
  return { open: () => void open(), isBusy };
}
