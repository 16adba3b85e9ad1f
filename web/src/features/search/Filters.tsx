/** What a search may be narrowed to: by whom, in which chat, when, with what. */
import { type ReactNode, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { useChats, useMe } from "@/api/hooks";
import type { Has, SearchFilter } from "@/api/search";
import type { Chat, Sender } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { IconButton } from "@/components/controls";
import { DateField } from "@/components/DateField";
import { Icon } from "@/components/Icon";
import { Dialog } from "@/components/overlays";
import { type Pick, Picker } from "@/components/Picker";
import { PeopleField } from "@/features/chats/PeopleField";
import { chatFace, chatTitle } from "@/lib/chat-view";

const HAS: Has[] = ["image", "file", "link"];
const CHATS_SHOWN = 50;

/** What is chosen, with the names that are shown of it. */
export interface Chosen {
  from?: Sender;
  chat?: Chat;
  since?: string;
  until?: string;
  has: Has[];
}

export const toFilter = ({ from, since, until, has }: Chosen): Omit<SearchFilter, "query"> => ({
  ...(from ? { from: from.id } : {}),
  date_from: since && startOf(since, 0),
  date_to: until && startOf(until, 1),
  has,
});

/** The beginning of a day in this zone, or of the day after it. */
function startOf(day: string, after: 0 | 1): string | undefined {
  const [year, month, date] = day.split("-").map(Number);
  if (!year || !month || !date) return undefined;
  return new Date(year, month - 1, date + after).toISOString();
}

interface FiltersProps {
  chosen: Chosen;
  /** Who speaks here and is no colleague. */
  people: Sender[];
  /** Whether it is looked for everywhere, so that a chat can be chosen. */
  hasChats: boolean;
  onChange: (chosen: Chosen) => void;
}

export function Filters({ chosen, people, hasChats, onChange }: FiltersProps) {
  const { t } = useTranslation();
  const toggle = (has: Has) =>
    onChange({
      ...chosen,
      has: chosen.has.includes(has) ? chosen.has.filter((one) => one !== has) : [...chosen.has, has],
    });
  return (
    <>
      <FromField from={chosen.from} people={people} onChange={(from) => onChange({ ...chosen, from })} />
      {hasChats && <ChatField chat={chosen.chat} onChange={(chat) => onChange({ ...chosen, chat })} />}
      <div className="grid grid-cols-2 gap-2">
        <DateField
          label={t("chats.since")}
          type="date"
          none={t("chats.anyDay")}
          value={chosen.since ?? ""}
          onChange={(since) => onChange({ ...chosen, since })}
        />
        <DateField
          label={t("chats.until")}
          type="date"
          none={t("chats.anyDay")}
          value={chosen.until ?? ""}
          onChange={(until) => onChange({ ...chosen, until })}
        />
      </div>
      <div role="group" aria-label={t("chats.has")} className="flex flex-wrap gap-1">
        {HAS.map((has) => (
          <button
            key={has}
            type="button"
            aria-pressed={chosen.has.includes(has)}
            onClick={() => toggle(has)}
            className={`h-7 rounded-full px-3 text-xs pointer-coarse:h-10 ${chosen.has.includes(has) ? "bg-accent text-on-accent" : "bg-hover text-muted hover:text-ink"}`}
          >
            {t(`chats.hasKind.${has}`)}
          </button>
        ))}
      </div>
    </>
  );
}

interface FromFieldProps {
  from: Sender | undefined;
  people: Sender[];
  onChange: (from: Sender | undefined) => void;
}

function FromField({ from, people, onChange }: FromFieldProps) {
  const { t } = useTranslation();
  const me = useMe().actor;
  return (
    <PickField
      label={t("chats.from")}
      none={t("chats.anybody")}
      chosen={from && { name: from.name, lead: <Avatar id={from.id} name={from.name} size="xs" /> }}
      onClear={() => onChange(undefined)}
    >
      {(close) => (
        <div className="flex min-h-0 flex-col pt-2 pb-3">
          <PeopleField
            isSingle
            chosen={[]}
            beside={[me, ...people]}
            onChange={([person]) => {
              onChange(person);
              close();
            }}
          />
        </div>
      )}
    </PickField>
  );
}

interface ChatFieldProps {
  chat: Chat | undefined;
  onChange: (chat: Chat | undefined) => void;
}

function ChatField({ chat, onChange }: ChatFieldProps) {
  const { t } = useTranslation();
  const nameOf = (one: Chat) => chatTitle(one) ?? t(`chats.untitled.${one.kind}`);
  const faceOf = (one: Chat) => (
    <Avatar id={chatFace(one)} name={nameOf(one)} size="xs" picture={one.avatar?.media_id} />
  );
  return (
    <PickField
      label={t("chats.inChat")}
      none={t("chats.anyChat")}
      chosen={chat && { name: nameOf(chat), lead: faceOf(chat) }}
      onClear={() => onChange(undefined)}
    >
      {(close) => (
        <ChatPicker
          nameOf={nameOf}
          faceOf={faceOf}
          onPick={(one) => {
            onChange(one);
            close();
          }}
        />
      )}
    </PickField>
  );
}

interface ChatPickerProps {
  nameOf: (chat: Chat) => string;
  faceOf: (chat: Chat) => ReactNode;
  onPick: (chat: Chat) => void;
}

function ChatPicker({ nameOf, faceOf, onPick }: ChatPickerProps) {
  const { t } = useTranslation();
  const chats = useChats().data ?? [];
  const [query, setQuery] = useState("");
  const words = query.trim().toLocaleLowerCase();
  const picks: Pick[] = chats
    .filter((chat) => nameOf(chat).toLocaleLowerCase().includes(words))
    .slice(0, CHATS_SHOWN)
    .map((chat) => ({ id: chat.id, label: nameOf(chat), lead: faceOf(chat), run: () => onPick(chat) }));
  return <Picker picks={picks} placeholder={t("chats.search")} query={query} onQuery={setQuery} />;
}

interface PickFieldProps {
  label: string;
  /** What stands there while nothing is chosen. */
  none: string;
  chosen: { name: string; lead: ReactNode } | undefined;
  onClear: () => void;
  children: (close: () => void) => ReactNode;
}

/** A field that shows what is chosen, and opens a dialog to choose from. */
function PickField({ label, none, chosen, onClear, children }: PickFieldProps) {
  const { t } = useTranslation();
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  return (
    <div className="flex flex-col gap-1">
      <span id={id} className="text-sm font-medium">
        {label}
      </span>
      <span className="flex h-9 items-center rounded-lg border border-line-strong bg-surface focus-within:border-accent focus-within:ring-3 focus-within:ring-accent-soft dark:bg-canvas pointer-coarse:h-10.5">
        <button
          type="button"
          aria-labelledby={`${id} ${id}-value`}
          aria-haspopup="dialog"
          onClick={() => setOpen(true)}
          className="flex h-full min-w-0 flex-1 items-center gap-2 rounded-lg pl-3 text-left outline-none"
        >
          {chosen?.lead}
          <span id={`${id}-value`} dir="auto" className="min-w-0 flex-1 truncate text-left">
            {chosen?.name ?? none}
          </span>
          {!chosen && <Icon name="chevron" className="mr-2.5 size-4 text-faint" />}
        </button>
        {chosen && (
          <IconButton
            icon="close"
            label={t("chats.clear", { label })}
            className="mr-1 size-7 pointer-coarse:mr-0"
            onClick={onClear}
          />
        )}
      </span>
      <Dialog isOpen={isOpen} onClose={() => setOpen(false)} title={label} width="max-w-sm">
        {isOpen && children(() => setOpen(false))}
      </Dialog>
    </div>
  );
}
