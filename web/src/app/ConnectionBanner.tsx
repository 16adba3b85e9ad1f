import { useTranslation } from "react-i18next";
import { useSync } from "@/api/sync";
import { Spinner } from "@/components/controls";
import { useStore } from "@/lib/store";

/** Says that the line is away once it has been so for a while; nothing typed is lost meanwhile. */
export function ConnectionBanner() {
  const { t } = useTranslation();
  const state = useStore(useSync().connection);
  if (state !== "away") return null;
  return (
    <div
      role="status"
      className="fade-in flex h-8 shrink-0 items-center justify-center gap-2 bg-[#8a5a06] text-sm font-medium text-white"
    >
      <Spinner className="size-3.5" />
      {t("connection.away")}
    </div>
  );
}
