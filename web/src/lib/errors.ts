/** What to tell a person about a failure, whole or field by field. */
import type { TFunction } from "i18next";
import { ApiError } from "@/api/http";

export function errorText(error: unknown, t: TFunction): string {
  if (!(error instanceof ApiError)) return t("errors.unexpected");
  const key = `errors.${error.code}`;
  const known = t(key, { defaultValue: "", message: error.message });
  return known || error.message || t("errors.unexpected");
}

/** Words for the fields the server complained about, under their names. */
export function fieldErrors(error: unknown, t: TFunction): Record<string, string> {
  if (!(error instanceof ApiError)) return {};
  return Object.fromEntries(
    Object.entries(error.fields).map(([name, value]) => [
      name,
      typeof value === "string" ? value : t("fields.invalid"),
    ]),
  );
}
