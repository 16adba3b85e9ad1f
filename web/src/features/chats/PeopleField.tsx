/** Choosing people: a field that filters, chips of the chosen, and a list walked with the arrows. */
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Sender } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Spinner } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { usePeople } from "./people";

const NOBODY: Sender[] = [];

interface PeopleFieldProps {
  chosen: Sender[];
  /** Nobody is shown twice: those who are there already. */
  without?: ReadonlySet<string>;
  /** Some who are offered besides, first: oneself, or no colleagues. */
  beside?: Sender[];
  /** One click is the whole choice. */
  isSingle?: boolean;
  hasFocus?: boolean;
  onChange: (chosen: Sender[]) => void;
}

export function PeopleField({
  chosen,
  without,
  beside = NOBODY,
  isSingle,
  hasFocus = true,
  onChange,
}: PeopleFieldProps) {
  const { t } = useTranslation();
  const listId = useId();
  const list = useRef<HTMLDivElement>(null);
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const people = usePeople(query);
  const words = query.trim().toLocaleLowerCase();
  const shown = [
    ...beside.filter((person) => person.name.toLocaleLowerCase().includes(words)),
    ...people.items.filter(
      (person) => !without?.has(person.id) && !beside.some((one) => one.id === person.id),
    ),
  ];
  const current = Math.min(at, shown.length - 1);
  const isChosen = (person: Sender) => chosen.some((one) => one.id === person.id);
  useEffect(() => {
    list.current?.querySelector(`[id="${listId}-${current}"]`)?.scrollIntoView({ block: "nearest" });
  }, [current, listId]);

  const toggle = (person: Sender) => {
    if (isSingle) return onChange([person]);
    onChange(isChosen(person) ? chosen.filter((one) => one.id !== person.id) : [...chosen, person]);
    setQuery("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const person = shown[current];
    if (by) {
      event.preventDefault();
      setAt((current + by + shown.length) % Math.max(1, shown.length));
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && person) {
      event.preventDefault();
      toggle(person);
    } else if (event.key === "Backspace" && query === "" && chosen.length > 0) {
      onChange(chosen.slice(0, -1));
    }
  };
  return (
    <div className="flex min-h-0 flex-col">
      <div className="mx-5 flex max-h-28 shrink-0 flex-wrap items-center gap-1.5 overflow-y-auto rounded-lg border border-line-strong bg-surface px-2 py-1.5 pointer-coarse:py-0.5 focus-within:border-accent focus-within:ring-3 focus-within:ring-accent-soft dark:bg-canvas">
        <Icon name="search" className="size-4 text-faint" />
        {chosen.map((person) => (
          <button
            key={person.id}
            type="button"
            aria-label={t("chats.unchoose", { name: person.name })}
            onClick={() => toggle(person)}
            className="flex h-6 max-w-44 pointer-coarse:h-10 pointer-coarse:px-3 items-center gap-1 rounded-full bg-accent-soft pr-1.5 pl-2.5 text-xs font-medium text-accent-ink"
          >
            <span className="truncate">{person.name}</span>
            <Icon name="close" className="size-3" />
          </button>
        ))}
        <input
          autoFocus={hasFocus}
          value={query}
          onChange={(event) => {
            setQuery(event.target.value);
            setAt(0);
          }}
          onKeyDown={onKeyDown}
          placeholder={t("chats.findPeople")}
          aria-label={t("chats.findPeople")}
          role="combobox"
          aria-expanded="true"
          aria-controls={listId}
          aria-activedescendant={shown[current] ? `${listId}-${current}` : undefined}
          className="h-6 min-w-28 flex-1 pointer-coarse:h-10 bg-transparent text-sm outline-none"
        />
      </div>
      <div
        ref={list}
        id={listId}
        role="listbox"
        aria-multiselectable={!isSingle}
        aria-label={t("chats.people")}
        className="mt-2 h-72 min-h-0 overflow-y-auto px-3 pb-2"
      >
        {shown.length === 0 && (
          <p className="flex justify-center p-6 text-center text-sm text-muted">
            {people.isPending ? <Spinner /> : t("chats.nobodyFound")}
          </p>
        )}
        {shown.map((person, index) => (
          <div
            key={person.id}
            id={`${listId}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={isSingle ? index === current : isChosen(person)}
            onPointerMove={() => setAt(index)}
            onClick={() => toggle(person)}
            onKeyDown={onKeyDown}
            className={`flex h-11 items-center gap-3 rounded-lg px-2 select-none ${index === current ? "bg-hover" : ""}`}
          >
            <Avatar id={person.id} name={person.name} size="sm" />
            <span dir="auto" className="min-w-0 flex-1 truncate text-left text-sm font-medium">
              {person.name}
            </span>
            {person.kind === "bot" && <span className="text-xs text-muted">{t("chats.bot")}</span>}
            {!isSingle && (
              <span
                className={`flex size-5 items-center justify-center rounded-full ${isChosen(person) ? "bg-accent text-on-accent" : "border border-line-strong"}`}
              >
                {isChosen(person) && <Icon name="check" className="size-3.5" />}
              </span>
            )}
          </div>
        ))}
      </div>
    </div>
  );
}
