/** Links by which colleagues join a group: made, copied once, revoked. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { askAgain } from "@/api/asking";
import { chatKeys } from "@/api/chat-cache";
import { createInviteLink, type InviteLink, listInviteLinks, revokeInviteLink } from "@/api/chats";
import type { Chat } from "@/api/types";
import { Button, IconButton } from "@/components/controls";
import { SelectField } from "@/components/fields";
import { Dialog, showToast } from "@/components/overlays";
import { useTry } from "@/components/trying";
import { formatMoment } from "@/lib/format";

const DAY_MS = 24 * 3_600_000;
const LASTS = { day: DAY_MS, week: 7 * DAY_MS, ever: null } as const;
type Lasts = keyof typeof LASTS;
const USES = ["1", "10", "100", ""] as const;

export function InviteLinks({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const attempt = useTry();
  const [isMaking, setMaking] = useState(false);
  const links = useQuery({
    queryKey: chatKeys.links(chat.id),
    queryFn: () => listInviteLinks(chat.id),
    refetchInterval: askAgain,
  });
  const again = () => client.invalidateQueries({ queryKey: chatKeys.links(chat.id) });
  const revoke = (link: InviteLink) =>
    attempt.run(async () => {
      await revokeInviteLink(chat.id, link.id);
      await again();
    });
  return (
    <section aria-label={t("chats.links")} className="border-t border-line px-3 py-3">
      <div className="flex min-h-8 items-center justify-between px-2">
        <h3 className="text-xs font-medium text-muted">{t("chats.links")}</h3>
        <IconButton icon="plus" label={t("chats.newLink")} onClick={() => setMaking(true)} />
      </div>
      {links.data?.length === 0 && <p className="px-2 text-xs text-muted">{t("chats.noLinks")}</p>}
      <ul>
        {links.data?.map((link) => (
          <li key={link.id} className="flex min-h-11 items-center gap-2.5 rounded-lg px-2 hover:bg-hover">
            <span className="min-w-0 flex-1 text-sm">
              <span className="block truncate">
                {link.expires_at
                  ? t("chats.linkUntil", { time: formatMoment(link.expires_at) })
                  : t("chats.linkForEver")}
              </span>
              <span className="block text-xs text-muted">
                {link.max_uses === null
                  ? t("chats.linkUsed", { count: link.use_count })
                  : t("media.of", { index: link.use_count, total: link.max_uses })}{" "}
                · {link.created_by.name}
              </span>
            </span>
            <IconButton
              icon="trash"
              label={t("chats.revokeLink")}
              className="size-7"
              onClick={() => void revoke(link)}
            />
          </li>
        ))}
      </ul>
      <Dialog isOpen={isMaking} onClose={() => setMaking(false)} title={t("chats.newLink")} width="max-w-sm">
        {isMaking && <NewLink chat={chat} onMade={() => void again()} />}
      </Dialog>
    </section>
  );
}

function NewLink({ chat, onMade }: { chat: Chat; onMade: () => void }) {
  const { t } = useTranslation();
  const attempt = useTry();
  const [lasts, setLasts] = useState<Lasts>("week");
  const [uses, setUses] = useState("");
  const [url, setUrl] = useState<string | null>(null);
  const make = () =>
    attempt.run(async () => {
      const ms = LASTS[lasts];
      const made = await createInviteLink(chat.id, {
        ...(ms === null ? {} : { expires_at: new Date(Date.now() + ms).toISOString() }),
        ...(uses === "" ? {} : { max_uses: Number(uses) }),
      });
      setUrl(made.url);
      onMade();
    });
  if (url) {
    return (
      <div className="flex flex-col gap-3 px-5 pb-5">
        <p className="text-sm text-muted">{t("chats.linkOnce")}</p>
        <input
          readOnly
          autoFocus
          value={url}
          aria-label={t("chats.link")}
          onFocus={(event) => event.target.select()}
          className="h-9 w-full rounded-lg border border-line-strong bg-canvas px-3 font-mono text-xs outline-none focus:border-accent"
        />
        <Button
          tone="primary"
          icon="copy"
          onClick={() => void navigator.clipboard.writeText(url).then(() => showToast(t("common.copied")))}
        >
          {t("common.copy")}
        </Button>
      </div>
    );
  }
  return (
    <form
      className="flex flex-col gap-3 px-5 pb-5"
      onSubmit={(event) => {
        event.preventDefault();
        void make();
      }}
    >
      <SelectField label={t("chats.linkLasts")} value={lasts} onChange={(value) => setLasts(value as Lasts)}>
        {(Object.keys(LASTS) as Lasts[]).map((one) => (
          <option key={one} value={one}>
            {t(`chats.lasts.${one}`)}
          </option>
        ))}
      </SelectField>
      <SelectField label={t("chats.linkUses")} value={uses} onChange={setUses}>
        {USES.map((one) => (
          <option key={one} value={one}>
            {one === "" ? t("chats.anyUses") : one}
          </option>
        ))}
      </SelectField>
      <Button type="submit" tone="primary" isBusy={attempt.isBusy}>
        {t("chats.createLink")}
      </Button>
    </form>
  );
}
