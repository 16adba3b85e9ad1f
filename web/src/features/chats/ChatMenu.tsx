/** What can be done with a chat without opening it: the menu of a row of the list, one for all rows. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useChats } from "@/api/hooks";
import { moveRead } from "@/api/messages";
import { useSync } from "@/api/sync";
import type { Chat } from "@/api/types";
import { MenuItem, MenuLabel, MenuLine } from "@/components/overlays";
import { useTry } from "@/components/trying";
import { RowMenu } from "@/features/list/RowMenu";
import { chatMenuStore } from "@/lib/chat-view";
import { useStore } from "@/lib/store";
import { LeaveConfirm } from "./Leave";
import { useChatActions } from "./preferences";

export function ChatMenu() {
  const place = useStore(chatMenuStore);
  const chat = useChats().data?.find((one) => one.id === place?.id);
  const [leaving, setLeaving] = useState<Chat | null>(null);
  return (
    <>
      <RowMenu store={chatMenuStore} item={chat}>
        {(one) => <Items chat={one} onLeave={() => setLeaving(one)} />}
      </RowMenu>
      <LeaveConfirm chat={leaving} onClose={() => setLeaving(null)} />
    </>
  );
}

function Items({ chat, onLeave }: { chat: Chat; onLeave: () => void }) {
  const { t } = useTranslation();
  const sync = useSync();
  const attempt = useTry();
  const actions = useChatActions(chat);
  const markRead = () =>
    attempt.run(async () => sync.keepRead(chat.id, await moveRead(chat.id, chat.last_number)));
  return (
    <>
      {chat.unread > 0 && (
        <MenuItem icon="checks" onSelect={() => void markRead()}>
          {t("chats.markRead")}
        </MenuItem>
      )}
      {actions.map(({ name, icon, label, run, choices }) =>
        choices ? null : (
          <MenuItem key={name} icon={icon} onSelect={run}>
            {label}
          </MenuItem>
        ),
      )}
      {actions.map(
        ({ name, icon, label, choices }) =>
          choices && (
            <div key={name} role="group" aria-label={label}>
              <MenuLine />
              <MenuLabel>{label}</MenuLabel>
              {choices.map((choice) => (
                <MenuItem key={choice.label} icon={icon} onSelect={choice.run}>
                  {choice.label}
                </MenuItem>
              ))}
            </div>
          ),
      )}
      {chat.kind !== "direct" && (
        <>
          <MenuLine />
          <MenuItem icon="logout" isDanger onSelect={onLeave}>
            {t("chats.leave")}
          </MenuItem>
        </>
      )}
    </>
  );
}
