/** Buttons and their small relatives. */
import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import { type Action, keysOf } from "@/lib/actions";
import { Icon, type IconName } from "./Icon";

type Tone = "primary" | "plain" | "quiet" | "danger";
const TONES: Record<Tone, string> = {
  primary: "bg-accent text-on-accent hover:brightness-110 shadow-[inset_0_1px_0_#ffffff26]",
  plain: "bg-surface text-ink border border-line-strong hover:bg-hover dark:bg-raised",
  quiet: "text-muted hover:bg-hover hover:text-ink",
  danger: "bg-bad text-white hover:brightness-110 dark:bg-[#c93a48]",
};

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  tone?: Tone;
  icon?: IconName;
  isBusy?: boolean;
  size?: "sm" | "md" | "lg";
  ref?: Ref<HTMLButtonElement>;
}

export function Button({
  tone = "plain",
  icon,
  isBusy,
  size = "md",
  className = "",
  children,
  disabled,
  ...rest
}: ButtonProps) {
  const sizes = {
    sm: "h-7 px-2.5 text-sm gap-1.5",
    md: "h-8 px-3 text-sm gap-1.5",
    lg: "h-10 px-4 text-base gap-2",
  };
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled || isBusy}
      aria-busy={isBusy || undefined}
      className={`inline-flex shrink-0 items-center justify-center rounded-lg font-medium whitespace-nowrap transition-[background,filter,color] duration-100 disabled:opacity-55 pointer-coarse:min-h-10 ${sizes[size]} ${TONES[tone]} ${className}`}
    >
      {isBusy ? <Spinner /> : icon && <Icon name={icon} className="size-4" />}
      {children}
    </button>
  );
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: IconName;
  label: string;
  isOn?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function IconButton({ icon, label, isOn, className = "size-8", ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      {...rest}
      className={`inline-flex shrink-0 items-center justify-center rounded-lg transition-colors duration-100 pointer-coarse:min-h-10 pointer-coarse:min-w-10 hover:bg-hover hover:text-ink disabled:opacity-45 ${isOn ? "bg-hover text-ink" : "text-muted"} ${className}`}
    >
      <Icon name={icon} />
    </button>
  );
}

/** A button that is an action: its name, its key and its doing come from one value. */
export function ActionButton({
  action,
  icon,
  tone,
}: {
  action: Action | undefined;
  icon: IconName;
  tone?: Tone;
}) {
  if (!action) return null;
  const hint = action.shortcut ? ` (${keysOf(action.shortcut).join("+")})` : "";
  if (tone) {
    return (
      <Button
        tone={tone}
        icon={icon}
        onClick={action.run}
        disabled={!action.isEnabled}
        title={action.label + hint}
      >
        {action.label}
      </Button>
    );
  }
  return (
    <IconButton
      icon={icon}
      label={action.label}
      title={action.label + hint}
      onClick={action.run}
      disabled={!action.isEnabled}
    />
  );
}

export function Spinner({ className = "size-4" }: { className?: string }) {
  return (
    <svg viewBox="0 0 16 16" className={`animate-spin ${className}`} aria-hidden="true">
      <circle cx="8" cy="8" r="6.200" fill="none" stroke="currentColor" strokeOpacity=".25" strokeWidth="2" />
      <path
        d="M14.200 8A6.200 6.200 0 0 0 8 1.800"
        fill="none"
        stroke="currentColor"
        strokeWidth="2"
        strokeLinecap="round"
      />
    </svg>
  );
}

export function Keys({ keys, className = "" }: { keys: string[]; className?: string }) {
  return (
    <span className={`inline-flex gap-0.5 pointer-coarse:hidden ${className}`}>
      {keys.map((key) => (
        <kbd
          key={key}
          className="inline-flex h-[18px] min-w-[18px] items-center justify-center rounded border border-line-strong px-1 font-sans text-2xs text-muted"
        >
          {key}
        </kbd>
      ))}
    </span>
  );
}

export function Badge({
  tone = "quiet",
  children,
}: {
  tone?: "quiet" | "good" | "warn" | "bad" | "accent";
  children: ReactNode;
}) {
  const tones = {
    quiet: "bg-hover text-muted",
    good: "bg-[color-mix(in_srgb,var(--good)_13%,transparent)] text-good",
    warn: "bg-warn-soft text-warn",
    bad: "bg-bad-soft text-bad",
    accent: "bg-accent-soft text-accent-ink",
  };
  return (
    <span className={`inline-flex h-5 items-center rounded-md px-1.5 text-xs font-medium ${tones[tone]}`}>
      {children}
    </span>
  );
}

export function Empty({
  icon,
  title,
  text,
  children,
}: {
  icon?: IconName;
  title: string;
  text?: string;
  children?: ReactNode;
}) {
  return (
    <div className="fade-in flex h-full flex-col items-center justify-center gap-1 p-8 text-center">
      {icon && (
        <span className="mb-3 flex size-12 items-center justify-center rounded-2xl bg-hover text-faint">
          <Icon name={icon} className="size-6" />
        </span>
      )}
      <p className="font-medium">{title}</p>
      {text && <p className="max-w-72 text-sm text-balance text-muted">{text}</p>}
      {children && <div className="mt-4 flex gap-2">{children}</div>}
    </div>
  );
}
