/** Asks for another code, after a while: each SMS costs, and takes its time. */
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { errorText } from "@/lib/errors";
import { Button } from "./controls";
import { showToast } from "./overlays";

const AGAIN_SECONDS = 60;

export function AgainButton({ onAgain }: { onAgain: () => Promise<void> }) {
  const { t } = useTranslation();
  const [left, setLeft] = useState(AGAIN_SECONDS);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    const timer = setInterval(() => setLeft((seconds) => Math.max(0, seconds - 1)), 1_000);
    return () => clearInterval(timer);
  }, []);
  const again = async () => {
    setBusy(true);
    try {
      await onAgain();
    } catch (error) {
      showToast(errorText(error, t), { isBad: true });
    } finally {
      setLeft(AGAIN_SECONDS);
      setBusy(false);
    }
  };
  return (
    <Button
      tone="quiet"
      isBusy={isBusy}
      disabled={left > 0}
      className="disabled:opacity-100"
      onClick={() => void again()}
    >
      {left > 0 ? t("auth.againIn", { seconds: left }) : t("auth.again")}
    </Button>
  );
}
