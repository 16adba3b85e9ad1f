/** Russian and English: the person's choice, else the browser's first language. One catalogue is loaded at a time. */
import i18next, { type i18n } from "i18next";
import { initReactI18next } from "react-i18next";

export const LANGUAGES = ["ru", "en"] as const;
export type Language = (typeof LANGUAGES)[number];
const KEY = "parley.language";

export function preferredLanguage(): Language {
  const kept = localStorage.getItem(KEY);
  if (kept === "ru" || kept === "en") return kept;
  return navigator.language.toLowerCase().startsWith("ru") ? "ru" : "en";
}

const catalogues: Record<Language, () => Promise<{ default: Record<string, unknown> }>> = {
  ru: () => import("@/locales/ru.json"),
  en: () => import("@/locales/en.json"),
};

export async function startI18n(): Promise<i18n> {
  const language = preferredLanguage();
  const catalogue = await catalogues[language]();
  await i18next.use(initReactI18next).init({
    lng: language,
    resources: { [language]: { translation: catalogue.default } },
    interpolation: { escapeValue: false },
    returnNull: false,
  });
  document.documentElement.lang = language;
  return i18next;
}

export async function setLanguage(language: Language): Promise<void> {
  localStorage.setItem(KEY, language);
  const catalogue = await catalogues[language]();
  i18next.addResourceBundle(language, "translation", catalogue.default);
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
}
