/** One inbox: its name, who sees it, what a returning customer opens, and its connection. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { keys } from "@/api/cache";
import { useColleagues } from "@/api/colleagues";
import {
  addInboxMember,
  disconnectInbox,
  listInboxMembers,
  reconnectInbox,
  removeInboxMember,
  updateInbox,
} from "@/api/desk";
import type { Actor, Inbox } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Button, IconButton, Spinner } from "@/components/controls";
import { Choice, SelectField, TextField } from "@/components/fields";
import { Confirm, Dialog, showToast } from "@/components/overlays";
import { type Pick, Picker } from "@/components/Picker";
import { useTry } from "@/components/trying";
import { openPhone } from "@/lib/sandbox";

interface InboxDialogProps {
  inbox: Inbox | null;
  onClose: () => void;
  onChange: () => void;
}

export function InboxDialog({ inbox, onClose, onChange }: InboxDialogProps) {
  return (
    <Dialog isOpen={inbox !== null} onClose={onClose} title={inbox?.name ?? ""} width="max-w-lg">
      {inbox && (
        <div className="flex flex-col gap-6 overflow-y-auto px-5 pt-2 pb-5">
          <Name inbox={inbox} onChange={onChange} />
          <Members inbox={inbox} />
          <Reopening inbox={inbox} onChange={onChange} />
          <Connection inbox={inbox} onChange={onChange} onClose={onClose} />
        </div>
      )}
    </Dialog>
  );
}

function Name({ inbox, onChange }: { inbox: Inbox; onChange: () => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState(inbox.name);
  const { isBusy, run } = useTry();
  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (await run(() => updateInbox(inbox.id, { name: name.trim() }))) onChange();
  };
  return (
    <form onSubmit={(event) => void save(event)} className="flex items-end gap-2">
      <div className="flex-1">
        <TextField label={t("inboxes.rename")} value={name} onChange={setName} />
      </div>
      <Button
        type="submit"
        className="h-9"
        isBusy={isBusy}
        disabled={name.trim() === "" || name.trim() === inbox.name}
      >
        {t("common.save")}
      </Button>
    </form>
  );
}

function Members({ inbox }: { inbox: Inbox }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const { run } = useTry();
  const members = useQuery({
    queryKey: keys.inboxMembers(inbox.id),
    queryFn: () => listInboxMembers(inbox.id),
  });
  const [isAdding, setAdding] = useState(false);
  const change = async (job: Promise<void>) => {
    await run(() => job);
    await client.invalidateQueries({ queryKey: keys.inboxMembers(inbox.id) });
  };
  return (
    <section>
      <div className="flex items-center">
        <h3 className="flex-1 text-sm font-medium">{t("inboxes.members")}</h3>
        <Button size="sm" tone="quiet" icon="plus" disabled={!members.data} onClick={() => setAdding(true)}>
          {t("common.add")}
        </Button>
      </div>
      <p className="text-xs text-muted">{t("inboxes.membersText")}</p>
      {members.isPending && <Spinner className="mt-3 size-4 text-faint" />}
      {members.isError && <p className="mt-2 text-sm text-bad">{t("settings.failed")}</p>}
      {members.data?.length === 0 && <p className="mt-2 text-sm text-muted">{t("inboxes.noMembers")}</p>}
      <ul className="mt-1">
        {members.data?.map((member) => (
          <li key={member.id} className="flex h-10 items-center gap-2.5 text-sm">
            <Avatar id={member.id} name={member.name} size="sm" />
            <span className="flex-1 truncate">{member.name}</span>
            <IconButton
              icon="close"
              label={`${t("common.remove")}: ${member.name}`}
              className="size-7"
              onClick={() => void change(removeInboxMember(inbox.id, member.id))}
            />
          </li>
        ))}
      </ul>
      <Dialog
        isOpen={isAdding}
        onClose={() => setAdding(false)}
        title={t("inboxes.addMember")}
        isTitleHidden
        width="max-w-sm"
      >
        {isAdding && members.data && (
          <AddMember
            members={members.data}
            onChoose={(actor) => {
              setAdding(false);
              void change(addInboxMember(inbox.id, actor));
            }}
          />
        )}
      </Dialog>
    </section>
  );
}

function AddMember({ members, onChoose }: { members: Actor[]; onChoose: (actor: string) => void }) {
  const { t } = useTranslation();
  const [query, setQuery] = useState("");
  const words = query.trim().toLocaleLowerCase();
  const ids = members.map((one) => one.id);
  const { people, isPending, isError } = useColleagues(words, "beside", ids);
  const picks: Pick[] = people.map(({ id, name, role }) => ({
    id,
    label: name,
    lead: <Avatar id={id} name={name} size="xs" />,
    trail: role && <span className="text-xs text-muted">{t(`people.${role}`)}</span>,
    run: () => onChoose(id),
  }));
  const nobody = words ? undefined : t("inboxes.allAdded");
  return (
    <Picker
      picks={picks}
      isPending={isPending}
      placeholder={t("inboxes.addMember")}
      empty={isError ? t("settings.failed") : nobody}
      query={query}
      onQuery={setQuery}
    />
  );
}

const HOURS = [24, 72, 168, 720];

function Reopening({ inbox, onChange }: { inbox: Inbox; onChange: () => void }) {
  const { t } = useTranslation();
  const { run } = useTry();
  const save = async (body: Parameters<typeof updateInbox>[1]) => {
    if (await run(() => updateInbox(inbox.id, body))) onChange();
  };
  const hours = inbox.reopen_within_hours;
  const options = hours && !HOURS.includes(hours) ? [...HOURS, hours].sort((a, b) => a - b) : HOURS;
  return (
    <section className="flex flex-col gap-3">
      <Choice
        label={t("inboxes.reopenTitle")}
        value={inbox.reopen}
        onChange={(reopen) => void save({ reopen })}
        options={[
          { value: "reopen", label: t("inboxes.reopen") },
          { value: "new", label: t("inboxes.new") },
        ]}
      />
      {inbox.reopen === "reopen" && (
        <SelectField
          label={t("inboxes.within")}
          value={hours ?? ""}
          onChange={(value) => void save({ reopen_within_hours: value ? Number(value) : null })}
        >
          <option value="">{t("inboxes.always")}</option>
          {options.map((count) => (
            <option key={count} value={count}>
              {t("inboxes.hours", { count })}
            </option>
          ))}
        </SelectField>
      )}
    </section>
  );
}

function Connection({
  inbox,
  onChange,
  onClose,
}: {
  inbox: Inbox;
  onChange: () => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const [token, setToken] = useState("");
  const [isAsking, setAsking] = useState(false);
  const { isBusy, run } = useTry();
  const reconnect = async () => {
    if (!(await run(() => reconnectInbox(inbox.id, token.trim() ? { token: token.trim() } : undefined))))
      return;
    setToken("");
    showToast(t("inboxes.reconnected"));
    onChange();
  };
  const disconnect = async () => {
    if (!(await run(() => disconnectInbox(inbox.id)))) return;
    setAsking(false);
    onChange();
    onClose();
  };
  return (
    <section className="flex flex-col gap-3 border-t border-line pt-5">
      {!inbox.is_sandbox && (
        <TextField
          label={t("inboxes.newToken")}
          value={token}
          onChange={setToken}
          autoComplete="off"
          spellCheck={false}
          className="h-9 font-mono"
        />
      )}
      <div className="flex flex-wrap gap-2">
        <Button icon="reopen" isBusy={isBusy} onClick={() => void reconnect()}>
          {t("inboxes.reconnect")}
        </Button>
        {inbox.phone_url && (
          <Button icon="external" onClick={() => openPhone(inbox)}>
            {t("inboxes.openPhone")}
          </Button>
        )}
        <span className="flex-1" />
        {inbox.state !== "disconnected" && (
          <Button tone="quiet" className="text-bad!" onClick={() => setAsking(true)}>
            {t("inboxes.disconnect")}
          </Button>
        )}
      </div>
      <Confirm
        isOpen={isAsking}
        title={t("inboxes.disconnectTitle", { name: inbox.name })}
        text={t("inboxes.disconnectText")}
        action={t("inboxes.disconnect")}
        isBusy={isBusy}
        onConfirm={() => void disconnect()}
        onClose={() => setAsking(false)}
      />
    </section>
  );
}
