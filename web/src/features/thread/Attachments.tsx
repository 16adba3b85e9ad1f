/** What is attached to a message: pictures as an album, sounds with a player, the rest as files to fetch. */
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { contentUrl, inlineUrl, thumbnailUrl } from "@/api/media";
import type { Attachment } from "@/api/types";
import { Spinner } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { formatBytes, formatDuration } from "@/lib/format";
import { Waveform } from "./Waveform";

const isPicture = (a: Attachment) =>
  a.kind === "image" || (a.kind === "sticker" && a.content_type.startsWith("image/"));

interface AttachmentsProps {
  attachments: Attachment[];
  onOpen: (pictures: Attachment[], index: number) => void;
}

export function Attachments({ attachments, onOpen }: AttachmentsProps) {
  const pictures = attachments.filter(isPicture);
  const rest = attachments.filter((a) => !isPicture(a));
  return (
    <>
      {pictures.length > 0 && <Album pictures={pictures} onOpen={(index) => onOpen(pictures, index)} />}
      {rest.map((attachment) => (
        <Other key={attachment.media_id} attachment={attachment} />
      ))}
    </>
  );
}

const MAX_WIDTH = 340;
const MAX_HEIGHT = 360;

/** One picture keeps its shape; several make a grid whose last row is filled. */
function Album({ pictures, onOpen }: { pictures: Attachment[]; onOpen: (index: number) => void }) {
  const first = pictures[0];
  if (pictures.length === 1 && first) {
    const { width, height } = first.thumbnail ?? { width: first.width ?? 320, height: first.height ?? 240 };
    const scale = Math.min(MAX_WIDTH / width, MAX_HEIGHT / height, Math.max(1, 200 / width));
    const size = {
      width: Math.max(120, Math.round(width * scale)),
      aspectRatio: `${width} / ${height}`,
      maxHeight: MAX_HEIGHT,
    };
    return (
      <div className="max-w-full" style={size}>
        <Picture attachment={first} onOpen={() => onOpen(0)} />
      </div>
    );
  }
  const columns = pictures.length === 2 || pictures.length === 4 ? 2 : 3;
  const lead = pictures.length % columns;
  return (
    <div
      className={`grid w-[340px] max-w-full gap-0.5 overflow-hidden rounded-[inherit] ${columns === 2 ? "grid-cols-2" : "grid-cols-6"}`}
    >
      {pictures.map((picture, index) => (
        <div
          key={picture.media_id}
          className={
            columns === 2
              ? "aspect-square"
              : index < lead
                ? lead === 1
                  ? "col-span-6 aspect-[16/9]"
                  : "col-span-3 aspect-square"
                : "col-span-2 aspect-square"
          }
        >
          <Picture attachment={picture} onOpen={() => onOpen(index)} />
        </div>
      ))}
    </div>
  );
}

function Picture({ attachment, onOpen }: { attachment: Attachment; onOpen: () => void }) {
  const { t } = useTranslation();
  const [isBroken, setBroken] = useState(false);
  const name = attachment.name || t("media.photo");
  if (attachment.state !== "ready" || isBroken) {
    const isPending = attachment.state === "pending" && !isBroken;
    return (
      <div className="flex h-full min-h-24 w-full flex-col items-center justify-center gap-1.5 bg-hover p-3 text-center text-xs text-muted">
        {isPending ? <Spinner className="size-5" /> : <Icon name="alert" />}
        {isPending ? t("media.pending") : t("media.failed")}
      </div>
    );
  }
  return (
    <button
      type="button"
      onClick={onOpen}
      aria-label={t("media.open", { name })}
      className="block h-full w-full overflow-hidden bg-hover outline-offset-[-3px]"
    >
      <img
        src={attachment.thumbnail ? thumbnailUrl(attachment.media_id) : inlineUrl(attachment.media_id)}
        alt={name}
        loading="lazy"
        decoding="async"
        onError={() => setBroken(true)}
        className="h-full w-full object-cover"
      />
    </button>
  );
}

function Other({ attachment }: { attachment: Attachment }) {
  if (attachment.state === "ready") {
    if (attachment.kind === "voice" || attachment.kind === "audio") return <Player attachment={attachment} />;
    if (attachment.kind === "video" || attachment.kind === "animation")
      return <Video attachment={attachment} />;
  }
  return <FileCard attachment={attachment} />;
}

