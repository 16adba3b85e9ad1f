/** What administrators did: what, to whom, by whom and when. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { listAudit } from "@/api/accounts";
import { keys } from "@/api/cache";
import { useInboxes, useNames } from "@/api/hooks";
import type { AuditEntry } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { formatMoment } from "@/lib/format";
import { actionOf, changesOf, subjectsOf } from "./audit-words";
import { Lines, More, SettingsPage } from "./parts";

const FIRST = null as string | null;

export function Audit() {
  const { t } = useTranslation();
  const query = useInfiniteQuery({
    queryKey: keys.audit,
    queryFn: ({ pageParam }) => listAudit(pageParam),
    initialPageParam: FIRST,
    getNextPageParam: (page) => page.next,
  });
  const items = query.data?.pages.flatMap((page) => page.items);
  const keyHolders = items?.flatMap((entry) => entry.by_id ?? []) ?? [];
  const nameOf = useNames([...new Set(keyHolders)], () => undefined);
  return (
    <SettingsPage title={t("settings.audit")} text={t("audit.text")}>
      <Lines
        query={query}
        items={items}
        empty={{ icon: "list", title: t("audit.empty") }}
        render={(entry) => (
          <AuditLine entry={entry} through={entry.by_id ? nameOf(entry.by_id) : undefined} />
        )}
      />
      <More query={query} />
    </SettingsPage>
  );
}

/** `through`: the bot whose key did it in the actor's name. */
function AuditLine({ entry, through }: { entry: AuditEntry; through: string | undefined }) {
  const { t } = useTranslation();
  const inboxes = useInboxes().data;
  const action = actionOf(entry, t);
  const subjects = subjectsOf(entry, (id) => inboxes?.find((inbox) => inbox.id === id)?.name);
  const changes = changesOf(entry, t);
  const name = entry.actor?.name ?? t("common.none");
  return (
    <div className="flex gap-3 px-4 py-3">
      <Avatar id={entry.actor?.id ?? ""} name={name} size="sm" />
      <div className="min-w-0 flex-1">
        <div className="flex items-baseline gap-3">
          <p className="min-w-0 flex-1 text-sm break-words [overflow-wrap:anywhere]">
            {action ?? <code className="font-mono text-xs">{entry.action}</code>}
            {subjects.map((subject, index) => (
              <span key={index}>
                {index === 0 ? ": " : " · "}
                <bdi className="font-medium">{subject}</bdi>
              </span>
            ))}
          </p>
          <time dateTime={entry.at} className="shrink-0 text-xs text-muted">
            {formatMoment(entry.at)}
          </time>
        </div>
        {changes.map(({ label, text }) => (
          <p key={label} className="line-clamp-3 text-xs text-muted [overflow-wrap:anywhere]">
            {text === null ? label : `${label}: `}
            {text !== null && <bdi>{text}</bdi>}
          </p>
        ))}
        <p className="text-xs text-muted [overflow-wrap:anywhere]">
          <bdi>{name}</bdi>
          {through && ` · ${t("audit.through", { name: through })}`}
          {entry.address && ` · ${entry.address}`}
        </p>
      </div>
    </div>
  );
}
