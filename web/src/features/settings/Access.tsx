/** Sessions of the person and keys of the workspace. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { createApiKey, listApiKeys, listSessions, revokeApiKey, revokeSession } from "@/api/accounts";
import { keys } from "@/api/cache";
import type { ApiKey, Session } from "@/api/types";
import { Badge, Button } from "@/components/controls";
import { FormError, TextField } from "@/components/fields";
import { Icon } from "@/components/Icon";
import { Confirm, Dialog } from "@/components/overlays";
import { useTry } from "@/components/trying";
import { errorText } from "@/lib/errors";
import { formatMoment } from "@/lib/format";
import { describeAgent } from "@/lib/useragent";
import { CopyBox, Lines, SettingsPage } from "./parts";

export function Sessions() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const query = useQuery({ queryKey: keys.sessions, queryFn: listSessions });
  const [revoking, setRevoking] = useState<Session | null>(null);
  const { isBusy, run } = useTry();
  const revoke = async () => {
    if (revoking && (await run(() => revokeSession(revoking.id))))
      await client.invalidateQueries({ queryKey: keys.sessions });
    setRevoking(null);
  };
  return (
    <SettingsPage title={t("settings.sessions")} text={t("sessions.text")}>
      <Lines
        query={query}
        items={query.data?.items}
        empty={{ icon: "devices", title: t("settings.sessions") }}
        render={(session) => (
          <div className="flex items-center gap-3 px-4 py-3">
            <Icon
              name={/Mobile|iPhone|Android/.test(session.user_agent) ? "phone" : "devices"}
              className="size-5 text-faint"
            />
            <div className="min-w-0 flex-1">
              <p className="truncate font-medium" title={session.user_agent}>
                {describeAgent(session.user_agent) || t("sessions.unknown")}
              </p>
              <p className="truncate text-sm text-muted max-sm:whitespace-normal">
                {session.address} ·{" "}
                {t("sessions.lastUsed", { time: formatMoment(session.last_used_at ?? session.created_at) })}
              </p>
            </div>
            {session.is_current ? (
              <Badge tone="good">{t("sessions.current")}</Badge>
            ) : (
              <Button
                size="sm"
                aria-label={`${t("sessions.revoke")}: ${describeAgent(session.user_agent) || t("sessions.unknown")}`}
                onClick={() => setRevoking(session)}
              >
                {t("sessions.revoke")}
              </Button>
            )}
          </div>
        )}
      />
      <Confirm
        isOpen={revoking !== null}
        title={t("sessions.revokeTitle")}
        text={t("sessions.revokeText")}
        action={t("sessions.revoke")}
        isBusy={isBusy}
        onConfirm={() => void revoke()}
        onClose={() => setRevoking(null)}
      />
    </SettingsPage>
  );
}

export function Keys() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const query = useQuery({ queryKey: keys.apiKeys, queryFn: listApiKeys });
  const [isCreating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const { isBusy, run } = useTry();
  const reload = () => client.invalidateQueries({ queryKey: keys.apiKeys });
  const revoke = async () => {
    if (revoking && (await run(() => revokeApiKey(revoking.id)))) await reload();
    setRevoking(null);
  };
  return (
    <SettingsPage
      title={t("settings.keys")}
      text={t("keys.text")}
      action={
        <Button tone="primary" icon="plus" onClick={() => setCreating(true)}>
          {t("keys.create")}
        </Button>
      }
    >
      <Lines
        query={query}
        items={query.data?.items}
        empty={{ icon: "key", title: t("keys.empty") }}
        render={(key) => (
          <div className="flex items-center gap-3 px-4 py-3">
            <Icon name="key" className="size-5 text-faint" />
            <div className="min-w-0 flex-1">
              <p className="flex items-baseline gap-2">
                <span className="truncate font-medium">{key.name}</span>
                <span className="font-mono text-xs text-muted">{key.hint}</span>
              </p>
              <p className="truncate text-sm text-muted">
                {[
                  key.scopes.map((scope) => t(`keys.${scope}`, { defaultValue: scope })).join(", "),
                  t("keys.created", { time: formatMoment(key.created_at) }),
                ].join(" · ")}
              </p>
            </div>
            <Button size="sm" onClick={() => setRevoking(key)}>
              {t("keys.revoke")}
            </Button>
          </div>
        )}
      />
      <Dialog isOpen={isCreating} onClose={() => setCreating(false)} title={t("keys.createTitle")}>
        {isCreating && <KeyForm onClose={() => setCreating(false)} onMade={() => void reload()} />}
      </Dialog>
      <Confirm
        isOpen={revoking !== null}
        title={t("keys.revokeTitle", { name: revoking?.name })}
        text={t("keys.revokeText")}
        action={t("keys.revoke")}
        isBusy={isBusy}
        onConfirm={() => void revoke()}
        onClose={() => setRevoking(null)}
      />
    </SettingsPage>
  );
}

const SCOPES = ["desk", "chat", "act", "admin"];

function KeyForm({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<string[]>(["desk"]);
  const [isTried, setTried] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (name.trim() === "" || scopes.length === 0) return;
    setBusy(true);
    try {
      setSecret((await createApiKey({ name: name.trim(), scopes })).key);
      onMade();
    } catch (error) {
      setFailure(errorText(error, t));
    } finally {
      setBusy(false);
    }
  };
  if (secret) {
    return (
      <div className="flex flex-col gap-3 px-5 pt-1 pb-5">
        <p className="text-sm text-muted">{t("keys.shownOnce")}</p>
        <CopyBox text={secret} />
        <Button className="self-end" onClick={onClose}>
          {t("common.done")}
        </Button>
      </div>
    );
  }
  const toggle = (scope: string) =>
    setScopes((all) => (all.includes(scope) ? all.filter((one) => one !== scope) : [...all, scope]));
  return (
    <form noValidate onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 px-5 pt-1 pb-5">
      <FormError>{failure}</FormError>
      <TextField
        label={t("keys.nameLabel")}
        autoFocus
        value={name}
        onChange={setName}
        error={isTried && name.trim() === "" ? t("fields.required") : null}
      />
      <fieldset className="flex flex-col gap-1.5">
        <legend className="mb-1 text-sm font-medium">{t("keys.scopes")}</legend>
        {SCOPES.map((scope) => (
          <label key={scope} className="flex items-center gap-2 text-sm pointer-coarse:min-h-10">
            <input
              type="checkbox"
              checked={scopes.includes(scope)}
              onChange={() => toggle(scope)}
              className="size-4 accent-accent"
            />
            {t(`keys.${scope}`)}
          </label>
        ))}
        {isTried && scopes.length === 0 && (
          <p role="alert" className="text-xs text-bad">
            {t("keys.scopeRequired")}
          </p>
        )}
      </fieldset>
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>{t("common.cancel")}</Button>
        <Button type="submit" tone="primary" isBusy={isBusy}>
          {t("keys.create")}
        </Button>
      </div>
    </form>
  );
}
