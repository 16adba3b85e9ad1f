/** Calling people with an @: the list that offers them while it is being typed, and the marks it leaves in the words. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, type RefObject, useId, useMemo, useState } from "react";
import { flushSync } from "react-dom";
import { useTranslation } from "react-i18next";
import type { Entity, Sender } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Icon } from "@/components/Icon";
import { usePaused } from "@/lib/usePaused";

const OFFERED = 6;
const ALL = "all";
const ASKING_MS = 120;

/** Who was called in the words so far: the text that calls, and whom (null: everybody). */
export type Called = ReadonlyMap<string, string | null>;

interface Offer {
  id: string;
  name: string;
  isAll: boolean;
}

/** The @ before the caret and what follows it; null when nobody is being called there. Pure. */
export function findCall(text: string, caret: number): { from: number; words: string } | null {
  const found = text.slice(0, caret).match(/(?:^|[\s(])@([^\n@]{0,40})$/u);
  if (!found || /\s{2}|\s$/.test(found[1] ?? "")) return null;
  return { from: caret - (found[1]?.length ?? 0) - 1, words: found[1] ?? "" };
}

/** The marks of those called whose names still stand in the words, the longest first. Pure. */
export function findMentions(text: string, called: Called, taken: Entity[] = []): Entity[] {
  const found: Entity[] = [];
  const isFree = (offset: number, length: number) =>
    [...taken, ...found].every((one) => offset + length <= one.offset || one.offset + one.length <= offset);
  for (const [words, actor] of [...called].sort(([a], [b]) => b.length - a.length)) {
    for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + words.length)) {
      if (!isFree(at, words.length)) continue;
      const who = actor === null ? { kind: "mention_all" } : { kind: "mention", actor_id: actor };
      found.push({ ...who, offset: at, length: words.length });
    }
  }
  return found.sort((a, b) => a.offset - b.offset);
}

/** Those who can be called with a word in their names that begins so. */
export type FindPeople = (words: string, signal: AbortSignal) => Promise<Sender[]>;

interface MentionOptions {
  /** The conversation's id. */
  id: string;
  area: RefObject<HTMLTextAreaElement | null>;
  text: string;
  people: Sender[];
  findPeople?: FindPeople;
  canCallAll: boolean;
  onText: (text: string) => void;
}

export type Mentions = ReturnType<typeof useMentions>;

export function useMentions({ id, area, text, people, findPeople, canCallAll, onText }: MentionOptions) {
  const { t } = useTranslation();
  const listId = useId();
  const [called, setCalled] = useState<Called>(new Map());
  const [caret, setCaret] = useState<number | null>(null);
  const [at, setAt] = useState(0);
  const call = caret === null ? null : findCall(text, caret);
  const everybody = useFound(id, people, call?.words.trim(), findPeople);
  const offers = call ? offer(everybody, call.words, canCallAll ? t("chats.all") : null) : [];
  const current = Math.min(at, offers.length - 1);

  const close = () => setCaret(null);
  const choose = (one: Offer) => {
    if (!call || caret === null) return;
    const words = `@${one.name}`;
    setCalled((all) => new Map([...all, [words, one.isAll ? null : one.id]]));
    const end = call.from + words.length + 1;
    // At once: the next letter may come before the next frame.
    flushSync(() => {
      onText(`${text.slice(0, call.from)}${words} ${text.slice(caret)}`);
      close();
    });
    area.current?.focus();
    area.current?.setSelectionRange(end, end);
  };
  const onKeyDown = (event: KeyboardEvent): boolean => {
    if (offers.length === 0) return false;
    const one = offers[current];
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by) setAt((current + by + offers.length) % offers.length);
    else if ((event.key === "Enter" || event.key === "Tab") && one) choose(one);
    else if (event.key === "Escape") close();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  const look = () => {
    const box = area.current;
    setCaret(box && box.selectionStart === box.selectionEnd ? box.selectionStart : null);
    setAt(0);
  };
  const aria =
    offers.length > 0
      ? { "aria-controls": listId, "aria-activedescendant": `${listId}-${current}`, "aria-expanded": true }
      : {};
  return { called, offers, current, listId, choose, setAt, onKeyDown, look, close, aria };
}

/** Those at hand, and before them who is found for the words; without words (undefined) nobody calls. */
function useFound(id: string, people: Sender[], words: string | undefined, find?: FindPeople): Sender[] {
  const asked = usePaused(words ?? "", ASKING_MS);
  const found = useQuery({
    queryKey: ["called", id, asked],
    queryFn: ({ signal }) => find?.(asked, signal) ?? [],
    enabled: find !== undefined && words !== undefined,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
    gcTime: 60_000,
  }).data;
  return useMemo(() => {
    const first = new Set(found?.map((one) => one.id));
    return [...(found ?? []), ...people.filter((one) => !first.has(one.id))];
  }, [found, people]);
}

function offer(people: Sender[], words: string, all: string | null): Offer[] {
  const lower = words.toLocaleLowerCase();
  const isMeant = (name: string) =>
    name.toLocaleLowerCase().startsWith(lower) ||
    name
      .toLocaleLowerCase()
      .split(/\s+/)
      .some((part) => part.startsWith(lower));
  const everybody = all && isMeant(all) ? [{ id: ALL, name: all, isAll: true }] : [];
  const found = people
    .filter((person) => isMeant(person.name) && person.name.toLocaleLowerCase() !== lower.trimEnd())
    .map(({ id, name }) => ({ id, name, isAll: false }));
  return [...found.slice(0, OFFERED), ...everybody];
}

export function MentionList({ mentions }: { mentions: Mentions }) {
  const { t } = useTranslation();
  const { offers, current, listId, choose, setAt } = mentions;
  if (offers.length === 0) return null;
  return (
    <div
      id={listId}
      role="listbox"
      aria-label={t("chats.people")}
      className="rise-in absolute bottom-full left-0 z-20 mb-1.5 w-72 max-w-full overflow-hidden rounded-xl bg-raised p-1 shadow-pop"
    >
      {offers.map((one, index) => (
        <div
          key={one.id}
          id={`${listId}-${index}`}
          role="option"
          tabIndex={-1}
          aria-selected={index === current}
          onPointerMove={() => setAt(index)}
          // Before the field loses the focus.
          onPointerDown={(event) => {
            event.preventDefault();
            choose(one);
          }}
          className={`flex h-9 items-center gap-2.5 rounded-lg px-2 text-sm select-none ${index === current ? "bg-hover" : ""}`}
        >
          {one.isAll ? (
            <span className="flex size-5 items-center justify-center text-accent-ink">
              <Icon name="at" className="size-4" />
            </span>
          ) : (
            <Avatar id={one.id} name={one.name} size="xs" />
          )}
          <span dir="auto" className="min-w-0 flex-1 truncate text-left">
            {one.name}
          </span>
          {one.isAll && <span className="text-xs text-muted">{t("chats.everybody")}</span>}
        </div>
      ))}
    </div>
  );
}
