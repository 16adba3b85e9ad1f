/** The doors of the app: who is here, and which screen the address names. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Component, lazy, type ReactNode, Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useHasDesk, useSession } from "@/api/hooks";
import { ApiError } from "@/api/http";
import { loadKept, restoreKept } from "@/api/kept";
import { leavingStore, refreshSession, resumeSession } from "@/api/session";
import { Sync, SyncContext } from "@/api/sync";
import { Button, Spinner } from "@/components/controls";
import { Logo } from "@/components/Logo";
import { showToast, Toasts } from "@/components/overlays";
import { Invite, Setup } from "@/features/auth/Setup";
import { SignIn } from "@/features/auth/SignIn";
import { Join } from "@/features/chats/Join";
import { updateStore } from "@/lib/installed";
import { isJoining, noteJoin } from "@/lib/joining";
import { navigate, usePath } from "@/lib/router";
import { useStore } from "@/lib/store";
import { ActionsProvider } from "./ActionsProvider";
import { Chats } from "./Chats";
import { Desk } from "./Desk";

const Settings = lazy(() => import("./SettingsScreen"));
const UNREACHABLE_RETRY_MS = 3_000;

function makeClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: (count, error) => count < 3 && error instanceof ApiError && error.isTemporary,
        refetchOnWindowFocus: false,
        staleTime: 10_000,
        // The browser's idea of being offline is often wrong: ask, and show what the asking says.
        networkMode: "always",
      },
      mutations: { networkMode: "always" },
    },
  });
}

export function App() {
  const [client] = useState(makeClient);
  return (
    <Guard>
      <QueryClientProvider client={client}>
        <House client={client} />
        <Toasts />
        <UpdateOffer />
      </QueryClientProvider>
    </Guard>
  );
}

/** Over everything while somebody leaves, from the press on: what they do meanwhile would go nowhere. */
function House({ client }: { client: QueryClient }) {
  const { t } = useTranslation();
  const isLeaving = useStore(leavingStore);
  return (
    <>
      <div className="h-full" inert={isLeaving}>
        <Doors client={client} />
      </div>
      {isLeaving && (
        <div className="fixed inset-0 z-50">
          <Splash text={t("auth.leaving")} />
        </div>
      )}
    </>
  );
}

function Doors({ client }: { client: QueryClient }) {
  const session = useSession();
  const path = usePath();
  const isLink = path === "/setup" || path === "/invite";
  useEffect(() => {
    noteJoin();
    if (!isLink) void resumeSession();
  }, [isLink]);
  useEffect(() => {
    if (session.phase !== "signed_out") return;
    client.clear();
    if (!isLink && path !== "/sign-in") navigate("/sign-in", { replace: true });
  }, [session.phase, client, isLink, path]);

  if (path === "/setup") return <Setup />;
  if (path === "/invite") return <Invite />;
  if (session.phase === "loading") return <Splash />;
  if (session.phase === "unreachable") return <Unreachable />;
  if (session.phase === "signed_out") return <SignIn />;
  return <SignedIn key={session.me.actor.id} client={client} me={session.me.actor.id} path={path} />;
}

/** First what this device keeps is put on screen; then the server is asked what is new. */
function SignedIn(props: { client: QueryClient; me: string; path: string }) {
  const { client, me } = props;
  const [isRestored, setRestored] = useState(false);
  useEffect(() => {
    void loadKept(me).then((kept) => {
      if (kept) restoreKept(client, kept);
      setRestored(true);
    });
  }, [client, me]);
  return isRestored ? <Inside {...props} /> : <Splash />;
}

function Inside({ client, me, path }: { client: QueryClient; me: string; path: string }) {
  const hasDesk = useHasDesk();
  const [sync] = useState(() => new Sync(client, me));
  useEffect(() => {
    sync.start();
    return () => sync.stop();
  }, [sync]);
  useEffect(() => {
    const isKnown = (hasDesk && path.startsWith("/inbox")) || /^\/(chats|settings|join)(\/|$)/.test(path);
    if (isJoining() && path !== "/join") navigate("/join", { replace: true });
    else if (!isKnown) navigate(hasDesk ? "/inbox" : "/chats", { replace: true });
  }, [path, hasDesk]);
  return (
    <SyncContext value={sync}>
      <ActionsProvider>
        {path.startsWith("/settings") ? (
          <Suspense fallback={<Splash />}>
            <Settings />
          </Suspense>
        ) : path === "/join" ? (
          <Join />
        ) : path.startsWith("/chats") || !hasDesk ? (
          <Chats />
        ) : (
          <Desk />
        )}
      </ActionsProvider>
    </SyncContext>
  );
}

/** A newer version is loaded when the person says so: nothing that is being written is lost to it. */
function UpdateOffer() {
  const { t } = useTranslation();
  const load = useStore(updateStore);
  useEffect(() => {
    if (load) showToast(t("app.update"), { isKept: true, action: { label: t("app.load"), run: load } });
  }, [load, t]);
  return null;
}

/** `text`: what is waited for, said once it takes a while. */
function Splash({ text }: { text?: string }) {
  return (
    <div className="flex h-full flex-col items-center justify-center gap-4 bg-rail" role={text && "status"}>
      <Logo className="shimmer size-12" />
      {text && <p className="late-in text-sm text-muted">{text}</p>}
    </div>
  );
}

function Unreachable() {
  const { t } = useTranslation();
  useEffect(() => {
    const timer = setInterval(() => void refreshSession(), UNREACHABLE_RETRY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <div
      role="alert"
      className="flex h-full flex-col items-center justify-center gap-1 bg-rail p-6 text-center"
    >
      <Logo className="mb-4 size-12 opacity-60" />
      <h1 className="text-lg font-semibold">{t("auth.unreachableTitle")}</h1>
      <p className="flex items-center gap-2 text-sm text-muted">
        <Spinner className="size-3.5" />
        {t("auth.unreachableText")}
      </p>
    </div>
  );
}

/** The last resort: a page that broke says so and offers to begin anew. */
class Guard extends Component<{ children: ReactNode }, { isBroken: boolean }> {
  override state = { isBroken: false };

  static getDerivedStateFromError() {
    return { isBroken: true };
  }

  override render() {
    return this.state.isBroken ? <Broken /> : this.props.children;
  }
}

function Broken() {
  const { t } = useTranslation();
  return (
    <div
      role="alert"
      className="flex h-full flex-col items-center justify-center gap-1 bg-rail p-6 text-center"
    >
      <h1 className="text-lg font-semibold">{t("errors.crashTitle")}</h1>
      <p className="mb-4 text-sm text-muted">{t("errors.crashText")}</p>
      <Button tone="primary" onClick={() => location.reload()}>
        {t("errors.reload")}
      </Button>
    </div>
  );
}
