/** A field over a list one walks with the arrows: the palette, assigning and snoozing are all this. */
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Spinner } from "./controls";
import { Icon, type IconName } from "./Icon";

export interface Pick {
  id: string;
  label: string;
  group?: string;
  icon?: IconName;
  lead?: ReactNode;
  trail?: ReactNode;
  run: () => void;
}

interface PickerProps {
  picks: Pick[];
  /** More is on its way. */
  isPending?: boolean;
  placeholder: string;
  /** Said when there is nothing to choose. */
  empty?: string;
  query: string;
  onQuery: (query: string) => void;
}

export function Picker({ picks, isPending = false, placeholder, empty, query, onQuery }: PickerProps) {
  const { t } = useTranslation();
  const listId = useId();
  const list = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState(0);
  const current = Math.min(at, picks.length - 1);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  });
  const onKeyDown = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by) {
      event.preventDefault();
      setAt((current + by + picks.length) % Math.max(1, picks.length));
    } else if (event.key === "Enter") {
      event.preventDefault();
      picks[current]?.run();
    }
  };
  return (
    <>
      <div className="flex h-12 shrink-0 items-center gap-3 border-b border-line px-4">
        <Icon name="search" className="size-4 text-faint" />
        <input
          autoFocus
          value={query}
          onChange={(event) => {
            onQuery(event.target.value);
            setAt(0);
          }}
          onKeyDown={onKeyDown}
          placeholder={placeholder}
          role="combobox"
          aria-expanded="true"
          aria-controls={listId}
          aria-activedescendant={picks[current] ? `${listId}-${current}` : undefined}
          aria-label={placeholder}
          className="h-full flex-1 bg-transparent text-base outline-none"
        />
      </div>
      <div
        ref={list}
        id={listId}
        role="listbox"
        aria-label={placeholder}
        className="min-h-0 overflow-y-auto p-1.5"
      >
        {picks.length === 0 && (
          <p className="flex justify-center p-5 text-center text-sm text-muted">
            {isPending ? <Spinner /> : (empty ?? t("palette.empty"))}
          </p>
        )}
        {picks.map((pick, index) => (
          <div key={pick.id}>
            {pick.group && pick.group !== picks[index - 1]?.group && (
              <p className="px-2.5 pt-2 pb-1 text-xs text-muted">{pick.group}</p>
            )}
            <div
              id={`${listId}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === current}
              onPointerMove={() => setAt(index)}
              onClick={pick.run}
              onKeyDown={onKeyDown}
              className={`flex min-h-9 items-center gap-2.5 rounded-lg px-2.5 text-sm select-none pointer-coarse:min-h-11 ${index === current ? "bg-hover" : ""}`}
            >
              {pick.lead ?? (pick.icon && <Icon name={pick.icon} className="size-4 text-muted" />)}
              <span className="min-w-0 flex-1 truncate">{pick.label}</span>
              {pick.trail}
            </div>
          </div>
        ))}
      </div>
    </>
  );
}
