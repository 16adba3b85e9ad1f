import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Logo } from "@/components/Logo";
import { LANGUAGES, type Language, setLanguage } from "@/lib/i18n";

const NAMES: Record<Language, string> = { ru: "Русский", en: "English" };

/** The quiet room in front of the door: mark, one card, language below. */
export function Frame({ title, text, children }: { title: string; text?: string; children: ReactNode }) {
  const { t, i18n } = useTranslation();
  return (
    <div className="flex h-full flex-col items-center overflow-y-auto bg-rail px-5">
      <main className="rise-in my-auto w-full max-w-[360px] py-10">
        <div className="mb-7 flex flex-col items-center text-center">
          <Logo className="mb-5 size-12" />
          <h1 className="text-xl font-semibold tracking-tight text-balance">{title}</h1>
          <p className="mt-1 text-sm text-balance text-muted">{text ?? t("auth.tagline")}</p>
        </div>
        <div className="rounded-2xl border border-line bg-surface p-6 shadow-[0_1px_2px_#17181d0a,0_12px_40px_-12px_#17181d1f]">
          {children}
        </div>
      </main>
      <nav aria-label={t("fields.language")} className="flex gap-1 pb-6 text-sm">
        {LANGUAGES.map((language) => (
          <button
            key={language}
            type="button"
            lang={language}
            aria-pressed={i18n.language === language}
            onClick={() => void setLanguage(language)}
            className="rounded-md px-2.5 py-1 pointer-coarse:min-h-10 pointer-coarse:px-4 text-muted hover:text-ink aria-pressed:bg-hover aria-pressed:text-ink"
          >
            {NAMES[language]}
          </button>
        ))}
      </nav>
    </div>
  );
}
