/** What follows a proof: the QR code and its first code, the code to a new number, the recovery codes. */
import { useTranslation } from "react-i18next";
import { confirmTotp, setPhone, type TotpSecret } from "@/api/signin";
import { AgainButton } from "@/components/AgainButton";
import { Button } from "@/components/controls";
import { FormError, TextField } from "@/components/fields";
import { Dialog } from "@/components/overlays";
import { useForm } from "@/lib/form";
import { CopyBox } from "./parts";

interface TotpProps {
  secret: TotpSecret | null;
  onClose: () => void;
  onDone: (codes: string[]) => void;
}

export function TotpDialog({ secret, onClose, onDone }: TotpProps) {
  const { t } = useTranslation();
  return (
    <Dialog isOpen={secret !== null} onClose={onClose} title={t("security.appAdd")} width="max-w-sm">
      {secret && <TotpForm secret={secret} onDone={onDone} />}
    </Dialog>
  );
}

function TotpForm({ secret, onDone }: { secret: TotpSecret; onDone: (codes: string[]) => void }) {
  const { t } = useTranslation();
  const form = useForm(
    { code: "" },
    { code: "required" },
    async ({ code }) => onDone((await confirmTotp(code)).codes),
    { wrong_code: t("auth.appCodeWrong") },
  );
  return (
    <form noValidate onSubmit={form.onSubmit} className="flex flex-col gap-4 overflow-y-auto px-5 pt-1 pb-5">
      <p className="text-sm text-muted">{t("security.scan")}</p>
      <img
        src={`data:image/svg+xml,${encodeURIComponent(secret.qr_svg)}`}
        alt={t("security.qr")}
        className="mx-auto size-48 rounded-lg bg-white"
      />
      <div className="flex flex-col gap-1">
        <p className="text-sm text-muted">{t("security.typeSecret")}</p>
        <p className="rounded-lg bg-canvas px-3 py-2 text-center font-mono text-sm text-balance break-words select-all">
          {secret.secret.match(/.{1,4}/g)?.join(" ")}
        </p>
      </div>
      <FormError>{form.failure}</FormError>
      <TextField
        label={t("fields.appCode")}
        inputMode="numeric"
        autoComplete="one-time-code"
        autoFocus
        {...form.field("code")}
      />
      <Button type="submit" tone="primary" size="lg" isBusy={form.isBusy}>
        {t("security.turnOn")}
      </Button>
    </form>
  );
}

/** A number to which a code was sent, and how another is. */
export interface AskedPhone {
  phone: string;
  again: () => Promise<void>;
}

interface PhoneProps {
  asked: AskedPhone | null;
  onClose: () => void;
  onDone: () => void;
}

export function PhoneDialog({ asked, onClose, onDone }: PhoneProps) {
  const { t } = useTranslation();
  return (
    <Dialog isOpen={asked !== null} onClose={onClose} title={t("security.phoneSet")} width="max-w-sm">
      {asked && <PhoneForm asked={asked} onDone={onDone} />}
    </Dialog>
  );
}

function PhoneForm({ asked, onDone }: { asked: AskedPhone; onDone: () => void }) {
  const { phone, again } = asked;
  const { t } = useTranslation();
  const form = useForm({ code: "" }, { code: "required" }, async ({ code }) => {
    await setPhone(phone, code);
    onDone();
  });
  return (
    <form noValidate onSubmit={form.onSubmit} className="flex flex-col gap-4 px-5 pt-1 pb-5">
      <p className="text-sm text-muted">{t("security.phoneCodeSent", { phone })}</p>
      <FormError>{form.failure}</FormError>
      <TextField
        label={t("fields.smsCode")}
        inputMode="numeric"
        autoComplete="one-time-code"
        autoFocus
        {...form.field("code")}
      />
      <Button type="submit" tone="primary" size="lg" isBusy={form.isBusy}>
        {t("common.save")}
      </Button>
      <AgainButton onAgain={again} />
    </form>
  );
}

export function RecoveryDialog({ codes, onClose }: { codes: string[]; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Dialog
      isOpen={codes.length > 0}
      onClose={onClose}
      title={t("security.recovery")}
      width="max-w-sm"
      isKept
    >
      <div className="flex flex-col gap-4 overflow-y-auto px-5 pt-1 pb-5">
        <p className="text-sm text-muted">{t("security.recoveryText")}</p>
        <ul className="grid grid-cols-2 gap-x-4 gap-y-1 rounded-lg bg-canvas px-4 py-3 font-mono text-sm">
          {codes.map((code) => (
            <li key={code} className="text-center">
              {code}
            </li>
          ))}
        </ul>
        <CopyBox text={codes.join(" ")} />
        <Button tone="primary" size="lg" onClick={onClose}>
          {t("security.kept")}
        </Button>
      </div>
    </Dialog>
  );
}
