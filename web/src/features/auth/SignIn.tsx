import { useState } from "react";
import { useTranslation } from "react-i18next";
import { signIn } from "@/api/accounts";
import { beginPasskey } from "@/api/signin";
import { useWays } from "@/api/ways";
import { Button } from "@/components/controls";
import { Choice, FormError, PasswordField, TextField } from "@/components/fields";
import { errorText } from "@/lib/errors";
import { useForm } from "@/lib/form";
import { isJoining } from "@/lib/joining";
import { canUsePasskeys } from "@/lib/passkeys";
import { Frame } from "./Frame";
import { Next } from "./Next";
import { PhoneForm } from "./PhoneForm";
import { type Next as NextStep, take } from "./steps";

type Way = "email" | "phone";

export function SignIn() {
  const { t } = useTranslation();
  const [way, setWay] = useState<Way>("email");
  const [next, setNext] = useState<NextStep | null>(null);
  const ways = useWays();
  if (next) return <Next step={next} onNext={setNext} onBack={() => setNext(null)} />;
  return (
    <Frame title={t("auth.signInTitle")} text={isJoining() ? t("auth.joinText") : undefined}>
      {ways.has_phone && (
        <div className="mb-4 [&_div]:w-full [&_label]:flex-1 [&_label]:text-center">
          <Choice<Way>
            label={t("auth.way")}
            value={way}
            onChange={setWay}
            options={[
              { value: "email", label: t("fields.email") },
              { value: "phone", label: t("auth.byPhone") },
            ]}
          />
        </div>
      )}
      {way === "phone" ? <PhoneForm onNext={setNext} /> : <EmailForm onNext={setNext} />}
      {ways.has_passkeys && canUsePasskeys() && <ByPasskey onNext={setNext} />}
    </Frame>
  );
}

function EmailForm({ onNext }: { onNext: (next: NextStep | null) => void }) {
  const { t } = useTranslation();
  const form = useForm(
    { email: "", password: "" },
    { email: "email", password: "required" },
    async ({ email, password }) =>
      onNext(await take((workspace_id) => signIn({ email: email.trim(), password, workspace_id }))),
  );
  return (
    <form noValidate onSubmit={form.onSubmit} className="flex flex-col gap-4">
      <FormError>{form.failure}</FormError>
      <TextField
        label={t("fields.email")}
        type="email"
        autoComplete="username"
        autoFocus
        {...form.field("email")}
      />
      <PasswordField
        label={t("fields.password")}
        autoComplete="current-password"
        {...form.field("password")}
      />
      <Button type="submit" tone="primary" size="lg" isBusy={form.isBusy} className="mt-1">
        {t("auth.signIn")}
      </Button>
    </form>
  );
}

function ByPasskey({ onNext }: { onNext: (next: NextStep | null) => void }) {
  const { t } = useTranslation();
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  async function sign(): Promise<void> {
    setBusy(true);
    setFailure(null);
    try {
      onNext(await take(await beginPasskey()));
    } catch (error) {
      setFailure(errorText(error, t));
    } finally {
      setBusy(false);
    }
  }
  return (
    <div className="mt-4 flex flex-col gap-3 border-t border-line pt-4">
      <FormError>{failure}</FormError>
      <Button size="lg" icon="key" isBusy={isBusy} onClick={() => void sign()}>
        {t("auth.byPasskey")}
      </Button>
    </div>
  );
}
