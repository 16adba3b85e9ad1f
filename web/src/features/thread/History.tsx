/** What an edited message said before. */
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { listVersions } from "@/api/messages";
import type { Message } from "@/api/types";
import { Spinner } from "@/components/controls";
import { formatMoment } from "@/lib/format";
import { RichText } from "./RichText";

export function History({ message }: { message: Message }) {
  const { t } = useTranslation();
  const versions = useQuery({
    queryKey: ["versions", message.id, message.version],
    queryFn: () => listVersions(message.conversation_id, message.id),
  });
  if (versions.isPending) {
    return (
      <p className="flex justify-center p-4 text-faint">
        <Spinner />
      </p>
    );
  }
  if (versions.isError) return <p className="p-3 text-sm text-bad">{t("thread.historyFailed")}</p>;
  const before = [...versions.data].sort((a, b) => b.version - a.version);
  return (
    <>
      <p className="px-2.5 pt-1.5 pb-1 text-xs font-medium text-muted">{t("thread.history")}</p>
      <ol>
        {before.map((version) => (
          <li key={version.version} className="rounded-lg px-2.5 py-1.5 text-sm odd:bg-hover">
            <RichText text={version.text} entities={version.entities} />
            <span className="mt-0.5 block text-2xs text-muted">
              {t("thread.until", { time: formatMoment(version.replaced_at) })}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}
