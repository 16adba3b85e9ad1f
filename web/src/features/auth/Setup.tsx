import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { acceptInvitation, checkInvitation, checkSetup, setUp } from "@/api/accounts";
import { ApiError } from "@/api/http";
import { Button, Spinner } from "@/components/controls";
import { FormError, PasswordField, TextField } from "@/components/fields";
import { errorText } from "@/lib/errors";
import { useForm } from "@/lib/form";
import { hashToken, navigate } from "@/lib/router";
import { Frame } from "./Frame";
import { Next } from "./Next";
import { type Next as NextStep, take } from "./steps";

/** A one-time link is asked about once; the token leaves the address bar at once. */
function useLink<T>(kind: string, check: (token: string) => Promise<T>) {
  const [token] = useState(hashToken);
  useEffect(() => history.replaceState(null, "", location.pathname), []);
  const query = useQuery({
    queryKey: [kind, token],
    queryFn: async (): Promise<{ about: T }> => ({ about: await check(token) }),
    retry: (count, error) => count < 3 && error instanceof ApiError && error.isTemporary,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return { token, query };
}

function LinkTrouble({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const { t } = useTranslation();
  const isTemporary = error instanceof ApiError && error.isTemporary;
  if (isTemporary) {
    return (
      <Frame title={t("errors.title")} text={errorText(error, t)}>
        <Button tone="primary" size="lg" className="w-full" onClick={onRetry}>
          {t("common.retry")}
        </Button>
      </Frame>
    );
  }
  return (
    <Frame title={t("auth.linkUsedTitle")} text={t("auth.linkUsedText")}>
      <Button
        tone="primary"
        size="lg"
        className="w-full"
        onClick={() => navigate("/sign-in", { replace: true })}
      >
        {t("auth.signIn")}
      </Button>
    </Frame>
  );
}

const Waiting = () => (
  <div className="flex h-full items-center justify-center bg-rail text-faint">
    <Spinner className="size-6" />
  </div>
);

export function Setup() {
  const { t, i18n } = useTranslation();
  const { token, query } = useLink("setup", checkSetup);
  const form = useForm(
    { workspace_name: "", name: "", email: "", password: "" },
    { workspace_name: "required", name: "required", email: "email", password: "password" },
    async (values) => {
      await setUp({ ...values, email: values.email.trim(), token, locale: i18n.language });
      navigate("/inbox", { replace: true });
    },
  );
  if (query.isPending) return <Waiting />;
  if (query.isError) return <LinkTrouble error={query.error} onRetry={() => void query.refetch()} />;
  return (
    <Frame title={t("auth.setupTitle")} text={t("auth.setupText")}>
      <form noValidate onSubmit={form.onSubmit} className="flex flex-col gap-4">
        <FormError>{form.failure}</FormError>
        <TextField
          label={t("fields.workspaceName")}
          hint={t("fields.workspaceHint")}
          autoFocus
          autoComplete="organization"
          {...form.field("workspace_name")}
        />
        <TextField label={t("fields.name")} autoComplete="name" {...form.field("name")} />
        <TextField label={t("fields.email")} type="email" autoComplete="username" {...form.field("email")} />
        <PasswordField
          label={t("fields.password")}
          hint={t("fields.passwordHint")}
          autoComplete="new-password"
          {...form.field("password")}
        />
        <Button type="submit" tone="primary" size="lg" isBusy={form.isBusy} className="mt-1">
          {t("auth.setupSubmit")}
        </Button>
      </form>
    </Frame>
  );
}

export function Invite() {
  const { t } = useTranslation();
  const { token, query } = useLink("invitation", checkInvitation);
  const [next, setNext] = useState<NextStep | null>(null);
  const form = useForm({ password: "" }, { password: "password" }, async ({ password }) => {
    onNext(await take(() => acceptInvitation({ token, password })));
  });
  const onNext = (asked: NextStep | null) => (asked ? setNext(asked) : navigate("/inbox", { replace: true }));
  const leave = () => navigate("/sign-in", { replace: true });
  if (next) return <Next step={next} onNext={onNext} onBack={leave} />;
  if (query.isPending) return <Waiting />;
  if (query.isError) return <LinkTrouble error={query.error} onRetry={() => void query.refetch()} />;
  const { workspace_name, name, email } = query.data.about;
  return (
    <Frame
      title={t("auth.inviteTitle", { workspace: workspace_name })}
      text={t("auth.inviteText", { name, email })}
    >
      <form noValidate onSubmit={form.onSubmit} className="flex flex-col gap-4">
        <FormError>{form.failure}</FormError>
        <input type="hidden" autoComplete="username" value={email} readOnly />
        <PasswordField
          label={t("fields.password")}
          hint={t("fields.passwordHint")}
          autoComplete="new-password"
          autoFocus
          {...form.field("password")}
        />
        <Button type="submit" tone="primary" size="lg" isBusy={form.isBusy} className="mt-1">
          {t("auth.inviteSubmit")}
        </Button>
      </form>
    </Frame>
  );
}
