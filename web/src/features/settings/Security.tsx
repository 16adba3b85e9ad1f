/** How a person signs in: number, authenticator app, recovery codes, passkeys. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { TFunction } from "i18next";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { keys } from "@/api/cache";
import {
  addPasskey,
  askForPasskey,
  askPhone,
  type Factors,
  getFactors,
  type Passkey,
  removePasskey,
  removePhone,
  removeTotp,
  renewCodes,
  startTotp,
  type TotpSecret,
} from "@/api/signin";
import { useWays } from "@/api/ways";
import { Badge, Button, Empty } from "@/components/controls";
import { Icon, type IconName } from "@/components/Icon";
import { formatMoment } from "@/lib/format";
import { canUsePasskeys } from "@/lib/passkeys";
import { describeAgent } from "@/lib/useragent";
import { type AskedPhone, PhoneDialog, RecoveryDialog, TotpDialog } from "./FactorDialogs";
import { ProofDialog, type Wanted } from "./Proof";
import { Card, Section, SettingsPage } from "./parts";

export function Security() {
  const { t } = useTranslation();
  const query = useQuery({ queryKey: keys.factors, queryFn: getFactors });
  return (
    <SettingsPage title={t("settings.security")} text={t("security.text")}>
      {query.data ? (
        <Ways factors={query.data} />
      ) : (
        <Card>
          {query.isError ? (
            <Empty icon="alert" title={t("settings.failed")}>
              <Button onClick={() => void query.refetch()}>{t("common.retry")}</Button>
            </Empty>
          ) : (
            <div className="shimmer h-40" />
          )}
        </Card>
      )}
    </SettingsPage>
  );
}

function Ways({ factors }: { factors: Factors }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const ways = useWays();
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const [secret, setSecret] = useState<TotpSecret | null>(null);
  const [phone, setPhone] = useState<AskedPhone | null>(null);
  const [codes, setCodes] = useState<string[]>([]);
  const look = () => client.invalidateQueries({ queryKey: keys.factors });
  const show = { setWanted, setSecret, setPhone, setCodes, look };
  return (
    <>
      <Section title={t("security.secondTitle")} text={t("security.secondText")}>
        <Card className="divide-y divide-line">
          <TotpLine factors={factors} show={show} />
          {factors.is_two_step && <RecoveryLine factors={factors} show={show} />}
        </Card>
      </Section>
      <Section title={t("security.passkeysTitle")} text={t("security.passkeysText")}>
        <Passkeys factors={factors} show={show} canAdd={ways.has_passkeys && canUsePasskeys()} />
      </Section>
      {(ways.has_phone || factors.phone) && (
        <Section title={t("security.phoneTitle")} text={t("security.phoneText")}>
          <Card>
            <PhoneLine factors={factors} show={show} />
          </Card>
        </Section>
      )}
      <ProofDialog factors={factors} wanted={wanted} onClose={() => setWanted(null)} />
      <TotpDialog
        secret={secret}
        onClose={() => setSecret(null)}
        onDone={(fresh) => {
          setSecret(null);
          setCodes(fresh);
          void look();
        }}
      />
      <PhoneDialog
        asked={phone}
        onClose={() => setPhone(null)}
        onDone={() => {
          setPhone(null);
          void look();
        }}
      />
      <RecoveryDialog codes={codes} onClose={() => setCodes([])} />
    </>
  );
}

interface Show {
  setWanted: (wanted: Wanted) => void;
  setSecret: (secret: TotpSecret) => void;
  setPhone: (asked: AskedPhone) => void;
  setCodes: (codes: string[]) => void;
  look: () => Promise<void>;
}

interface LineProps {
  factors: Factors;
  show: Show;
}

function Line({
  icon,
  title,
  text,
  children,
}: {
  icon: IconName;
  title: ReactNode;
  text?: string;
  children?: ReactNode;
}) {
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-2 px-4 py-3">
      <Icon name={icon} className="size-5 text-faint" />
      <div className="min-w-0 flex-1 basis-32">
        <p className="flex flex-wrap items-center gap-2 font-medium break-words">{title}</p>
        {text && <p className="text-sm text-muted">{text}</p>}
      </div>
      <div className="ml-auto flex gap-2">{children}</div>
    </div>
  );
}

function TotpLine({ factors, show }: LineProps) {
  const { t } = useTranslation();
  const title = (
    <>
      {t("security.app")}
      {factors.has_totp && <Badge tone="good">{t("security.on")}</Badge>}
    </>
  );
  const add: Wanted = {
    title: t("security.appAdd"),
    action: t("security.go"),
    run: async (proof) => show.setSecret(await startTotp(proof)),
  };
  const remove: Wanted = {
    title: t("security.appRemove"),
    text: t("security.appRemoveText"),
    action: t("common.remove"),
    run: async (proof) => {
      await removeTotp(proof);
      await show.look();
    },
  };
  return (
    <Line icon="phone" title={title} text={t("security.appText")}>
      <Button size="sm" onClick={() => show.setWanted(factors.has_totp ? remove : add)}>
        {factors.has_totp ? t("common.remove") : t("security.setUp")}
      </Button>
    </Line>
  );
}

function RecoveryLine({ factors, show }: LineProps) {
  const { t } = useTranslation();
  const renew: Wanted = {
    title: t("security.renew"),
    text: t("security.renewText"),
    action: t("security.renew"),
    run: async (proof) => {
      show.setCodes((await renewCodes(proof)).codes);
      await show.look();
    },
  };
  return (
    <Line
      icon="list"
      title={t("security.recovery")}
      text={t("security.left", { count: factors.recovery_codes_left })}
    >
      <Button size="sm" onClick={() => show.setWanted(renew)}>
        {t("security.renew")}
      </Button>
    </Line>
  );
}

function Passkeys({ factors, show, canAdd }: LineProps & { canAdd: boolean }) {
  const { t } = useTranslation();
  const add: Wanted = {
    title: t("security.passkeyAdd"),
    action: t("common.add"),
    field: { label: t("security.passkeyName"), value: describeAgent(navigator.userAgent) },
    run: async (proof, name) => {
      await addPasskey(name, proof);
      await show.look();
    },
  };
  const ask: Wanted = {
    title: t("security.ask"),
    text: t(factors.needs_passkey ? "security.askOffText" : "security.askText"),
    action: t(factors.needs_passkey ? "security.turnOff" : "security.turnOn"),
    run: async (proof) => {
      show.setCodes((await askForPasskey(!factors.needs_passkey, proof)).codes);
      await show.look();
    },
  };
  const remove = (passkey: Passkey): Wanted => ({
    title: t("security.passkeyRemove", { name: passkey.name }),
    action: t("common.remove"),
    run: async (proof) => {
      await removePasskey(passkey.id, proof);
      await show.look();
    },
  });
  return (
    <Card className="divide-y divide-line">
      {factors.passkeys.map((passkey) => (
        <Line key={passkey.id} icon="key" title={passkey.name} text={lastUse(passkey, t)}>
          <Button
            size="sm"
            aria-label={`${t("common.remove")}: ${passkey.name}`}
            onClick={() => show.setWanted(remove(passkey))}
          >
            {t("common.remove")}
          </Button>
        </Line>
      ))}
      {factors.passkeys.length > 0 && (
        <Line icon="resolve" title={t("security.ask")} text={t("security.askHint")}>
          <Button size="sm" onClick={() => show.setWanted(ask)}>
            {t(factors.needs_passkey ? "security.turnOff" : "security.turnOn")}
          </Button>
        </Line>
      )}
      <Line icon="plus" title={t("security.passkeyAdd")} text={canAdd ? undefined : t("errors.passkeys_off")}>
        <Button size="sm" disabled={!canAdd} onClick={() => show.setWanted(add)}>
          {t("common.add")}
        </Button>
      </Line>
    </Card>
  );
}

function lastUse(passkey: Passkey, t: TFunction): string {
  return passkey.last_used_at
    ? t("sessions.lastUsed", { time: formatMoment(passkey.last_used_at) })
    : t("security.added", { time: formatMoment(passkey.created_at) });
}

function PhoneLine({ factors, show }: LineProps) {
  const { t, i18n } = useTranslation();
  const set: Wanted = {
    title: t("security.phoneSet"),
    action: t("auth.sendCode"),
    field: { label: t("fields.phone"), hint: t("fields.phoneHint"), type: "tel", value: "" },
    run: async (proof, phone) => {
      const ask = async () => void (await askPhone(phone, proof, i18n.language));
      await ask();
      show.setPhone({ phone, again: ask });
    },
  };
  const remove: Wanted = {
    title: t("security.phoneRemove"),
    action: t("common.remove"),
    run: async (proof) => {
      await removePhone(proof);
      await show.look();
    },
  };
  return (
    <Line icon="phone" title={factors.phone ?? t("security.phoneNone")}>
      <Button size="sm" onClick={() => show.setWanted(set)}>
        {t(factors.phone ? "security.change" : "security.setUp")}
      </Button>
      {factors.phone && (
        <Button size="sm" onClick={() => show.setWanted(remove)}>
          {t("common.remove")}
        </Button>
      )}
    </Line>
  );
}
