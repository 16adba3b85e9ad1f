import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { changePassword, renameWorkspace, updateProfile } from "@/api/accounts";
import { useIsAdmin, useMe } from "@/api/hooks";
import { updateMe } from "@/api/session";
import { Button } from "@/components/controls";
import { Choice, FormError, PasswordField, TextField } from "@/components/fields";
import { showToast } from "@/components/overlays";
import { useTry } from "@/components/trying";
import { errorText } from "@/lib/errors";
import { useForm } from "@/lib/form";
import { type Language, setLanguage } from "@/lib/i18n";
import { useStore } from "@/lib/store";
import { setTheme, type ThemeChoice, themeChoice } from "@/lib/theme";
import { Card, Section, SettingsPage } from "./parts";

export function Profile() {
  const { t, i18n } = useTranslation();
  const me = useMe();
  const isAdmin = useIsAdmin();
  const theme = useStore(themeChoice);
  const saveName = async (name: string) => updateMe(await updateProfile({ name }));
  const saveWorkspace = async (name: string) => {
    const workspace = await renameWorkspace(name);
    updateMe({ ...me, workspace: { ...me.workspace, name: workspace.name } });
  };
  const chooseLanguage = (language: Language) => {
    void setLanguage(language);
    // The choice on this machine holds; the server's copy is for letters and other machines.
    updateProfile({ locale: language }).then(updateMe, () => undefined);
  };
  const choosePresence = (shown: "yes" | "no") =>
    void updateProfile({ shows_last_seen: shown === "yes" }).then(updateMe, (error) =>
      showToast(errorText(error, t), { isBad: true }),
    );
  return (
    <SettingsPage title={t("settings.profile")} text={t("profile.text")}>
      <div className="mb-8">
        <Card className="p-4">
          <OneName
            label={t("fields.name")}
            value={me.actor.name}
            hint={me.login?.email ?? me.login?.phone ?? undefined}
            onSave={saveName}
          />
        </Card>
      </div>
      <Section title={t("profile.appearance")}>
        <Card className="flex flex-col gap-4 p-4">
          <Choice<ThemeChoice>
            label={t("fields.theme")}
            value={theme}
            onChange={setTheme}
            options={(["system", "light", "dark"] as const).map((value) => ({
              value,
              label: t(`theme.${value}`),
            }))}
          />
          <Choice<Language>
            label={t("fields.language")}
            value={i18n.language as Language}
            onChange={chooseLanguage}
            options={[
              { value: "ru", label: "Русский" },
              { value: "en", label: "English" },
            ]}
          />
        </Card>
      </Section>
      <Section title={t("profile.presence")} text={t("profile.presenceText")}>
        <Card className="p-4">
          <Choice
            label={t("profile.presenceLabel")}
            value={me.shows_last_seen ? "yes" : "no"}
            onChange={choosePresence}
            options={[
              { value: "yes", label: t("profile.shown") },
              { value: "no", label: t("profile.hidden") },
            ]}
          />
        </Card>
      </Section>
      {me.login?.email && (
        <Section title={t("profile.passwordTitle")} text={t("profile.passwordText")}>
          <Card className="p-4">
            <Password key={me.session_id} />
          </Card>
        </Section>
      )}
      {isAdmin && (
        <Section title={t("profile.workspaceTitle")}>
          <Card className="p-4">
            <OneName label={t("fields.workspaceName")} value={me.workspace.name} onSave={saveWorkspace} />
          </Card>
        </Section>
      )}
    </SettingsPage>
  );
}

function OneName({
  label,
  value,
  hint,
  onSave,
}: {
  label: string;
  value: string;
  hint?: string;
  onSave: (name: string) => Promise<void>;
}) {
  const { t } = useTranslation();
  const [name, setName] = useState(value);
  const { isBusy, run } = useTry();
  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (await run(() => onSave(name.trim()))) showToast(t("common.saved"));
  };
  return (
    <form onSubmit={(event) => void save(event)} className="flex items-start gap-2">
      <div className="max-w-sm flex-1">
        <TextField label={label} hint={hint} value={name} onChange={setName} />
      </div>
      <Button
        type="submit"
        className="mt-[25px] h-9"
        isBusy={isBusy}
        disabled={name.trim() === "" || name.trim() === value}
      >
        {t("common.save")}
      </Button>
    </form>
  );
}

function Password() {
  const { t } = useTranslation();
  const [round, setRound] = useState(0);
  return (
    <PasswordForm
      key={round}
      onDone={() => {
        setRound(round + 1);
        showToast(t("profile.changed"));
      }}
    />
  );
}

function PasswordForm({ onDone }: { onDone: () => void }) {
  const { t } = useTranslation();
  const form = useForm(
    { current_password: "", new_password: "" },
    { current_password: "required", new_password: "password" },
    async (values) => {
      await changePassword(values);
      onDone();
    },
  );
  return (
    <form noValidate onSubmit={form.onSubmit} className="flex max-w-sm flex-col gap-4">
      <FormError>{form.failure}</FormError>
      <PasswordField
        label={t("fields.currentPassword")}
        autoComplete="current-password"
        {...form.field("current_password")}
      />
      <PasswordField
        label={t("fields.newPassword")}
        hint={t("fields.passwordHint")}
        autoComplete="new-password"
        {...form.field("new_password")}
      />
      <Button type="submit" className="self-start" isBusy={form.isBusy}>
        {t("profile.change")}
      </Button>
    </form>
  );
}
