/** The page of an invite link: where it leads, and the way in. The token stays behind the # and in this tab. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { checkInviteLink, joinByLink } from "@/api/chats";
import { ApiError } from "@/api/http";
import { useSync } from "@/api/sync";
import { Avatar } from "@/components/Avatar";
import { Button, Empty, Spinner } from "@/components/controls";
import { useTry } from "@/components/trying";
import { codeOf } from "@/lib/errors";
import { joinToken, leaveJoin, noteJoin } from "@/lib/joining";
import { chatPath, navigate } from "@/lib/router";

export function Join() {
  const { t } = useTranslation();
  const sync = useSync();
  const attempt = useTry();
  const [token, setToken] = useState(joinToken);
  const [isRefused, setRefused] = useState(false);
  useEffect(() => {
    // Another link, opened in the same tab.
    const look = () => {
      noteJoin();
      setToken(joinToken());
      setRefused(false);
    };
    window.addEventListener("hashchange", look);
    return () => window.removeEventListener("hashchange", look);
  }, []);
  const link = useQuery({
    queryKey: ["invite-link", token],
    queryFn: () => checkInviteLink(token),
    enabled: token !== "",
    retry: (count, error) => count < 3 && error instanceof ApiError && error.isTemporary,
    gcTime: 0,
  });
  const known = link.data?.conversation_id;
  const go = (id: string) => {
    leaveJoin();
    navigate(chatPath(id), { replace: true });
  };
  useEffect(() => {
    if (!known) return;
    leaveJoin();
    navigate(chatPath(known), { replace: true });
  }, [known]);
  const join = () =>
    attempt.run(async () => {
      try {
        const chat = await joinByLink(token);
        sync.chats.keep(chat);
        go(chat.id);
      } catch (error) {
        // Revoked or used up since it was looked at.
        if (codeOf(error) !== "invite_link_invalid") throw error;
        setRefused(true);
      }
    });
  if (token === "" || isRefused || link.isError) {
    return (
      <Empty icon="link" title={t("chats.linkInvalid")} text={t("chats.linkInvalidText")}>
        <Button
          autoFocus
          onClick={() => {
            leaveJoin();
            navigate("/chats", { replace: true });
          }}
        >
          {t("actions.chats")}
        </Button>
      </Empty>
    );
  }
  if (!link.data || known) {
    return (
      <div className="flex h-full items-center justify-center text-faint">
        <Spinner className="size-6" />
      </div>
    );
  }
  const { title, description, member_count } = link.data;
  const kind = link.data.kind === "broadcast" ? "broadcast" : "group";
  const name = title ?? t(`chats.untitled.${kind}`);
  return (
    <main className="flex h-full justify-center overflow-y-auto bg-rail p-4">
      <div className="rise-in my-auto flex w-full max-w-sm flex-col items-center gap-1 rounded-2xl bg-surface p-8 text-center shadow-pop">
        <Avatar id={name} name={name} size="lg" />
        <h1 dir="auto" className="mt-3 max-w-full text-xl font-semibold [overflow-wrap:anywhere]">
          {name}
        </h1>
        <p className="text-sm text-muted">
          {t(`chats.${kind}`)} · {t("chats.members", { count: member_count })}
        </p>
        {description && (
          <p dir="auto" className="mt-2 max-w-full text-sm whitespace-pre-wrap [overflow-wrap:anywhere]">
            {description}
          </p>
        )}
        <Button
          tone="primary"
          size="lg"
          autoFocus
          isBusy={attempt.isBusy}
          className="mt-6 w-full"
          onClick={() => void join()}
        >
          {t("chats.join")}
        </Button>
        <Button
          tone="quiet"
          className="w-full"
          onClick={() => {
            leaveJoin();
            navigate("/chats", { replace: true });
          }}
        >
          {t("chats.notNow")}
        </Button>
      </div>
    </main>
  );
}
