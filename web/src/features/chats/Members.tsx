/** Who is in a group or broadcast, in which role; adding, changing, removing. */
import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { chatKeys } from "@/api/chat-cache";
import { addMembers, changeRole, openChat } from "@/api/chats";
import { useMe, useMembers } from "@/api/hooks";
import { useSync } from "@/api/sync";
import type { Chat, Member, Sender } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Button, IconButton, Spinner } from "@/components/controls";
import { Dialog, Menu, MenuItem, MenuLabel, MenuLine } from "@/components/overlays";
import { SearchField } from "@/components/SearchField";
import { useTry } from "@/components/trying";
import { errorText } from "@/lib/errors";
import { chatPath, navigate } from "@/lib/router";
import { ROLES, useMemberList, useNearEnd } from "./members";
import { PeopleField } from "./PeopleField";
import { BanMember, RemoveMember } from "./Removing";

/** From so many on there is a field to find one. */
const SEARCHED_FROM = 10;

export function Members({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const [query, setQuery] = useState("");
  const members = useMemberList(chat, query);
  const known = useMembers(chat.id).data;
  const present = useMemo(() => new Set(known?.map((member) => member.actor.id)), [known]);
  const end = useNearEnd<HTMLLIElement>(members.showMore, members.items);
  const [isAdding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Member | null>(null);
  const [banning, setBanning] = useState<Member | null>(null);
  const canManage = chat.role === "owner" || chat.role === "moderator";
  const count = chat.member_count ?? known?.length ?? 0;
  return (
    <section aria-label={t("chats.memberList")} className="border-t border-line px-3 py-3">
      <div className="flex min-h-8 items-center justify-between px-2">
        <h3 className="text-xs font-medium text-muted">{t("chats.members", { count })}</h3>
        {canManage && <IconButton icon="plus" label={t("chats.addPeople")} onClick={() => setAdding(true)} />}
      </div>
      {count >= SEARCHED_FROM && (
        <div className="mx-2 mt-1 mb-2">
          <SearchField value={query} label={t("chats.findMember")} onChange={setQuery} />
        </div>
      )}
      {members.isPending && <Waiting />}
      {!members.isPending && !members.error && members.items.length === 0 && (
        <p className="p-4 text-center text-sm text-muted">{t("chats.nobodyFound")}</p>
      )}
      <ul>
        {members.items.map((member) => (
          <MemberLine
            key={member.actor.id}
            chat={chat}
            member={member}
            canManage={canManage}
            onRemove={setRemoving}
            onBan={setBanning}
          />
        ))}
        {members.hasMore && (
          <li ref={end}>
            <Waiting />
          </li>
        )}
      </ul>
      {members.error !== null && (
        <p role="alert" className="flex flex-col items-center gap-2 p-4 text-center text-sm text-muted">
          {errorText(members.error, t)}
          <Button size="sm" onClick={members.retry}>
            {t("common.retry")}
          </Button>
        </p>
      )}
      <AddPeople chat={chat} present={present} isOpen={isAdding} onClose={() => setAdding(false)} />
      <RemoveMember chat={chat} member={removing} onClose={() => setRemoving(null)} />
      <BanMember chat={chat} member={banning} onClose={() => setBanning(null)} />
    </section>
  );
}

const Waiting = () => (
  <p className="flex justify-center p-4 text-faint">
    <Spinner />
  </p>
);

interface MemberLineProps {
  chat: Chat;
  member: Member;
  canManage: boolean;
  onRemove: (member: Member) => void;
  onBan: (member: Member) => void;
}

function MemberLine({ chat, member, canManage, onRemove, onBan }: MemberLineProps) {
  const { t } = useTranslation();
  const sync = useSync();
  const attempt = useTry();
  const me = useMe().actor.id;
  const { actor, role } = member;
  const isMe = actor.id === me;
  // Only owners make owners, or change them.
  const canChange = canManage && !isMe && (chat.role === "owner" || role !== "owner");
  // A broadcast knows those who write and those who read, and nothing between.
  const usual = chat.kind === "broadcast" ? "reader" : "member";
  const roles = ROLES.filter(
    (one) =>
      one === role ||
      ((one !== "owner" || chat.role === "owner") && (one !== "member" || chat.kind !== "broadcast")),
  );
  const write = async () => {
    const direct = await openChat({ kind: "direct", members: [actor.id] });
    sync.chats.keep(direct);
    navigate(chatPath(direct.id));
  };
  return (
    <li className="group/member flex h-11 items-center gap-2.5 rounded-lg px-2 hover:bg-hover">
      <Avatar id={actor.id} name={actor.name} size="sm" />
      <span dir="auto" className="min-w-0 flex-1 truncate text-left text-sm">
        {actor.name}
        {isMe && <span className="text-faint"> · {t("common.you")}</span>}
      </span>
      {role !== usual && <span className="text-xs text-muted">{t(`chats.roles.${role}`)}</span>}
      {isMe ? (
        <span className="w-7 pointer-coarse:w-10" />
      ) : (
        <Menu
          trigger={
            <IconButton icon="more" label={t("chats.memberMenu", { name: actor.name })} className="size-7" />
          }
        >
          <MenuItem icon="chats" onSelect={() => void attempt.run(write)}>
            {t("chats.writeTo")}
          </MenuItem>
          {canChange && (
            <>
              <MenuLine />
              <MenuLabel>{t("chats.role")}</MenuLabel>
              {roles.map((one) => (
                <MenuItem
                  key={one}
                  isChecked={one === role}
                  onSelect={() => void attempt.run(() => changeRole(chat.id, actor.id, one))}
                >
                  {t(`chats.roles.${one}`)}
                </MenuItem>
              ))}
              <MenuLine />
              <MenuItem icon="userOff" isDanger onSelect={() => onRemove(member)}>
                {t("chats.remove")}
              </MenuItem>
              <MenuItem icon="ban" isDanger onSelect={() => onBan(member)}>
                {t("chats.ban")}
              </MenuItem>
            </>
          )}
        </Menu>
      )}
    </li>
  );
}

interface AddPeopleProps {
  chat: Chat;
  present: ReadonlySet<string>;
  isOpen: boolean;
  onClose: () => void;
}

function AddPeople({ chat, present, isOpen, onClose }: AddPeopleProps) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const attempt = useTry();
  const [chosen, setChosen] = useState<Sender[]>([]);
  const add = () =>
    attempt.run(async () => {
      await addMembers(
        chat.id,
        chosen.map((one) => one.id),
      );
      void client.invalidateQueries({ queryKey: chatKeys.allFound(chat.id) });
      setChosen([]);
      onClose();
    });
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title={t("chats.addPeople")}>
      <div className="flex min-h-0 flex-col pt-2 pb-4">
        <PeopleField chosen={chosen} without={present} onChange={setChosen} />
        <div className="flex justify-end gap-2 border-t border-line px-5 pt-3">
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button
            tone="primary"
            isBusy={attempt.isBusy}
            disabled={chosen.length === 0}
            onClick={() => void add()}
          >
            {t("common.add")}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
