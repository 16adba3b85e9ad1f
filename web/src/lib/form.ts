/** State of a form: values, what is wrong with them, one submission at a time. */
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { codeOf, errorText, fieldErrors } from "@/lib/errors";

const PASSWORD_MIN = 8;

export type Checks<T> = Partial<Record<keyof T, "required" | "email" | "password">>;

export function useForm<T extends Record<string, string>>(
  initial: T,
  checks: Checks<T>,
  submit: (values: T) => Promise<void>,
  /** What is said of an error here in place of its general words, by its code. */
  texts: Record<string, string> = {},
) {
  const { t } = useTranslation();
  const [values, setValues] = useState(initial);
  const [errors, setErrors] = useState<Partial<Record<string, string>>>({});
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);

  function check(): Partial<Record<string, string>> {
    const found: Partial<Record<string, string>> = {};
    for (const [name, rule] of Object.entries(checks)) {
      const value = (values[name] ?? "").trim();
      if (!value) found[name] = t("fields.required");
      else if (rule === "email" && !/^\S+@\S+$/.test(value)) found[name] = t("fields.emailInvalid");
      else if (rule === "password" && value.length < PASSWORD_MIN) found[name] = t("fields.passwordShort");
    }
    return found;
  }

  async function onSubmit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget;
    const found = check();
    setErrors(found);
    setFailure(null);
    if (Object.keys(found).length > 0) return focusFirst(form, found);
    setBusy(true);
    try {
      await submit(values);
    } catch (error) {
      const fields = fieldErrors(error, t);
      const shown = Object.fromEntries(Object.entries(fields).filter(([name]) => name in values));
      setErrors(shown);
      if (Object.keys(shown).length === 0) setFailure(texts[codeOf(error)] ?? errorText(error, t));
      else focusFirst(form, shown);
      selectTyped(form);
    } finally {
      setBusy(false);
    }
  }

  const field = (name: keyof T & string) => ({
    name,
    value: values[name],
    error: errors[name] ?? null,
    onChange: (value: string) => {
      setValues((all) => ({ ...all, [name]: value }));
      setErrors((all) => ({ ...all, [name]: undefined }));
    },
  });

  return { field, failure, isBusy, onSubmit, values };
}

/** What was refused is typed over: no need to take it away first. */
function selectTyped(form: HTMLFormElement): void {
  const typed = document.activeElement;
  if (typed instanceof HTMLInputElement && typed.form === form) typed.select();
}

function focusFirst(form: HTMLFormElement, found: Partial<Record<string, string>>): void {
  for (const element of form.querySelectorAll<HTMLInputElement>("input")) {
    if (!found[element.name]) continue;
    element.focus();
    return;
  }
}
