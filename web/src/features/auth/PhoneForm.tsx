/** Signing in by phone: the number, then the code, then a name from who is new here. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/http";
import { askCode, signInByCode } from "@/api/signin";
import { AgainButton } from "@/components/AgainButton";
import { Button } from "@/components/controls";
import { FormError, TextField } from "@/components/fields";
import { useForm } from "@/lib/form";
import { type Next, take } from "./steps";

export function PhoneForm({ onNext }: { onNext: (next: Next | null) => void }) {
  const { t, i18n } = useTranslation();
  const [asked, setAsked] = useState<{ phone: string; digits: number; round: number } | null>(null);
  const ask = async (phone: string) => {
    const { digits } = await askCode(phone.trim(), i18n.language);
    setAsked((before) => ({ phone: phone.trim(), digits, round: (before?.round ?? 0) + 1 }));
  };
  const form = useForm({ phone: "" }, { phone: "required" }, ({ phone }) => ask(phone));
  if (asked) return <CodeForm asked={asked} onAgain={ask} onNext={onNext} onOther={() => setAsked(null)} />;
  return (
    <form noValidate onSubmit={form.onSubmit} className="flex flex-col gap-4">
      <FormError>{form.failure}</FormError>
      <TextField
        label={t("fields.phone")}
        hint={t("fields.phoneHint")}
        type="tel"
        autoComplete="tel"
        autoFocus
        {...form.field("phone")}
      />
      <Button type="submit" tone="primary" size="lg" isBusy={form.isBusy} className="mt-1">
        {t("auth.sendCode")}
      </Button>
    </form>
  );
}

interface CodeProps {
  asked: { phone: string; digits: number; round: number };
  onAgain: (phone: string) => Promise<void>;
  onNext: (next: Next | null) => void;
  onOther: () => void;
}

function CodeForm({ asked, onAgain, onNext, onOther }: CodeProps) {
  const { t } = useTranslation();
  const [isNew, setNew] = useState(false);
  const form = useForm(
    { code: "", name: "" },
    isNew ? { name: "required" } : { code: "required" },
    async (values) => {
      const { phone } = asked;
      const name = isNew ? values.name.trim() : undefined;
      try {
        onNext(await take((workspace_id) => signInByCode({ phone, code: values.code, name, workspace_id })));
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== "name_needed") throw error;
        setNew(true);
      }
    },
  );
  return (
    <form noValidate onSubmit={form.onSubmit} className="flex flex-col gap-4">
      <FormError>{form.failure}</FormError>
      <p className="text-sm text-muted" role="status">
        {t(isNew ? "auth.nameText" : "auth.codeSent", { phone: asked.phone })}
      </p>
      {isNew ? (
        <TextField
          key="name"
          label={t("fields.name")}
          autoComplete="name"
          autoFocus
          {...form.field("name")}
        />
      ) : (
        <TextField
          key="code"
          label={t("fields.smsCode")}
          inputMode="numeric"
          autoComplete="one-time-code"
          maxLength={asked.digits + 4}
          autoFocus
          className="h-11 text-center font-mono text-lg tracking-widest"
          {...form.field("code")}
        />
      )}
      <Button type="submit" tone="primary" size="lg" isBusy={form.isBusy}>
        {t("auth.signIn")}
      </Button>
      {!isNew && <AgainButton key={asked.round} onAgain={() => onAgain(asked.phone)} />}
      <Button tone="quiet" onClick={onOther}>
        {t("auth.otherNumber")}
      </Button>
    </form>
  );
}
