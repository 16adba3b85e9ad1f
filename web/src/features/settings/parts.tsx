/** The shape every page of settings has. */
import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button, Empty } from "@/components/controls";
import type { IconName } from "@/components/Icon";

export function SettingsPage({
  title,
  text,
  action,
  children,
}: {
  title: string;
  text?: string;
  action?: ReactNode;
  children: ReactNode;
}) {
  return (
    <div className="mx-auto w-full max-w-3xl px-8 py-8 max-md:px-4 max-md:py-5">
      <header className="mb-5 flex flex-wrap items-start gap-x-4 gap-y-3">
        <div className="min-w-0 flex-1 max-sm:basis-full">
          <h1 className="text-xl font-semibold tracking-tight max-md:hidden">{title}</h1>
          {text && <p className="text-muted">{text}</p>}
        </div>
        {action && <div className="flex flex-wrap gap-2">{action}</div>}
      </header>
      {children}
    </div>
  );
}

export function Card({ children, className = "" }: { children: ReactNode; className?: string }) {
  return <div className={`rounded-xl border border-line bg-surface ${className}`}>{children}</div>;
}

export function Section({ title, text, children }: { title: string; text?: string; children: ReactNode }) {
  return (
    <section className="mb-8">
      <h2 className="font-semibold">{title}</h2>
      {text && <p className="text-sm text-muted">{text}</p>}
      <div className="mt-3">{children}</div>
    </section>
  );
}

/** Lines of a list in one card, or why there are none. */
export function Lines<T extends { id: string }>({
  query,
  items,
  empty,
  render,
}: {
  query: Pick<UseQueryResult, "isPending" | "isError" | "refetch">;
  items: T[] | undefined;
  empty: { icon: IconName; title: string; text?: string };
  render: (item: T) => ReactNode;
}) {
  const { t } = useTranslation();
  if (query.isPending) {
    return (
      <Card>
        {[0, 1, 2].map((line) => (
          <div
            key={line}
            className="shimmer flex h-15 items-center gap-3 border-b border-line px-4 last:border-0"
          >
            <span className="size-8 rounded-full bg-hover" />
            <span className="h-3 w-1/3 rounded bg-hover" />
          </div>
        ))}
      </Card>
    );
  }
  if (query.isError && !items) {
    return (
      <Card>
        <Empty icon="alert" title={t("settings.failed")}>
          <Button onClick={() => void query.refetch()}>{t("common.retry")}</Button>
        </Empty>
      </Card>
    );
  }
  if (!items || items.length === 0) {
    return (
      <Card>
        <Empty {...empty} />
      </Card>
    );
  }
  return (
    <Card>
      <ul className="divide-y divide-line">
        {items.map((item) => (
          <li key={item.id}>{render(item)}</li>
        ))}
      </ul>
    </Card>
  );
}

/** The way to the next page, while there is one. */
export function More({
  query,
}: {
  query: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };
}) {
  const { t } = useTranslation();
  if (!query.hasNextPage) return null;
  return (
    <Button
      className="mx-auto mt-4 flex"
      isBusy={query.isFetchingNextPage}
      onClick={() => query.fetchNextPage()}
    >
      {t("common.loadMore")}
    </Button>
  );
}

/** A secret or link to carry away. */
export function CopyBox({ text }: { text: string }) {
  const { t } = useTranslation();
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2_000);
  };
  return (
    <div className="flex items-center gap-2 rounded-lg border border-line-strong bg-canvas py-1 pr-1 pl-3">
      <input
        readOnly
        value={text}
        aria-label={t("common.copy")}
        onFocus={(event) => event.target.select()}
        className="min-w-0 flex-1 bg-transparent font-mono text-sm outline-none"
      />
      <Button size="sm" icon={isCopied ? "check" : "copy"} autoFocus onClick={() => void copy()}>
        {t(isCopied ? "common.copied" : "common.copy")}
      </Button>
    </div>
  );
}
