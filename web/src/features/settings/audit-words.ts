/** Words for an entry of the audit, in the language on screen. What has none is shown as it is stored. Pure. */
import type { TFunction } from "i18next";
import type { AuditEntry } from "@/api/types";

/** What was done; null: an act of a later version, say, that this one has no words for. */
export const actionOf = ({ action }: AuditEntry, t: TFunction): string | null =>
  t(`audit.actions.${action.replaceAll(".", "_")}`, { defaultValue: "" }) || null;

/** Acts that are about a thing with a name of its own, which stands in what was kept of it. */
const NAMED = /^(api_key|passkey)\./;
/** Acts on a contact: the audit keeps which fields were changed, and nothing that stands in them. */
const UNTOLD = "contact.changed";

/** To whom or what: not oneself, who stands there already. An id only where nothing better is known. */
export function subjectsOf(entry: AuditEntry, nameOfInbox: (id: string) => string | undefined): string[] {
  const { actor, about, action, target } = entry;
  const subjects: (string | undefined)[] = [];
  if (about && about.id !== actor?.id) subjects.push(about.name);
  if (target.startsWith("inb_")) subjects.push(nameOfInbox(target) ?? target);
  if (NAMED.test(action)) subjects.push(told(entry, "name"));
  const isKnown = about !== null || /^(inb|key|ws|itm)_/.test(target);
  if (!isKnown && target) subjects.push(target);
  return subjects.filter((one) => one !== undefined);
}

interface Change {
  label: string;
  /** Null: that it changed is all that is kept. */
  text: string | null;
}

/** What is another than before, or came with it. */
export function changesOf(entry: AuditEntry, t: TFunction): Change[] {
  const { action, before, after } = entry;
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return names
    .filter((name) => !isSubject(entry, name))
    .flatMap((name) => {
      const label = t(`audit.fields.${name}`, { defaultValue: name });
      if (action === UNTOLD || name === "fields") return [{ label, text: null }];
      const [old, now] = [before?.[name], after?.[name]].map((value) => worded(name, value, t));
      if (before && after) return old === now ? [] : [{ label, text: `${old} → ${now}` }];
      return [{ label, text: (after ? now : old) ?? null }];
    });
}

/** It says which one it is, and stands in the first line. */
function isSubject({ action, about }: AuditEntry, name: string): boolean {
  if (name === "name")
    return NAMED.test(action) || (about !== null && /^user\.(invited|created|joined)$/.test(action));
  return name === "actor_id" || name === "id" || name === "hint";
}

function told({ before, after }: AuditEntry, name: string): string | undefined {
  const value = after?.[name] ?? before?.[name];
  return typeof value === "string" ? value : undefined;
}

const LANGUAGES: Record<string, string> = { ru: "Русский", en: "English" };

function worded(name: string, value: unknown, t: TFunction): string {
  if (name === "reopen_within_hours")
    return typeof value === "number" ? t("inboxes.hours", { count: value }) : t("inboxes.always");
  if (value === null || value === undefined || value === "") return t("common.none");
  if (typeof value === "boolean") return t(value ? "audit.yes" : "audit.no");
  if (Array.isArray(value)) return value.map((one) => worded(name, one, t)).join(", ");
  if (typeof value !== "string") return JSON.stringify(value);
  switch (name) {
    case "role":
      return t(`people.${value}`, { defaultValue: value });
    case "scopes":
      return t(`keys.${value}`, { defaultValue: value });
    case "reopen":
      return t(`inboxes.${value}`, { defaultValue: value });
    case "locale":
      return LANGUAGES[value] ?? value;
    case "by":
      return value === "passkey" ? t("audit.byPasskey") : value === "phone" ? t("audit.byPhone") : value;
    default:
      return value;
  }
}
