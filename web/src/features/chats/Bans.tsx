/** Those who are kept out of a group or broadcast: until when, by whom; and letting them in again. */
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { askAgain } from "@/api/asking";
import { chatKeys } from "@/api/chat-cache";
import { listBans, unban } from "@/api/chats";
import type { Chat } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Button } from "@/components/controls";
import { useTry } from "@/components/trying";
import { formatMoment } from "@/lib/format";

export function Bans({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const attempt = useTry();
  const bans = useInfiniteQuery({
    queryKey: chatKeys.bans(chat.id),
    queryFn: ({ pageParam }) => listBans(chat.id, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: askAgain,
  });
  const lift = (actor: string) =>
    attempt.run(async () => {
      await unban(chat.id, actor);
      await client.invalidateQueries({ queryKey: chatKeys.bans(chat.id) });
    });
  const items = bans.data?.pages.flatMap((page) => page.items) ?? [];
  if (items.length === 0) return null;
  return (
    <section aria-label={t("chats.bans")} className="border-t border-line px-3 py-3">
      <h3 className="px-2 pb-1 text-xs font-medium text-muted">{t("chats.bans")}</h3>
      <ul>
        {items.map(({ actor, until, banned_by }) => (
          <li key={actor.id} className="flex min-h-12 items-center gap-2.5 rounded-lg px-2 py-1">
            <Avatar id={actor.id} name={actor.name} size="sm" />
            <span className="min-w-0 flex-1">
              <span dir="auto" className="block truncate text-left text-sm">
                {actor.name}
              </span>
              <span className="block truncate text-xs text-muted">
                {until ? t("chats.bannedUntil", { time: formatMoment(until) }) : t("chats.bannedForGood")} ·{" "}
                {banned_by.name}
              </span>
            </span>
            <Button size="sm" onClick={() => void lift(actor.id)}>
              {t("chats.unban")}
            </Button>
          </li>
        ))}
      </ul>
      {bans.hasNextPage && (
        <p className="flex justify-center p-2">
          <Button size="sm" isBusy={bans.isFetchingNextPage} onClick={() => void bans.fetchNextPage()}>
            {t("common.loadMore")}
          </Button>
        </p>
      )}
    </section>
  );
}
