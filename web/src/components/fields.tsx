/** Fields of forms: a label, the input, a hint or what is wrong with it. */
import {
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useId,
  useState,
} from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "./Icon";

export const BOX =
  "w-full rounded-lg border bg-surface px-3 outline-none transition-[border,box-shadow] duration-100 focus:border-accent focus:ring-3 focus:ring-accent-soft aria-invalid:focus:border-bad aria-invalid:focus:ring-bad-soft disabled:opacity-60 dark:bg-canvas pointer-coarse:min-h-10";

interface FieldProps {
  label: string;
  hint?: string;
  error?: string | null;
}

export function Frame({
  id,
  label,
  hint,
  error,
  children,
}: FieldProps & { id: string; children: ReactNode }) {
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children}
      {(error || hint) && (
        <p
          id={`${id}-about`}
          className={`text-xs ${error ? "text-bad" : "text-muted"}`}
          role={error ? "alert" : undefined}
        >
          {error || hint}
        </p>
      )}
    </div>
  );
}

type TextFieldProps = FieldProps &
  Omit<InputHTMLAttributes<HTMLInputElement>, "onChange"> & { onChange: (value: string) => void };

export function TextField({ label, hint, error, onChange, className = "h-9", ...rest }: TextFieldProps) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <input
        id={id}
        {...rest}
        onChange={(event) => onChange(event.target.value)}
        aria-invalid={Boolean(error)}
        aria-describedby={error || hint ? `${id}-about` : undefined}
        className={`${BOX} ${error ? "border-bad" : "border-line-strong"} ${className}`}
      />
    </Frame>
  );
}

type TextAreaFieldProps = FieldProps &
  Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, "onChange"> & { onChange: (value: string) => void };

export function TextAreaField({ label, hint, error, onChange, ...rest }: TextAreaFieldProps) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <textarea
        id={id}
        rows={3}
        {...rest}
        onChange={(event) => onChange(event.target.value)}
        className={`${BOX} resize-y border-line-strong py-2`}
      />
    </Frame>
  );
}

export function PasswordField({ label, hint, error, onChange, ...rest }: TextFieldProps) {
  const id = useId();
  const { t } = useTranslation();
  const [isShown, setShown] = useState(false);
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <div className="relative">
        <input
          id={id}
          {...rest}
          type={isShown ? "text" : "password"}
          onChange={(event) => onChange(event.target.value)}
          aria-invalid={Boolean(error)}
          aria-describedby={error || hint ? `${id}-about` : undefined}
          className={`${BOX} h-9 pr-10 ${error ? "border-bad" : "border-line-strong"}`}
        />
        <button
          type="button"
          aria-label={t(isShown ? "fields.hidePassword" : "fields.showPassword")}
          aria-pressed={isShown}
          onClick={() => setShown(!isShown)}
          className="absolute inset-y-0 right-0 flex w-10 items-center justify-center rounded-r-lg text-faint hover:text-ink"
        >
          <Icon name={isShown ? "eyeOff" : "eye"} />
        </button>
      </div>
    </Frame>
  );
}

type SelectFieldProps = FieldProps &
  Omit<SelectHTMLAttributes<HTMLSelectElement>, "onChange"> & { onChange: (value: string) => void };

export function SelectField({ label, hint, error, onChange, children, ...rest }: SelectFieldProps) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <span className="relative">
        <select
          id={id}
          {...rest}
          onChange={(event) => onChange(event.target.value)}
          className={`${BOX} h-9 appearance-none border-line-strong pr-9`}
        >
          {children}
        </select>
        <Icon
          name="chevron"
          className="pointer-events-none absolute top-2.5 right-2.5 size-4 text-faint pointer-coarse:top-3"
        />
      </span>
    </Frame>
  );
}

/** A few exclusive choices side by side. */
export function Choice<T extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: T;
  options: { value: T; label: string }[];
  onChange: (value: T) => void;
}) {
  const name = useId();
  return (
    <fieldset className="flex flex-col gap-1">
      <legend className="mb-1 text-sm font-medium">{label}</legend>
      <div className="flex w-fit rounded-lg bg-hover p-0.5">
        {options.map((option) => (
          <label
            key={option.value}
            className="relative rounded-md px-3 py-1 text-sm text-muted pointer-coarse:py-2.5 has-checked:bg-surface has-checked:font-medium has-checked:text-ink has-checked:shadow-sm has-focus-visible:outline-2 has-focus-visible:outline-accent dark:has-checked:bg-line-strong"
          >
            <input
              type="radio"
              name={name}
              className="absolute inset-0 appearance-none outline-none"
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            {option.label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** What a form says when the whole of it was refused. */
export function FormError({ children }: { children: ReactNode }) {
  if (!children) return null;
  return (
    <p role="alert" className="flex items-start gap-2 rounded-lg bg-bad-soft px-3 py-2 text-sm text-bad">
      <Icon name="alert" className="mt-px size-4" />
      <span>{children}</span>
    </p>
  );
}
