/** Beside a chat: what it is, what it is to oneself, who is in it. */
import { type ButtonHTMLAttributes, type Ref, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { changeChatProfile } from "@/api/chats";
import { uploadFile } from "@/api/media";
import { useSync } from "@/api/sync";
import type { Chat } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Button, IconButton, Spinner } from "@/components/controls";
import { TextAreaField, TextField } from "@/components/fields";
import { Icon, type IconName } from "@/components/Icon";
import { Menu, MenuItem } from "@/components/overlays";
import { useTry } from "@/components/trying";
import { chatFace, chatTitle } from "@/lib/chat-view";
import { Bans } from "./Bans";
import { InviteLinks } from "./InviteLinks";
import { LeaveConfirm } from "./Leave";
import { Members } from "./Members";
import { useChatActions } from "./preferences";

export function Details({ chat, onClose }: { chat: Chat; onClose: () => void }) {
  const { t } = useTranslation();
  const [isEditing, setEditing] = useState(false);
  const canManage = chat.kind !== "direct" && (chat.role === "owner" || chat.role === "moderator");
  return (
    <aside aria-label={t("chats.details")} className="flex h-full flex-col bg-surface">
      <div className="flex h-14 shrink-0 items-center gap-1 border-b border-line pr-2 pl-4">
        <h2 className="flex-1 font-semibold">{t("chats.details")}</h2>
        {canManage && (
          <IconButton
            icon="edit"
            label={t("chats.edit")}
            isOn={isEditing}
            onClick={() => setEditing(!isEditing)}
          />
        )}
        <IconButton icon="close" label={t("common.close")} onClick={onClose} />
      </div>
      <div className="min-h-0 flex-1 overflow-y-auto pb-6">
        {isEditing ? <EditProfile chat={chat} onDone={() => setEditing(false)} /> : <Profile chat={chat} />}
        <PersonalActions chat={chat} />
        {chat.kind !== "direct" && (
          <>
            {canManage && (
              <>
                <InviteLinks chat={chat} />
                <Bans chat={chat} />
              </>
            )}
            <Leave chat={chat} />
            {/* Last: it may go on for thousands. */}
            <Members chat={chat} />
          </>
        )}
      </div>
    </aside>
  );
}

function Profile({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const name = chatTitle(chat) ?? t(`chats.untitled.${chat.kind}`);
  return (
    <div className="flex flex-col items-center gap-1 px-5 pt-6 pb-4 text-center">
      <Avatar id={chatFace(chat)} name={name} size="lg" picture={chat.avatar?.media_id} />
      <p dir="auto" className="mt-2 max-w-full text-lg font-semibold break-words">
        {name}
      </p>
      <p className="text-xs text-muted">{t(`chats.${chat.kind}`)}</p>
      {chat.description && (
        <p
          dir="auto"
          className="mt-2 max-w-full text-left text-sm break-words whitespace-pre-wrap [overflow-wrap:anywhere]"
        >
          {chat.description}
        </p>
      )}
    </div>
  );
}

function EditProfile({ chat, onDone }: { chat: Chat; onDone: () => void }) {
  const { t } = useTranslation();
  const sync = useSync();
  const attempt = useTry();
  const [title, setTitle] = useState(chat.title ?? "");
  const [description, setDescription] = useState(chat.description ?? "");
  const [picture, setPicture] = useState(chat.avatar?.media_id ?? null);
  const picker = useRef<HTMLInputElement>(null);
  const choose = (file: File | undefined) =>
    file &&
    attempt.run(async () => {
      const media = await uploadFile(file, () => undefined, new AbortController().signal);
      setPicture(media.id);
    });
  const save = () =>
    attempt.run(async () => {
      const isOther = picture !== (chat.avatar?.media_id ?? null);
      const changed = await changeChatProfile(chat.id, {
        title: title.trim(),
        description: description.trim() || null,
        ...(isOther ? { avatar_media_id: picture } : {}),
      });
      sync.chats.keep(changed);
      onDone();
    });
  return (
    <form
      className="flex flex-col gap-3 px-5 pt-5 pb-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (title.trim()) void save();
      }}
    >
      <div className="flex items-center gap-3">
        <Avatar id={chat.id} name={title || "?"} size="lg" picture={picture} />
        <div className="flex flex-col items-start gap-1">
          <Button size="sm" icon="image" onClick={() => picker.current?.click()}>
            {t("chats.choosePicture")}
          </Button>
          {picture && (
            <Button size="sm" tone="quiet" onClick={() => setPicture(null)}>
              {t("chats.noPicture")}
            </Button>
          )}
        </div>
        <input
          ref={picker}
          type="file"
          accept="image/*"
          hidden
          onChange={(event) => {
            void choose(event.target.files?.[0]);
            event.target.value = "";
          }}
        />
      </div>
      <TextField label={t("chats.titleLabel")} value={title} maxLength={200} onChange={setTitle} />
      <TextAreaField
        label={t("chats.description")}
        value={description}
        maxLength={2_000}
        onChange={setDescription}
      />
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>{t("common.cancel")}</Button>
        <Button type="submit" tone="primary" isBusy={attempt.isBusy} disabled={!title.trim()}>
          {t("common.save")}
        </Button>
      </div>
    </form>
  );
}

function PersonalActions({ chat }: { chat: Chat }) {
  const actions = useChatActions(chat);
  return (
    <section className="border-t border-line px-3 py-2">
      {actions.map(({ name, icon, label, run, choices }) =>
        choices ? (
          <Menu key={name} align="start" trigger={<Doing icon={icon} label={label} />}>
            {choices.map((choice) => (
              <MenuItem key={choice.label} onSelect={choice.run}>
                {choice.label}
              </MenuItem>
            ))}
          </Menu>
        ) : (
          <Doing key={name} icon={icon} label={label} onClick={run} />
        ),
      )}
    </section>
  );
}

interface DoingProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: IconName;
  label: string;
  isDanger?: boolean;
  isBusy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function Doing({ icon, label, isDanger, isBusy, ...rest }: DoingProps) {
  return (
    <button
      type="button"
      {...rest}
      className={`flex h-9 w-full items-center gap-2.5 rounded-lg px-2 text-left text-sm pointer-coarse:h-11 ${isDanger ? "text-bad hover:bg-bad-soft" : "hover:bg-hover"}`}
    >
      {isBusy ? <Spinner /> : <Icon name={icon} className={`size-[17px] ${isDanger ? "" : "text-muted"}`} />}
      {label}
    </button>
  );
}

function Leave({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const [isAsked, setAsked] = useState(false);
  return (
    <div className="border-t border-line px-3 py-2">
      <Doing icon="logout" label={t("chats.leave")} isDanger onClick={() => setAsked(true)} />
      <LeaveConfirm chat={isAsked ? chat : null} onClose={() => setAsked(false)} />
    </div>
  );
}
