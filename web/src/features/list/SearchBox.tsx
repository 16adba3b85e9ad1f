/** The field above a list: the arrow goes down into it, Enter opens its first row. */
import { type KeyboardEvent, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { IconButton, Keys } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { searchRequest, visibleOrder } from "@/lib/desk-view";
import { navigate, siblingPath } from "@/lib/router";
import { useStore } from "@/lib/store";

interface SearchBoxProps {
  value: string;
  label: string;
  onChange: (value: string) => void;
}

export function SearchBox({ value, label, onChange }: SearchBoxProps) {
  const { t } = useTranslation();
  const input = useRef<HTMLInputElement>(null);
  const request = useStore(searchRequest);
  useEffect(() => {
    if (request > 0) input.current?.focus();
  }, [request]);
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "Escape") {
      onChange("");
      input.current?.blur();
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      const first = visibleOrder.get()[0];
      if (first && event.key === "Enter") navigate(siblingPath(location.pathname, first));
      else document.querySelector<HTMLElement>("[data-conversation]")?.focus();
    }
  };
  return (
    <div className="relative">
      <Icon
        name="search"
        className="pointer-events-none absolute top-2 left-2.5 size-4 text-faint pointer-coarse:top-3"
      />
      <input
        ref={input}
        type="search"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={onKeyDown}
        placeholder={label}
        aria-label={label}
        className="peer h-8 w-full rounded-lg bg-hover pr-8 pl-8 text-sm outline-none focus:bg-surface focus:ring-2 focus:ring-accent pointer-coarse:h-10 pointer-coarse:pr-10 [&::-webkit-search-cancel-button]:hidden"
      />
      {value ? (
        <IconButton
          icon="close"
          label={t("common.close")}
          className="absolute top-1 right-1 size-6 pointer-coarse:top-0 pointer-coarse:right-0"
          onClick={() => onChange("")}
        />
      ) : (
        <Keys
          keys={["/"]}
          className="pointer-events-none absolute top-[7px] right-2 peer-focus:hidden max-md:hidden"
        />
      )}
    </div>
  );
}
