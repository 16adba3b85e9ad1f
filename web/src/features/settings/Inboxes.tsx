import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { keys } from "@/api/cache";
import { useChannels, useInboxes, useIsAdmin } from "@/api/hooks";
import type { Inbox } from "@/api/types";
import { Badge, Button } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { openPhone } from "@/lib/sandbox";
import { useSandbox } from "@/lib/useSandbox";
import { InboxDialog } from "./InboxDialog";
import { Lines, SettingsPage } from "./parts";

const TONES = { connected: "good", broken: "bad", disconnected: "quiet" } as const;

export function Inboxes({ onConnect }: { onConnect: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const isAdmin = useIsAdmin();
  const query = useInboxes();
  const channels = useChannels();
  const sandbox = useSandbox();
  const [chosen, setChosen] = useState<string | null>(null);
  const inbox = query.data?.find((one) => one.id === chosen) ?? null;
  return (
    <SettingsPage
      title={t("settings.inboxes")}
      text={t("inboxes.text")}
      action={
        isAdmin && (
          <>
            {channels.data?.sandbox && (
              <Button icon="phone" isBusy={sandbox.isBusy} onClick={sandbox.open}>
                {t("inboxes.sandbox")}
              </Button>
            )}
            <Button tone="primary" icon="plus" onClick={onConnect}>
              {t("inboxes.connect")}
            </Button>
          </>
        )
      }
    >
      <Lines
        query={query}
        items={query.data}
        empty={{ icon: "inbox", title: t("inboxes.empty") }}
        render={(one) => <InboxLine inbox={one} isAdmin={isAdmin} onOpen={() => setChosen(one.id)} />}
      />
      <InboxDialog
        inbox={inbox}
        onClose={() => setChosen(null)}
        onChange={() => void client.invalidateQueries({ queryKey: keys.inboxes })}
      />
    </SettingsPage>
  );
}

function InboxLine({ inbox, isAdmin, onOpen }: { inbox: Inbox; isAdmin: boolean; onOpen: () => void }) {
  const { t } = useTranslation();
  return (
    <div className="flex items-center gap-3 px-4 py-3">
      <span className="flex size-9 shrink-0 items-center justify-center rounded-xl bg-accent-soft text-accent-ink">
        <Icon name={inbox.is_sandbox ? "phone" : "telegram"} />
      </span>
      <div className="min-w-0 flex-1">
        <p className="flex items-center gap-2">
          <span className="truncate font-medium">{inbox.name}</span>
          <Badge tone={TONES[inbox.state]}>{t(`inboxes.${inbox.state}`)}</Badge>
        </p>
        <p className={`truncate text-sm ${inbox.state === "broken" ? "text-bad" : "text-muted"}`}>
          {inbox.state === "broken" && inbox.state_reason
            ? inbox.state_reason
            : [inbox.address, t(`inboxes.${inbox.updates}`), inbox.is_sandbox && t("inboxes.isSandbox")]
                .filter(Boolean)
                .join(" · ")}
        </p>
      </div>
      {inbox.phone_url && (
        <Button size="sm" icon="external" className="max-sm:hidden" onClick={() => openPhone(inbox)}>
          {t("inboxes.openPhone")}
        </Button>
      )}
      {isAdmin && (
        <Button
          size="sm"
          tone="quiet"
          icon="settings"
          aria-label={t("inboxes.settingsOf", { name: inbox.name })}
          title={t("inboxes.settingsOf", { name: inbox.name })}
          onClick={onOpen}
        />
      )}
    </div>
  );
}
