/** What a row says of the last message, and how much is unread. */
import { useTranslation } from "react-i18next";
import type { Snippet } from "@/api/types";
import { Icon, type IconName } from "@/components/Icon";

const KIND_ICONS: Record<string, IconName> = {
  image: "image",
  video: "video",
  animation: "video",
  audio: "mic",
  voice: "mic",
  file: "file",
  sticker: "smile",
};

/** `speaker`: whose words they are, where that is not clear. */
export function LastMessage({
  snippet,
  isOwn,
  speaker,
}: {
  snippet: Snippet;
  isOwn: boolean;
  speaker?: string;
}) {
  const { t } = useTranslation();
  if (snippet.is_deleted) return <span className="truncate italic">{t("list.deleted")}</span>;
  const icon =
    snippet.kind === "note"
      ? "note"
      : snippet.attachment_kind && (KIND_ICONS[snippet.attachment_kind] ?? "file");
  return (
    <>
      {icon && <Icon name={icon} className={`size-[15px] ${snippet.kind === "note" ? "text-note" : ""}`} />}
      <span className={`truncate ${snippet.kind === "note" ? "text-note" : ""}`}>
        {isOwn && snippet.kind !== "note" && <span className="text-faint">{t("list.you")}: </span>}
        {speaker && <span className="text-ink/75">{speaker}: </span>}
        {snippet.text.replace(/\s+/g, " ") || attachmentText(snippet, t)}
      </span>
    </>
  );
}

function attachmentText(snippet: Snippet, t: ReturnType<typeof useTranslation>["t"]): string {
  const kind = snippet.attachment_kind;
  if (!kind) return "";
  return kind === "image" && snippet.attachment_count > 1
    ? t("list.photos", { count: snippet.attachment_count })
    : t(`kinds.${kind}`);
}

export function UnreadBadge({ count, isQuiet }: { count: number; isQuiet?: boolean }) {
  const { t } = useTranslation();
  return (
    <span
      className={`flex h-[18px] min-w-[18px] shrink-0 items-center justify-center rounded-full px-1.5 text-2xs font-semibold tabular-nums ${isQuiet ? "bg-hover text-muted ring-1 ring-line-strong ring-inset" : "bg-accent text-on-accent"}`}
    >
      <span aria-hidden="true">{count > 99 ? "99+" : count}</span>
      <span className="sr-only">{t("list.unread", { count })}</span>
    </span>
  );
}
