/** What could not be handled. */
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { keys } from "@/api/cache";
import { listFailedItems, replayItem } from "@/api/desk";
import { useInboxes } from "@/api/hooks";
import type { JournalItem } from "@/api/types";
import { Button } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { showToast } from "@/components/overlays";
import { useTry } from "@/components/trying";
import { formatMoment } from "@/lib/format";
import { Lines, More, SettingsPage } from "./parts";

const FIRST = null as string | null;

export function Journal() {
  const { t } = useTranslation();
  const query = useInfiniteQuery({
    queryKey: keys.journal,
    queryFn: ({ pageParam }) => listFailedItems(pageParam),
    initialPageParam: FIRST,
    getNextPageParam: (page) => page.next,
  });
  return (
    <SettingsPage title={t("settings.journal")} text={t("journal.text")}>
      <Lines
        query={query}
        items={query.data?.pages.flatMap((page) => page.items)}
        empty={{ icon: "check", title: t("journal.empty"), text: t("journal.emptyText") }}
        render={(item) => <JournalLine item={item} />}
      />
      <More query={query} />
    </SettingsPage>
  );
}

function JournalLine({ item }: { item: JournalItem }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const inbox = useInboxes().data?.find((one) => one.id === item.inbox_id);
  const { isBusy, run } = useTry();
  const replay = async () => {
    if (!(await run(() => replayItem(item.id)))) return;
    showToast(t("journal.replayed"));
    await client.invalidateQueries({ queryKey: keys.journal });
  };
  const about = [
    inbox?.name,
    formatMoment(item.received_at),
    item.attempts && t("journal.attempts", { count: item.attempts }),
  ]
    .filter(Boolean)
    .join(" · ");
  return (
    <div className="flex items-start gap-3 px-4 py-3">
      <Icon name="alert" className="mt-0.5 size-5 text-bad" />
      <div className="min-w-0 flex-1">
        <p className="text-sm break-words select-text">{item.error ?? t("journal.noReason")}</p>
        <p className="text-xs text-muted">{about}</p>
      </div>
      <Button size="sm" icon="reopen" isBusy={isBusy} onClick={() => void replay()}>
        {t("journal.replay")}
      </Button>
    </div>
  );
}
