/** The second page of a sign-in: which workspace, or the second factor. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { giveSecondFactor, giveSecondPasskey } from "@/api/signin";
import { Avatar } from "@/components/Avatar";
import { Button, Spinner } from "@/components/controls";
import { FormError, TextField } from "@/components/fields";
import { Icon } from "@/components/Icon";
import { errorText } from "@/lib/errors";
import { useForm } from "@/lib/form";
import { Frame } from "./Frame";
import { type Method, type Next as NextStep, take } from "./steps";

interface Props<Step> {
  step: Step;
  onNext: (next: NextStep | null) => void;
  onBack: () => void;
}

export function Next({ step, onNext, onBack }: Props<NextStep>) {
  return step.kind === "choose" ? (
    <ChooseWorkspace step={step} onNext={onNext} onBack={onBack} />
  ) : (
    <SecondFactor step={step} onNext={onNext} onBack={onBack} />
  );
}

function ChooseWorkspace({ step, onNext, onBack }: Props<Extract<NextStep, { kind: "choose" }>>) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  async function choose(id: string): Promise<void> {
    setChosen(id);
    setFailure(null);
    try {
      onNext(await take(() => step.again(id)));
    } catch (error) {
      setFailure(errorText(error, t));
      setChosen(null);
    }
  }
  return (
    <Frame title={t("auth.chooseTitle")} text={t("auth.chooseText")}>
      <FormError>{failure}</FormError>
      <ul className="-mx-2 flex flex-col gap-1">
        {step.workspaces.map((workspace, index) => (
          <li key={workspace.id}>
            <button
              type="button"
              autoFocus={index === 0}
              disabled={chosen !== null}
              onClick={() => void choose(workspace.id)}
              className="flex w-full items-center gap-3 rounded-xl p-2 text-left hover:bg-hover"
            >
              <Avatar id={workspace.id} name={workspace.name} />
              <span className="flex-1 truncate font-medium">{workspace.name}</span>
              {chosen === workspace.id ? <Spinner /> : <Icon name="forward" className="size-4 text-faint" />}
            </button>
          </li>
        ))}
      </ul>
      <Button tone="quiet" className="mt-3 w-full" onClick={onBack}>
        {t("auth.otherAccount")}
      </Button>
    </Frame>
  );
}

function SecondFactor({ step, onNext, onBack }: Props<Extract<NextStep, { kind: "second" }>>) {
  const { t } = useTranslation();
  const [method, setMethod] = useState<Method>(step.methods[0] ?? "recovery_code");
  const texts = { totp: "auth.totpText", passkey: "auth.passkeyText", recovery_code: "auth.recoveryText" };
  return (
    <Frame title={t("auth.secondTitle")} text={t(texts[method])}>
      {method === "passkey" ? (
        <PasskeyFactor challenge={step.challenge} onDone={() => onNext(null)} />
      ) : (
        <CodeFactor key={method} challenge={step.challenge} method={method} onDone={() => onNext(null)} />
      )}
      <div className="mt-4 flex flex-col gap-1 border-t border-line pt-3">
        {step.methods
          .filter((other) => other !== method)
          .map((other) => (
            <Button key={other} tone="quiet" onClick={() => setMethod(other)}>
              {t(`auth.use.${other}`)}
            </Button>
          ))}
        <Button tone="quiet" onClick={onBack}>
          {t("auth.otherAccount")}
        </Button>
      </div>
    </Frame>
  );
}

interface FactorProps {
  challenge: string;
  onDone: () => void;
}

function CodeFactor({ challenge, method, onDone }: FactorProps & { method: "totp" | "recovery_code" }) {
  const { t } = useTranslation();
  const isApp = method === "totp";
  const form = useForm(
    { code: "" },
    { code: "required" },
    async ({ code }) => {
      await giveSecondFactor({ challenge, ...(isApp ? { code } : { recovery_code: code }) });
      onDone();
    },
    { wrong_code: t(isApp ? "auth.appCodeWrong" : "auth.recoveryCodeWrong") },
  );
  return (
    <form noValidate onSubmit={form.onSubmit} className="flex flex-col gap-4">
      <FormError>{form.failure}</FormError>
      <TextField
        label={t(isApp ? "fields.appCode" : "fields.recoveryCode")}
        inputMode={isApp ? "numeric" : "text"}
        autoComplete={isApp ? "one-time-code" : "off"}
        autoCapitalize="none"
        spellCheck={false}
        autoFocus
        className="h-11 text-center font-mono text-lg tracking-widest"
        {...form.field("code")}
      />
      <Button type="submit" tone="primary" size="lg" isBusy={form.isBusy}>
        {t("auth.signIn")}
      </Button>
    </form>
  );
}

function PasskeyFactor({ challenge, onDone }: FactorProps) {
  const { t } = useTranslation();
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  async function sign(): Promise<void> {
    setBusy(true);
    setFailure(null);
    try {
      await giveSecondPasskey(challenge);
      onDone();
    } catch (error) {
      setFailure(errorText(error, t));
    } finally {
      setBusy(false);
    }
  }
  return (
    <div className="flex flex-col gap-4">
      <FormError>{failure}</FormError>
      <Button tone="primary" size="lg" icon="key" autoFocus isBusy={isBusy} onClick={() => void sign()}>
        {t("auth.use.passkey")}
      </Button>
    </div>
  );
}
