/** What to tell a person about a failure, whole or field by field. */
import type { TFunction } from "i18next";
import { ApiError } from "@/api/http";
import { PasskeyCancelled } from "./passkeys";

const MINUTE_SECONDS = 60;

/** The stable name of a refusal by the server; empty for any other error. */
export const codeOf = (error: unknown): string => (error instanceof ApiError ? error.code : "");

export function errorText(error: unknown, t: TFunction): string {
  if (error instanceof PasskeyCancelled) return t("auth.passkeyCancelled");
  if (!(error instanceof ApiError)) return t("errors.unexpected");
  const wait = Number(error.fields.retry_after_seconds);
  if (wait > MINUTE_SECONDS) return t("auth.tooMany", { count: Math.ceil(wait / MINUTE_SECONDS) });
  const key = `errors.${error.code}`;
  const known = t(key, { defaultValue: "", message: error.message });
  // A single field that was refused tells more than that something was.
  const [refused, ...more] = error.code === "malformed" ? Object.keys(error.fields) : [];
  const exact = refused && more.length === 0 ? t(`fields.refused.${refused}`, { defaultValue: "" }) : "";
  return exact || known || error.message || t("errors.unexpected");
}

/** Words for the fields the server complained about, under their names; those it knows have their own. */
export function fieldErrors(error: unknown, t: TFunction): Record<string, string> {
  if (!(error instanceof ApiError)) return {};
  return Object.fromEntries(
    Object.entries(error.fields).map(([name, value]) => [
      name,
      t(`fields.refused.${name}`, { defaultValue: typeof value === "string" ? value : t("fields.invalid") }),
    ]),
  );
}