function Video({ attachment }: { attachment: Attachment }) {
  const isLoop = attachment.kind === "animation";
  return (
    <video
      src={inlineUrl(attachment.media_id)}
      poster={attachment.thumbnail ? thumbnailUrl(attachment.media_id) : undefined}
      width={attachment.width ?? undefined}
      height={attachment.height ?? undefined}
      controls
      loop={isLoop}
      muted={isLoop}
      playsInline
      preload="metadata"
      aria-label={attachment.name}
      className="max-h-[360px] w-[340px] max-w-full bg-black"
    />
  );
}

function Player({ attachment }: { attachment: Attachment }) {
  const { t } = useTranslation();
  const audio = useRef<HTMLAudioElement>(null);
  const [isPlaying, setPlaying] = useState(false);
  const [at, setAt] = useState(0);
  const [isBroken, setBroken] = useState(false);
  const [length, setLength] = useState(attachment.duration_seconds ?? 0);
  if (isBroken) return <FileCard attachment={attachment} />;
  const seek = (seconds: number) => {
    if (audio.current) audio.current.currentTime = seconds;
    setAt(seconds);
  };
  const toggle = () => {
    const player = audio.current;
    if (!player) return;
    if (isPlaying) player.pause();
    else void player.play().catch(() => setBroken(true));
  };
  return (
    <div className="flex w-[260px] max-w-full items-center gap-3 px-3 pt-2.5 pb-1">
      <audio
        ref={audio}
        src={inlineUrl(attachment.media_id)}
        preload="none"
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onEnded={() => setAt(0)}
        onTimeUpdate={(event) => setAt(event.currentTarget.currentTime)}
        onLoadedMetadata={(event) =>
          Number.isFinite(event.currentTarget.duration) && setLength(event.currentTarget.duration)
        }
      />
      <button
        type="button"
        onClick={toggle}
        aria-label={t(isPlaying ? "media.pause" : "media.play")}
        className="flex size-9 shrink-0 items-center justify-center rounded-full bg-accent text-on-accent hover:brightness-110"
      >
        <Icon name={isPlaying ? "pause" : "play"} className="size-[18px]" />
      </button>
      <div className="min-w-0 flex-1">
        {attachment.kind === "audio" && <p className="truncate text-sm font-medium">{attachment.name}</p>}
        {attachment.waveform?.length ? (
          <Waveform bars={attachment.waveform} at={at} length={length} onSeek={seek} />
        ) : (
          <input
            type="range"
            min={0}
            max={length || 1}
            step={0.1}
            value={at}
            aria-label={t("media.position")}
            onChange={(event) => seek(Number(event.target.value))}
            className="h-4 w-full accent-accent"
          />
        )}
        <p className="text-2xs text-muted tabular-nums">
          {formatDuration(isPlaying || at > 0 ? at : length)}
        </p>
      </div>
    </div>
  );
}

function FileCard({ attachment }: { attachment: Attachment }) {
  const { t } = useTranslation();
  const { state, name, size_bytes } = attachment;
  const about =
    state === "pending"
      ? t("media.pending")
      : state === "failed"
        ? attachment.error || t("media.failed")
        : size_bytes !== null
          ? formatBytes(size_bytes)
          : "";
  const body = (
    <>
      <span
        className={`flex size-10 shrink-0 items-center justify-center rounded-xl ${state === "failed" ? "bg-bad-soft text-bad" : "bg-accent-soft text-accent-ink"}`}
      >
        {state === "pending" ? (
          <Spinner />
        ) : (
          <Icon name={state === "failed" ? "alert" : "file"} className="size-5" />
        )}
      </span>
      <span className="min-w-0 flex-1">
        <span className="line-clamp-2 text-sm font-medium break-words [overflow-wrap:anywhere]">
          {name || t(`kinds.${attachment.kind}`)}
        </span>
        <span className="block text-xs text-muted">{about}</span>
      </span>
    </>
  );
  const look = "flex w-[280px] max-w-full items-center gap-3 px-3 pt-2.5 pb-1";
  if (state !== "ready") return <div className={look}>{body}</div>;
  return (
    <a
      href={contentUrl(attachment.media_id)}
      download={name}
      title={t("media.download")}
      className={`group/file ${look} rounded-[inherit] outline-offset-[-3px]`}
    >
      {body}
      <Icon name="download" className="size-4 text-faint group-hover/file:text-ink" />
    </a>
  );
}
