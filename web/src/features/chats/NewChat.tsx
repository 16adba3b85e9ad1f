/** Beginning to speak: with one person, in a group, or to many who read. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { openChat } from "@/api/chats";
import { useSync } from "@/api/sync";
import type { ChatKind, Sender } from "@/api/types";
import { Button } from "@/components/controls";
import { Choice, FormError, TextField } from "@/components/fields";
import { Dialog } from "@/components/overlays";
import { chatDialogStore } from "@/lib/chat-view";
import { focusRequest } from "@/lib/desk-view";
import { errorText } from "@/lib/errors";
import { chatPath, navigate } from "@/lib/router";
import { useStore } from "@/lib/store";
import { PeopleField } from "./PeopleField";

const KINDS: ChatKind[] = ["direct", "group", "broadcast"];
const close = () => chatDialogStore.set(null);

export function NewChat() {
  const { t } = useTranslation();
  const isOpen = useStore(chatDialogStore) === "new";
  return (
    <Dialog isOpen={isOpen} onClose={close} title={t("chats.new")} width="max-w-md">
      {isOpen && <Form />}
    </Dialog>
  );
}

function Form() {
  const { t } = useTranslation();
  const sync = useSync();
  const [kind, setKind] = useState<ChatKind>("direct");
  const [title, setTitle] = useState("");
  const [chosen, setChosen] = useState<Sender[]>([]);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const open = async (members: Sender[]) => {
    if (isBusy) return;
    setBusy(true);
    setError(null);
    try {
      const named = kind === "direct" ? {} : { title: title.trim() };
      const chat = await openChat({ kind, members: members.map((one) => one.id), ...named });
      sync.chats.keep(chat);
      close();
      navigate(chatPath(chat.id));
      focusRequest.set({ conversation: chat.id, isNote: null });
    } catch (problem) {
      setError(errorText(problem, t));
      setBusy(false);
    }
  };
  const isReady = title.trim() !== "" && (kind === "broadcast" || chosen.length > 0);
  return (
    <form
      noValidate
      className="flex min-h-0 flex-col gap-3 pt-2 pb-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (isReady) void open(chosen);
      }}
    >
      <div className="px-5">
        <Choice
          label={t("chats.kind")}
          value={kind}
          options={KINDS.map((value) => ({ value, label: t(`chats.${value}`) }))}
          onChange={(value) => {
            setKind(value);
            setError(null);
          }}
        />
        <p className="mt-1.5 text-xs text-muted">{t(`chats.about.${kind}`)}</p>
      </div>
      {kind !== "direct" && (
        <div className="px-5">
          <TextField
            label={t("chats.titleLabel")}
            value={title}
            maxLength={200}
            autoFocus
            onChange={setTitle}
          />
        </div>
      )}
      {error && (
        <div className="px-5">
          <FormError>{error}</FormError>
        </div>
      )}
      <PeopleField
        key={kind === "direct" ? "one" : "many"}
        chosen={kind === "direct" ? [] : chosen}
        isSingle={kind === "direct"}
        hasFocus={kind === "direct"}
        onChange={(people) => (kind === "direct" ? void open(people) : setChosen(people))}
      />
      {kind !== "direct" && (
        <div className="flex items-center justify-end gap-3 border-t border-line px-5 pt-3">
          <span className="flex-1 text-xs text-muted">{t("chats.chosen", { count: chosen.length })}</span>
          <Button onClick={close}>{t("common.cancel")}</Button>
          <Button type="submit" tone="primary" isBusy={isBusy} disabled={!isReady}>
            {t("chats.create")}
          </Button>
        </div>
      )}
    </form>
  );
}
