/** The empty desk: two ways to begin. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useChannels, useIsAdmin } from "@/api/hooks";
import { Empty, Spinner } from "@/components/controls";
import { Icon, type IconName } from "@/components/Icon";
import { useSandbox } from "@/lib/useSandbox";
import { ConnectDialog } from "./ConnectDialog";

export function Welcome() {
  const { t } = useTranslation();
  const isAdmin = useIsAdmin();
  const channels = useChannels();
  const sandbox = useSandbox();
  const [isConnecting, setConnecting] = useState(false);
  if (!isAdmin) return <Empty icon="inbox" title={t("welcome.waitTitle")} text={t("welcome.waitText")} />;
  return (
    <div className="flex h-full flex-col items-center justify-center overflow-y-auto p-6">
      <div className="rise-in w-full max-w-xl">
        <h2 className="text-center text-xl font-semibold tracking-tight">{t("welcome.title")}</h2>
        <p className="mt-1 mb-7 text-center text-muted">{t("welcome.text")}</p>
        <div className={`mx-auto grid gap-3 ${channels.data?.sandbox ? "sm:grid-cols-2" : "max-w-sm"}`}>
          <Way
            icon="telegram"
            title={t("welcome.telegramTitle")}
            text={t("welcome.telegramText")}
            onClick={() => setConnecting(true)}
          />
          {channels.data?.sandbox && (
            <Way
              icon="phone"
              title={t("welcome.sandboxTitle")}
              text={t("welcome.sandboxText")}
              isBusy={sandbox.isBusy}
              onClick={sandbox.open}
            />
          )}
        </div>
      </div>
      <ConnectDialog isOpen={isConnecting} onClose={() => setConnecting(false)} />
    </div>
  );
}

function Way({
  icon,
  title,
  text,
  isBusy,
  onClick,
}: {
  icon: IconName;
  title: string;
  text: string;
  isBusy?: boolean;
  onClick: () => void;
}) {
  return (
    <button
      type="button"
      onClick={onClick}
      disabled={isBusy}
      className="flex flex-col items-start rounded-2xl border border-line-strong bg-surface p-5 text-left transition-[border,box-shadow] hover:border-accent hover:shadow-[0_6px_24px_-8px_#5257d840] dark:bg-raised"
    >
      <span className="mb-4 flex size-11 items-center justify-center rounded-xl bg-accent-soft text-accent-ink">
        {isBusy ? <Spinner /> : <Icon name={icon} className="size-6" />}
      </span>
      <span className="font-semibold">{title}</span>
      <span className="mt-0.5 text-sm text-muted">{text}</span>
    </button>
  );
}
