/** The field above a list: the arrow goes down into it, Enter opens its first row. */
import { type KeyboardEvent, useEffect, useRef } from "react";
import { Keys } from "@/components/controls";
import { SearchField } from "@/components/SearchField";
import { searchRequest, visibleOrder } from "@/lib/desk-view";
import { navigate, siblingPath } from "@/lib/router";
import { useStore } from "@/lib/store";

interface SearchBoxProps {
  value: string;
  label: string;
  onChange: (value: string) => void;
}

export function SearchBox({ value, label, onChange }: SearchBoxProps) {
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
    <SearchField
      ref={input}
      value={value}
      label={label}
      hint={<Keys keys={["/"]} />}
      onChange={onChange}
      onKeyDown={onKeyDown}
    />
  );
}
