/**
 * A day or a moment, told in the language on screen. The browser's own field speaks the browser's language: it shows
 * only while it is filled in.
 */
import { type PointerEvent, useId } from "react";
import { formatDate, formatDateTime } from "@/lib/format";
import { BOX, Frame } from "./fields";

interface DateFieldProps {
  label: string;
  type: "date" | "datetime-local";
  /** As the browser's field has it: "2026-03-01", or "2026-03-01T09:00"; "" is none. */
  value: string;
  /** What stands there while nothing is chosen. */
  none: string;
  error?: string | null;
  onChange: (value: string) => void;
}

export function DateField({ label, type, value, none, error, onChange }: DateFieldProps) {
  const id = useId();
  const told = type === "date" ? formatDate(value) : formatDateTime(value);
  return (
    <Frame id={id} label={label} error={error}>
      <span className="relative">
        <input
          id={id}
          type={type}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          onPointerDown={openPicker}
          aria-invalid={Boolean(error)}
          aria-describedby={error ? `${id}-about` : undefined}
          className={`${BOX} peer h-9 pr-2 text-transparent focus:text-ink ${error ? "border-bad" : "border-line-strong"}`}
        />
        <span
          aria-hidden="true"
          className={`pointer-events-none absolute inset-y-0 right-7 left-3 flex items-center text-sm peer-focus:hidden ${told ? "" : "text-muted"}`}
        >
          <span className="truncate">{told || none}</span>
        </span>
      </span>
    </Frame>
  );
}

/** The first press anywhere opens the calendar, as on a phone; a second one goes to the digits. */
function openPicker({ currentTarget, pointerType }: PointerEvent<HTMLInputElement>): void {
  if (pointerType !== "mouse" || document.activeElement === currentTarget) return;
  currentTarget.addEventListener("click", () => currentTarget.showPicker?.(), { once: true });
}
