/** Taking somebody out of a group or broadcast, and keeping them out for a time or for good. */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { chatKeys } from "@/api/chat-cache";
import { ban, removeMember } from "@/api/chats";
import type { Chat, Member } from "@/api/types";
import { Button } from "@/components/controls";
import { SelectField } from "@/components/fields";
import { Confirm, Dialog } from "@/components/overlays";
import { useTry } from "@/components/trying";

const HOUR_MS = 3_600_000;
const LASTS = {
  hour: HOUR_MS,
  day: 24 * HOUR_MS,
  week: 168 * HOUR_MS,
  month: 720 * HOUR_MS,
  ever: null,
} as const;
type Lasts = keyof typeof LASTS;

interface RemovingProps {
  chat: Chat;
  /** Whom; null while nothing is asked. */
  member: Member | null;
  onClose: () => void;
}

export function RemoveMember({ chat, member, onClose }: RemovingProps) {
  const { t } = useTranslation();
  const attempt = useTry();
  const remove = () =>
    attempt.run(async () => {
      if (member) await removeMember(chat.id, member.actor.id);
      onClose();
    });
  return (
    <Confirm
      isOpen={member !== null}
      title={t("chats.removeTitle", { name: member?.actor.name })}
      text={t("chats.removeText")}
      action={t("chats.remove")}
      isBusy={attempt.isBusy}
      onConfirm={() => void remove()}
      onClose={onClose}
    />
  );
}

export function BanMember({ chat, member, onClose }: RemovingProps) {
  const { t } = useTranslation();
  return (
    <Dialog
      isOpen={member !== null}
      onClose={onClose}
      title={t("chats.removeTitle", { name: member?.actor.name })}
      width="max-w-sm"
    >
      {member && <BanForm chat={chat} member={member} onClose={onClose} />}
    </Dialog>
  );
}

function BanForm({ chat, member, onClose }: RemovingProps & { member: Member }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const attempt = useTry();
  const [lasts, setLasts] = useState<Lasts>("ever");
  const keepOut = () =>
    attempt.run(async () => {
      const ms = LASTS[lasts];
      await ban(chat.id, member.actor.id, ms === null ? null : new Date(Date.now() + ms).toISOString());
      await client.invalidateQueries({ queryKey: chatKeys.bans(chat.id) });
      onClose();
    });
  return (
    <form
      className="flex flex-col gap-4 px-5 pb-5"
      onSubmit={(event) => {
        event.preventDefault();
        void keepOut();
      }}
    >
      <p className="text-muted">{t("chats.banText")}</p>
      <SelectField label={t("chats.banLasts")} value={lasts} onChange={(value) => setLasts(value as Lasts)}>
        {(Object.keys(LASTS) as Lasts[]).map((one) => (
          <option key={one} value={one}>
            {t(`chats.banFor.${one}`)}
          </option>
        ))}
      </SelectField>
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>{t("common.cancel")}</Button>
        <Button type="submit" tone="danger" isBusy={attempt.isBusy}>
          {t("chats.ban")}
        </Button>
      </div>
    </form>
  );
}
