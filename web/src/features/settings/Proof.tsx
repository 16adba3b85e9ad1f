/** A dialog that asks once more who it is, and then does what was wanted with the answer. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Factors, type Proof, sendProofCode } from "@/api/signin";
import { Button } from "@/components/controls";
import { FormError, PasswordField, TextField } from "@/components/fields";
import { Dialog } from "@/components/overlays";
import { useTry } from "@/components/trying";
import { useForm } from "@/lib/form";

type Kind = "password" | "code" | "sms_code" | "recovery_code";

/** What is wanted: its name, and the doing. `field`: one more thing to fill in, such as a name. */
export interface Wanted {
  title: string;
  text?: string;
  action: string;
  field?: { label: string; hint?: string; type?: string; value: string };
  run: (proof: Proof, value: string) => Promise<void>;
}

const kindsOf = (factors: Factors): Kind[] => {
  const kinds: [Kind, boolean][] = [
    ["password", factors.has_password],
    ["code", factors.has_totp],
    ["sms_code", factors.phone !== null],
    ["recovery_code", factors.recovery_codes_left > 0],
  ];
  return kinds.filter(([, has]) => has).map(([kind]) => kind);
};

export function ProofDialog({
  factors,
  wanted,
  onClose,
}: {
  factors: Factors;
  wanted: Wanted | null;
  onClose: () => void;
}) {
  return (
    <Dialog isOpen={wanted !== null} onClose={onClose} title={wanted?.title ?? ""} width="max-w-sm">
      {wanted && <ProofForm factors={factors} wanted={wanted} onClose={onClose} />}
    </Dialog>
  );
}

function ProofForm({ factors, wanted, onClose }: { factors: Factors; wanted: Wanted; onClose: () => void }) {
  const { t, i18n } = useTranslation();
  const kinds = kindsOf(factors);
  const [kind, setKind] = useState<Kind>(kinds[0] ?? "recovery_code");
  const [isSent, setSent] = useState(false);
  const { isBusy, run } = useTry();
  const refusals: Record<Kind, Record<string, string>> = {
    password: { wrong_credentials: t("fields.passwordWrong") },
    code: { wrong_code: t("auth.appCodeWrong") },
    recovery_code: { wrong_code: t("auth.recoveryCodeWrong") },
    sms_code: {},
  };
  const form = useForm(
    { proof: "", value: wanted.field?.value ?? "" },
    { proof: "required", ...(wanted.field && { value: "required" as const }) },
    async ({ proof, value }) => {
      await wanted.run({ [kind]: proof } as Proof, value.trim());
      onClose();
    },
    refusals[kind],
  );
  const send = async () => setSent((await run(() => sendProofCode(i18n.language))) || isSent);
  return (
    <form noValidate onSubmit={form.onSubmit} className="flex flex-col gap-4 overflow-y-auto px-5 pt-1 pb-5">
      {wanted.text && <p className="text-sm text-muted">{wanted.text}</p>}
      <FormError>{form.failure}</FormError>
      {wanted.field && (
        <TextField
          label={wanted.field.label}
          hint={wanted.field.hint}
          type={wanted.field.type}
          autoFocus
          {...form.field("value")}
        />
      )}
      {kind === "password" ? (
        <PasswordField
          label={t("fields.currentPassword")}
          autoComplete="current-password"
          autoFocus={!wanted.field}
          {...form.field("proof")}
        />
      ) : (
        <TextField
          key={kind}
          label={t(FIELDS[kind])}
          inputMode={kind === "recovery_code" ? "text" : "numeric"}
          autoComplete={kind === "recovery_code" ? "off" : "one-time-code"}
          autoFocus={!wanted.field}
          {...form.field("proof")}
        />
      )}
      {kind === "sms_code" && (
        <Button isBusy={isBusy} onClick={() => void send()}>
          {t(isSent ? "auth.again" : "auth.sendCode")}
        </Button>
      )}
      {kinds.length > 1 && (
        <div className="flex flex-wrap gap-x-4 gap-y-1 text-sm">
          {kinds
            .filter((other) => other !== kind)
            .map((other) => (
              <button
                key={other}
                type="button"
                className="text-accent-ink hover:underline"
                onClick={() => setKind(other)}
              >
                {t(`security.by.${other}`)}
              </button>
            ))}
        </div>
      )}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>{t("common.cancel")}</Button>
        <Button type="submit" tone="primary" isBusy={form.isBusy}>
          {wanted.action}
        </Button>
      </div>
    </form>
  );
}

const FIELDS = {
  code: "fields.appCode",
  sms_code: "fields.smsCode",
  recovery_code: "fields.recoveryCode",
} as const;
