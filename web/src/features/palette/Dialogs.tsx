/** The dialogs of the desk that keys open: commands, help, snooze, assign. */
import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { keys, type LoadedList } from "@/api/cache";
import { useMe } from "@/api/hooks";
import type { Actor, DeskConversation } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Keys } from "@/components/controls";
import { Dialog } from "@/components/overlays";
import { type Pick, Picker } from "@/components/Picker";
import { WhenDialog } from "@/components/WhenDialog";
import { keysOf, useActions } from "@/lib/actions";
import { dialogAbout, dialogStore } from "@/lib/desk-view";
import { conversationPath, navigate } from "@/lib/router";
import { useStore } from "@/lib/store";
import { useAssignable } from "./assignable";

const close = () => {
  dialogStore.set(null);
  dialogAbout.set(null);
};
const CONVERSATIONS_SHOWN = 6;

export function PaletteDialog() {
  const { t } = useTranslation();
  const isOpen = useStore(dialogStore) === "palette";
  return (
    <Dialog isOpen={isOpen} onClose={close} title={t("palette.title")} isTitleHidden width="max-w-lg">
      {isOpen && <Palette />}
    </Dialog>
  );
}

function Palette() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const actions = useActions();
  const [query, setQuery] = useState("");
  const words = query.trim().toLocaleLowerCase();
  const picks = useMemo(() => {
    const commands: Pick[] = [...actions.values()]
      .filter(
        (action) => action.isListed && action.isEnabled && action.label.toLocaleLowerCase().includes(words),
      )
      .map((action) => ({
        id: action.name,
        label: action.label,
        group: t(`palette.${action.group}`),
        trail: action.shortcut && <Keys keys={keysOf(action.shortcut)} />,
        run: () => {
          close();
          action.run();
        },
      }));
    return [
      ...commands,
      ...(words
        ? findConversations(
            client.getQueriesData<LoadedList>({ queryKey: keys.lists }),
            words,
            t("palette.conversations"),
          )
        : []),
    ];
  }, [actions, client, words, t]);
  return <Picker picks={picks} placeholder={t("palette.placeholder")} query={query} onQuery={setQuery} />;
}

function findConversations(lists: [unknown, LoadedList | undefined][], words: string, group: string): Pick[] {
  const found = new Map<string, DeskConversation>();
  for (const [, list] of lists) {
    for (const item of list?.items ?? []) {
      if (item.contact.name.toLocaleLowerCase().includes(words)) found.set(item.id, item);
    }
  }
  return [...found.values()].slice(0, CONVERSATIONS_SHOWN).map((item) => ({
    id: item.id,
    label: item.contact.name,
    group,
    lead: <Avatar id={item.contact.id} name={item.contact.name} size="xs" />,
    trail: <span className="max-w-48 truncate text-xs text-muted">{item.last_message?.text}</span>,
    run: () => {
      close();
      navigate(conversationPath(item.id));
    },
  }));
}

const WRITING: { key: string; keys: string[] }[] = [
  { key: "help.send", keys: ["↵"] },
  { key: "help.newline", keys: ["⇧", "↵"] },
  { key: "help.editLast", keys: ["↑"] },
  { key: "help.menu", keys: ["⇧", "F10"] },
  { key: "help.close", keys: ["Esc"] },
];

export function HelpDialog() {
  const { t } = useTranslation();
  const actions = useActions();
  const isOpen = useStore(dialogStore) === "help";
  const withKeys = [...actions.values()].filter((action) => action.shortcut);
  const groups = (["conversation", "navigation", "general"] as const).map((group) => ({
    title: t(`palette.${group}`),
    lines: withKeys
      .filter((a) => a.group === group)
      .map((a) => ({ label: a.label, keys: a.shortcut ? keysOf(a.shortcut) : [] })),
  }));
  groups.push({
    title: t("help.writing"),
    lines: WRITING.map((line) => ({ label: t(line.key), keys: line.keys })),
  });
  return (
    <Dialog isOpen={isOpen} onClose={close} title={t("help.title")} width="max-w-2xl">
      <div className="grid grid-cols-2 gap-x-10 gap-y-5 overflow-y-auto px-5 pb-6 max-sm:grid-cols-1">
        {groups.map((group) => (
          <section key={group.title}>
            <h3 className="pb-1 text-xs font-medium text-muted">{group.title}</h3>
            <ul>
              {group.lines.map((line) => (
                <li key={line.label} className="flex min-h-7 items-center justify-between gap-3 text-sm">
                  {line.label}
                  <Keys keys={line.keys} />
                </li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </Dialog>
  );
}

interface ChangeDialogProps<T> {
  onChoose: (choice: T) => void;
}

export function SnoozeDialog({ onChoose }: ChangeDialogProps<Date>) {
  const { t } = useTranslation();
  return (
    <WhenDialog
      isOpen={useStore(dialogStore) === "snooze"}
      title={t("conversation.snoozeTitle")}
      action={t("conversation.snooze")}
      onClose={close}
      onChoose={onChoose}
    />
  );
}

/** `about`: the conversation that gets somebody. */
export function AssignDialog({
  about,
  onChoose,
}: ChangeDialogProps<Actor | null> & { about: string | null }) {
  const { t } = useTranslation();
  const isOpen = useStore(dialogStore) === "assign";
  return (
    <Dialog
      isOpen={isOpen}
      onClose={close}
      title={t("conversation.assignTitle")}
      isTitleHidden
      width="max-w-sm"
    >
      {isOpen && about && <AssignChoice about={about} onChoose={onChoose} />}
    </Dialog>
  );
}

function AssignChoice({ about, onChoose }: ChangeDialogProps<Actor | null> & { about: string }) {
  const { t } = useTranslation();
  const me = useMe().actor;
  const [query, setQuery] = useState("");
  const words = query.trim().toLocaleLowerCase();
  const { people, isPending, isError } = useAssignable(about, words);
  const choose = (assignee: Actor | null) => () => {
    close();
    onChoose(assignee);
  };
  const picks: Pick[] = people.map(({ id, kind, name, role }) => ({
    id,
    label: name,
    lead: <Avatar id={id} name={name} size="xs" />,
    trail: id === me.id && <span className="text-xs text-muted">{t("common.you")}</span>,
    run: choose({ id, kind, name, role }),
  }));
  const nobody: Pick[] = words
    ? []
    : [{ id: "nobody", label: t("conversation.nobody"), icon: "userOff", run: choose(null) }];
  return (
    <Picker
      picks={[...picks, ...nobody]}
      isPending={isPending}
      placeholder={t("conversation.assignTitle")}
      empty={isError ? t("settings.failed") : undefined}
      query={query}
      onQuery={setQuery}
    />
  );
}
