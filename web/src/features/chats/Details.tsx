/** Beside a chat: what it is, who is in it, and what can be done with that. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { addMember, removeMember } from "@/api/chats";
import { useMe, useMembers } from "@/api/hooks";
import type { Chat, Member, Sender } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Button, IconButton, Spinner } from "@/components/controls";
import { Confirm, Dialog, Menu, MenuItem, showToast } from "@/components/overlays";
import { chatFace, chatTitle } from "@/lib/chat-view";
import { errorText } from "@/lib/errors";
import { navigate } from "@/lib/router";
import { PeopleField } from "./PeopleField";

const RANK = { owner: 0, moderator: 1, member: 2, reader: 3 };

export function Details({ chat, onClose }: { chat: Chat; onClose: () => void }) {
  const { t } = useTranslation();
  const name = chatTitle(chat) ?? t(`chats.untitled.${chat.kind}`);
  return (
    <aside aria-label={t("chats.details")} className="flex h-full flex-col bg-surface">
      <div className="flex h-14 shrink-0 items-center justify-between border-b border-line pr-2 pl-4">
        <h2 className="font-semibold">{t("chats.details")}</h2>
        <IconButton icon="close" label={t("common.close")} onClick={onClose} />
      </div>
      <div className="min-h-0 flex-1 overflow-y-auto pb-6">
        <div className="flex flex-col items-center gap-1 px-5 pt-6 pb-4 text-center">
          <Avatar id={chatFace(chat)} name={name} size="lg" />
          <p dir="auto" className="mt-2 text-lg font-semibold break-words">
            {name}
          </p>
          <p className="text-xs text-muted">{t(`chats.${chat.kind}`)}</p>
        </div>
        {chat.kind !== "direct" && <Members chat={chat} />}
      </div>
    </aside>
  );
}

function Members({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const members = useMembers(chat.id);
  const [isAdding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Member | null>(null);
  const me = useMe().actor.id;
  const canManage = chat.role === "owner" || chat.role === "moderator";
  const sorted = [...(members.data ?? [])].sort(
    (a, b) => RANK[a.role] - RANK[b.role] || a.actor.name.localeCompare(b.actor.name),
  );
  return (
    <section aria-label={t("chats.memberList")} className="border-t border-line px-3 pt-3">
      <div className="flex items-center justify-between px-2 pb-1">
        <h3 className="text-xs font-medium text-muted">
          {t("chats.members", { count: members.data?.length ?? 0 })}
        </h3>
        {canManage && <IconButton icon="plus" label={t("chats.addPeople")} onClick={() => setAdding(true)} />}
      </div>
      {members.isPending && (
        <p className="flex justify-center p-4 text-faint">
          <Spinner />
        </p>
      )}
      <ul>
        {sorted.map((member) => (
          <li key={member.actor.id} className="flex h-11 items-center gap-2.5 rounded-lg px-2 hover:bg-hover">
            <Avatar id={member.actor.id} name={member.actor.name} size="sm" />
            <span dir="auto" className="min-w-0 flex-1 truncate text-sm">
              {member.actor.name}
              {member.actor.id === me && <span className="text-faint"> · {t("common.you")}</span>}
            </span>
            {member.role !== "member" && member.role !== "reader" && (
              <span className="text-xs text-muted">{t(`chats.roles.${member.role}`)}</span>
            )}
            {canManage && member.actor.id !== me && (
              <Menu
                trigger={
                  <IconButton
                    icon="more"
                    label={t("chats.memberMenu", { name: member.actor.name })}
                    className="size-7"
                  />
                }
              >
                <MenuItem icon="userOff" isDanger onSelect={() => setRemoving(member)}>
                  {t("chats.remove")}
                </MenuItem>
              </Menu>
            )}
          </li>
        ))}
      </ul>
      <AddPeople
        chat={chat}
        present={new Set(sorted.map((member) => member.actor.id))}
        isOpen={isAdding}
        onClose={() => setAdding(false)}
      />
      <RemoveMember chat={chat} member={removing} onClose={() => setRemoving(null)} />
      <LeaveButton chat={chat} />
    </section>
  );
}

function AddPeople({
  chat,
  present,
  isOpen,
  onClose,
}: {
  chat: Chat;
  present: ReadonlySet<string>;
  isOpen: boolean;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<Sender[]>([]);
  const [isBusy, setBusy] = useState(false);
  const add = async () => {
    setBusy(true);
    try {
      const role = chat.kind === "broadcast" ? "reader" : "member";
      for (const person of chosen) await addMember(chat.id, person.id, role);
      setChosen([]);
      onClose();
    } catch (error) {
      showToast(errorText(error, t), { isBad: true });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title={t("chats.addPeople")}>
      <div className="flex min-h-0 flex-col pt-2 pb-4">
        <PeopleField chosen={chosen} without={present} onChange={setChosen} />
        <div className="flex justify-end gap-2 border-t border-line px-5 pt-3">
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button tone="primary" isBusy={isBusy} disabled={chosen.length === 0} onClick={() => void add()}>
            {t("common.add")}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

function RemoveMember({ chat, member, onClose }: { chat: Chat; member: Member | null; onClose: () => void }) {
  const { t } = useTranslation();
  const [isBusy, setBusy] = useState(false);
  const remove = async () => {
    if (!member) return;
    setBusy(true);
    try {
      await removeMember(chat.id, member.actor.id);
      onClose();
    } catch (error) {
      showToast(errorText(error, t), { isBad: true });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Confirm
      isOpen={member !== null}
      title={t("chats.removeTitle", { name: member?.actor.name })}
      text={t("chats.removeText")}
      action={t("chats.remove")}
      isBusy={isBusy}
      onConfirm={() => void remove()}
      onClose={onClose}
    />
  );
}

function LeaveButton({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const me = useMe().actor.id;
  const [isAsked, setAsked] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const leave = async () => {
    setBusy(true);
    try {
      await removeMember(chat.id, me);
      navigate("/chats");
    } catch (error) {
      showToast(errorText(error, t), { isBad: true });
      setBusy(false);
      setAsked(false);
    }
  };
  return (
    <div className="mt-3 border-t border-line pt-3">
      <button
        type="button"
        onClick={() => setAsked(true)}
        className="flex h-9 w-full items-center gap-2.5 rounded-lg px-2 text-left text-sm text-bad hover:bg-bad-soft"
      >
        {t("chats.leave")}
      </button>
      <Confirm
        isOpen={isAsked}
        title={t("chats.leaveTitle")}
        text={t("chats.leaveText")}
        action={t("chats.leave")}
        isBusy={isBusy}
        onConfirm={() => void leave()}
        onClose={() => setAsked(false)}
      />
    </div>
  );
}
