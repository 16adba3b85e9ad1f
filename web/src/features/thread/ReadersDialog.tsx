/** Who has read a message, and when; of a large group how many. */
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { listReaders } from "@/api/messages";
import type { Message } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Empty, Spinner } from "@/components/controls";
import { Dialog } from "@/components/overlays";
import { readersStore } from "@/lib/chat-view";
import { errorText } from "@/lib/errors";
import { formatMoment } from "@/lib/format";
import { useStore } from "@/lib/store";

const close = () => readersStore.set(null);

export function ReadersDialog() {
  const { t } = useTranslation();
  const message = useStore(readersStore);
  return (
    <Dialog isOpen={message !== null} onClose={close} title={t("chats.readBy")} width="max-w-xs">
      {message && <Readers message={message} />}
    </Dialog>
  );
}

function Readers({ message }: { message: Message }) {
  const { t } = useTranslation();
  const answer = useQuery({
    queryKey: ["readers", message.id],
    queryFn: () => listReaders(message.conversation_id, message.id),
    staleTime: 0,
    gcTime: 0,
  });
  if (answer.isPending) {
    return (
      <p className="flex justify-center p-8 text-faint">
        <Spinner />
      </p>
    );
  }
  if (answer.isError) return <Empty icon="alert" title={errorText(answer.error, t)} />;
  const { count, readers } = answer.data;
  if (count === 0) return <Empty icon="eye" title={t("chats.readByNobody")} />;
  if (!readers) return <p className="px-5 pb-6 text-muted">{t("chats.readByMany", { count })}</p>;
  return (
    <ul className="min-h-0 overflow-y-auto px-3 pb-4">
      {readers.map(({ actor, read_at }) => (
        <li key={actor.id} className="flex h-11 items-center gap-2.5 px-2">
          <Avatar id={actor.id} name={actor.name} size="sm" />
          <span dir="auto" className="min-w-0 flex-1 truncate text-left text-sm">
            {actor.name}
          </span>
          {read_at && (
            <time dateTime={read_at} className="text-xs text-muted">
              {formatMoment(read_at)}
            </time>
          )}
        </li>
      ))}
    </ul>
  );
}
