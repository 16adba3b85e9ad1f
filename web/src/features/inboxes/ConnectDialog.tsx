/** Connecting a Telegram bot: two steps outside, one field here. */
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { keys } from "@/api/cache";
import { connectInbox } from "@/api/desk";
import { Button } from "@/components/controls";
import { FormError, TextField } from "@/components/fields";
import { Dialog } from "@/components/overlays";
import { useForm } from "@/lib/form";

export function ConnectDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title={t("inboxes.connectTitle")}>
      {isOpen && <ConnectForm onDone={onClose} />}
    </Dialog>
  );
}

function ConnectForm({ onDone }: { onDone: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const form = useForm({ token: "", name: "" }, { token: "required" }, async ({ token, name }) => {
    await connectInbox({
      channel: "telegram",
      ...(name.trim() ? { name: name.trim() } : {}),
      secrets: { token: token.trim() },
    });
    await client.invalidateQueries({ queryKey: keys.inboxes });
    onDone();
  });
  return (
    <form noValidate onSubmit={form.onSubmit} className="flex flex-col gap-4 overflow-y-auto px-5 pt-1 pb-5">
      <ol className="flex list-decimal flex-col gap-1 pl-5 text-sm text-muted marker:text-faint">
        <li>{t("inboxes.step1")}</li>
        <li>{t("inboxes.step2")}</li>
      </ol>
      <FormError>{form.failure}</FormError>
      <TextField
        label={t("inboxes.tokenLabel")}
        hint={t("inboxes.tokenHint")}
        autoComplete="off"
        spellCheck={false}
        autoFocus
        {...form.field("token")}
        className="h-9 font-mono"
      />
      <TextField
        label={t("inboxes.nameLabel")}
        hint={t("inboxes.nameHint")}
        autoComplete="off"
        {...form.field("name")}
      />
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>{t("common.cancel")}</Button>
        <Button type="submit" tone="primary" isBusy={form.isBusy}>
          {form.isBusy ? t("inboxes.connecting") : t("inboxes.connectSubmit")}
        </Button>
      </div>
    </form>
  );
}
