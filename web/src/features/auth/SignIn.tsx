import { useState } from "react";
import { useTranslation } from "react-i18next";
import { signIn } from "@/api/accounts";
import { ApiError } from "@/api/http";
import { Avatar } from "@/components/Avatar";
import { Button, Spinner } from "@/components/controls";
import { FormError, PasswordField, TextField } from "@/components/fields";
import { Icon } from "@/components/Icon";
import { errorText } from "@/lib/errors";
import { useForm } from "@/lib/form";
import { Frame } from "./Frame";

type Workspace = { id: string; name: string };

export function SignIn() {
  const { t } = useTranslation();
  const [workspaces, setWorkspaces] = useState<Workspace[] | null>(null);
  const form = useForm(
    { email: "", password: "" },
    { email: "email", password: "required" },
    async (values) => {
      try {
        await signIn({ email: values.email.trim(), password: values.password });
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== "choose_workspace") throw error;
        setWorkspaces((error.fields.workspaces as Workspace[] | undefined) ?? []);
      }
    },
  );
  if (workspaces) {
    return (
      <ChooseWorkspace workspaces={workspaces} credentials={form.values} onBack={() => setWorkspaces(null)} />
    );
  }
  return (
    <Frame title={t("auth.signInTitle")}>
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
    </Frame>
  );
}

interface ChooseProps {
  workspaces: Workspace[];
  credentials: { email: string; password: string };
  onBack: () => void;
}

function ChooseWorkspace({ workspaces, credentials, onBack }: ChooseProps) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  async function choose(id: string): Promise<void> {
    setChosen(id);
    setFailure(null);
    try {
      await signIn({ email: credentials.email.trim(), password: credentials.password, workspace_id: id });
    } catch (error) {
      setFailure(errorText(error, t));
      setChosen(null);
    }
  }
  return (
    <Frame title={t("auth.chooseTitle")} text={t("auth.chooseText")}>
      <FormError>{failure}</FormError>
      <ul className="-mx-2 flex flex-col gap-1">
        {workspaces.map((workspace, index) => (
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
