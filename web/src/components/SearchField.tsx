/** The field above a list in which something is found by its words. */
import type { InputHTMLAttributes, ReactNode, Ref } from "react";
import { useTranslation } from "react-i18next";
import { IconButton, Spinner } from "./controls";
import { Icon } from "./Icon";

type Rest = Pick<InputHTMLAttributes<HTMLInputElement>, "autoFocus" | "onKeyDown">;

interface SearchFieldProps extends Rest {
  value: string;
  label: string;
  onChange: (value: string) => void;
  /** What these words find is not there yet. */
  isBusy?: boolean;
  /** Stands at its end while it is empty and not written in. */
  hint?: ReactNode;
  ref?: Ref<HTMLInputElement>;
}

export function SearchField({ value, label, onChange, isBusy, hint, ref, ...rest }: SearchFieldProps) {
  const { t } = useTranslation();
  return (
    <div className="group/search relative">
      <span className="pointer-events-none absolute inset-y-0 left-2.5 flex items-center text-faint">
        {isBusy ? <Spinner /> : <Icon name="search" className="size-4" />}
      </span>
      <input
        {...rest}
        ref={ref}
        type="search"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        placeholder={label}
        aria-label={label}
        aria-busy={isBusy || undefined}
        className="h-8 w-full rounded-lg bg-hover pr-8 pl-8 text-sm outline-none focus:bg-surface focus:ring-2 focus:ring-accent pointer-coarse:h-10 pointer-coarse:pr-10 [&::-webkit-search-cancel-button]:hidden"
      />
      {value ? (
        <IconButton
          icon="close"
          label={t("chats.clear", { label })}
          className="absolute top-1 right-1 size-6 pointer-coarse:top-0 pointer-coarse:right-0"
          onClick={(event) => {
            event.currentTarget.parentElement?.querySelector("input")?.focus();
            onChange("");
          }}
        />
      ) : (
        <span className="pointer-events-none absolute inset-y-0 right-2 flex items-center group-focus-within/search:hidden max-md:hidden">
          {hint}
        </span>
      )}
    </div>
  );
}
