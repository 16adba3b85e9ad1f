/** What one keeps of a chat for oneself: pinned, muted, archived. At once on screen; what is refused is taken back. */
import { useQueryClient } from "@tanstack/react-query";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import { changeChat } from "@/api/chat-cache";
import { setPreferences } from "@/api/chats";
import { useSync } from "@/api/sync";
import type { Chat, Preferences } from "@/api/types";
import type { IconName } from "@/components/Icon";
import { showToast } from "@/components/overlays";
import { isMuted } from "@/lib/chat-view";
import { errorText } from "@/lib/errors";
import { formatMoment } from "@/lib/format";
import { Turns } from "@/lib/turns";

/** As good as for ever. */
const FOR_EVER = "2099-01-01T00:00:00Z";
const HOUR_MS = 3_600_000;

export interface ChatAction {
  name: string;
  label: string;
  icon: IconName;
  run: () => void;
  /** Asked before it is done; then `run` is not. */
  choices?: { label: string; run: () => void }[];
}

/** A row's menu and the details of the same chat take turns, too. */
const turns = new Turns();

/** For how many hours one may be left alone. */
const MUTE_HOURS = [1, 8];

export function useChatActions(chat: Chat): ChatAction[] {
  const { t } = useTranslation();
  const client = useQueryClient();
  const sync = useSync();
  const set = async (wanted: Preferences) => {
    const { is_pinned, is_archived, muted_until } = chat;
    changeChat(client, chat.id, (old) => ({ ...old, ...wanted }));
    await turns.take(chat.id, async (isLast) => {
      try {
        const changed = await setPreferences(chat.id, wanted);
        if (isLast()) sync.chats.keep(changed);
      } catch (error) {
        if (isLast()) changeChat(client, chat.id, (old) => ({ ...old, is_pinned, is_archived, muted_until }));
        showToast(errorText(error, t), { isBad: true });
      }
    });
  };
  const muted = isMuted(chat);
  const choices = [
    ...MUTE_HOURS.map((hours) => ({
      label: t("chats.muteHours", { count: hours }),
      run: () => void set({ muted_until: new Date(Date.now() + hours * HOUR_MS).toISOString() }),
    })),
    { label: t("chats.muteForGood"), run: () => void set({ muted_until: FOR_EVER }) },
  ];
  return [
    {
      name: "pin",
      icon: "pin",
      label: t(chat.is_pinned ? "chats.unpin" : "chats.pin"),
      run: () => void set({ is_pinned: !chat.is_pinned }),
    },
    {
      name: "mute",
      icon: muted ? "bell" : "bellOff",
      label: muted ? unmuteLabel(chat.muted_until, t) : t("chats.mute"),
      run: () => void set({ muted_until: null }),
      choices: muted ? undefined : choices,
    },
    {
      name: "archive",
      icon: "archive",
      label: t(chat.is_archived ? "chats.unarchive" : "chats.archive"),
      run: () => void set({ is_archived: !chat.is_archived }),
    },
  ];
}

/** Until when it is quiet, if that is not for good. */
function unmuteLabel(until: string | null, t: TFunction): string {
  const isForGood = !until || Date.parse(until) >= Date.parse(FOR_EVER);
  return isForGood ? t("chats.unmute") : t("chats.unmuteUntil", { time: formatMoment(until) });
}
