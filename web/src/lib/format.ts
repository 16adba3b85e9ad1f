/** Times, sizes and initials as people read them, in the language on screen. */
import i18next from "i18next";

const cache = new Map<string, Intl.DateTimeFormat>();

function formatter(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const language = i18next.language || "en";
  const key = language + JSON.stringify(options);
  let made = cache.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat(language, options);
    cache.set(key, made);
  }
  return made;
}

/** "9:05 AM" in English, "09:05" in Russian. */
const clock = (): Intl.DateTimeFormatOptions => ({
  hour: i18next.language?.startsWith("ru") ? "2-digit" : "numeric",
  minute: "2-digit",
});

export const formatTime = (at: string | Date): string => formatter(clock()).format(new Date(at));

export const formatFull = (at: string | Date): string =>
  formatter({ dateStyle: "long", timeStyle: "short" }).format(new Date(at));

/** A day as a field for days has it, "2026-03-01", for people: "Mar 1, 2026"; of none "". */
export function formatDate(day: string): string {
  const [year, month, date] = day.split("-").map(Number);
  if (!year || !month || !date) return "";
  const told = formatter({ dateStyle: "medium" }).format(new Date(year, month - 1, date));
  // Russian says after it that it is a year, which is seen.
  return told.replace(/\sг\.$/, "");
}

/** A moment as a field for moments has it, "2026-03-01T09:00", for people: "Mar 1, 2026, 9:00 AM"; of none "". */
export function formatDateTime(moment: string): string {
  const at = new Date(moment);
  if (Number.isNaN(at.getTime())) return "";
  return formatter({ dateStyle: "medium", timeStyle: "short" }).format(at);
}

const startOfDay = (at: Date): number => new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();

/** Whole calendar days from `at` to today; 0 today, 1 yesterday, negative in the future. */
export const daysAgo = (at: string | Date, now = new Date()): number =>
  Math.round((startOfDay(now) - startOfDay(new Date(at))) / 86_400_000);

export const isSameDay = (a: string, b: string): boolean =>
  startOfDay(new Date(a)) === startOfDay(new Date(b));

export function formatDay(at: string): string {
  const days = daysAgo(at);
  if (days === 0) return i18next.t("time.today");
  if (days === 1) return i18next.t("time.yesterday");
  const date = new Date(at);
  const isThisYear = date.getFullYear() === new Date().getFullYear();
  return formatter({ day: "numeric", month: "long", ...(isThisYear ? {} : { year: "numeric" }) }).format(
    date,
  );
}

/** For lists: the time today, the weekday this week, else the date. */
export function formatShort(at: string): string {
  const days = daysAgo(at);
  const date = new Date(at);
  if (days === 0) return formatTime(at);
  if (days > 0 && days < 7) return formatter({ weekday: "short" }).format(date);
  if (date.getFullYear() === new Date().getFullYear()) {
    return formatter({ day: "numeric", month: "short" }).format(date);
  }
  return formatter({ day: "2-digit", month: "2-digit", year: "2-digit" }).format(date);
}

/** For moments to come and past: "18:00", "Tue, 09:00" within a week, "3 Dec, 09:00", with the year if it is another. */
export function formatMoment(at: string | Date): string {
  const ahead = -daysAgo(at);
  if (ahead === 0) return formatTime(at);
  const date = new Date(at);
  const year = date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" as const };
  const day =
    ahead > 0 && ahead < 7
      ? { weekday: "short" as const }
      : { day: "numeric" as const, month: "short" as const, ...year };
  return formatter({ ...day, ...clock() }).format(date);
}

/** As a field for a moment has it, in this zone: "2026-03-01T09:00". */
export function toLocalMoment(at: Date): string {
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

export function formatBytes(bytes: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  let value = bytes;
  let step = 0;
  while (value >= 1000 && step < units.length - 1) {
    value /= 1000;
    step += 1;
  }
  return new Intl.NumberFormat(i18next.language || "en", {
    style: "unit",
    unit: units[step],
    unitDisplay: "short",
    maximumFractionDigits: value < 10 && step > 0 ? 1 : 0,
  }).format(value);
}

export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

const segmenter = new Intl.Segmenter();

/** The first letters of the first and the last word; of a name without letters its first sign. */
export function initials(name: string): string {
  const words = name
    .trim()
    .split(/\s+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word));
  if (words.length === 0) return Array.from(segmenter.segment(name.trim()), (one) => one.segment)[0] ?? "";
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters
    .map((word) => Array.from(word?.replace(/^[^\p{L}\p{N}]+/u, "") ?? "")[0] ?? "")
    .join("")
    .toUpperCase();
}

/** A stable number for a text, to pick a colour by. */
export function hashOf(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i += 1) hash = (hash * 31 + text.charCodeAt(i)) | 0;
  return Math.abs(hash);
}
