/** Pictures over the whole screen: arrows walk, Escape closes. */
import { Dialog } from "radix-ui";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { contentUrl, inlineUrl, thumbnailUrl } from "@/api/media";
import type { Attachment } from "@/api/types";
import { Icon, type IconName } from "@/components/Icon";

export interface Viewing {
  pictures: Attachment[];
  index: number;
}

export function Lightbox({ viewing, onClose }: { viewing: Viewing | null; onClose: () => void }) {
  return (
    <Dialog.Root open={viewing !== null} onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>{viewing && <Viewer viewing={viewing} onClose={onClose} />}</Dialog.Portal>
    </Dialog.Root>
  );
}

function Viewer({ viewing, onClose }: { viewing: Viewing; onClose: () => void }) {
  const { t } = useTranslation();
  const [index, setIndex] = useState(viewing.index);
  const total = viewing.pictures.length;
  const picture = viewing.pictures[index];
  if (!picture) return null;
  const walk = (by: number) => setIndex((now) => Math.min(total - 1, Math.max(0, now + by)));
  return (
    <Dialog.Content
      aria-describedby={undefined}
      onKeyDown={(event) => {
        if (event.key === "ArrowRight") walk(1);
        if (event.key === "ArrowLeft") walk(-1);
      }}
      className="fade-in fixed inset-0 z-50 flex flex-col bg-black/90 text-white outline-none"
    >
      <Dialog.Title className="sr-only">{t("media.lightbox")}</Dialog.Title>
      <div className="flex h-14 shrink-0 items-center gap-1 px-3">
        <span className="min-w-0 flex-1 truncate px-2 text-sm">
          {picture.name}
          {total > 1 && (
            <span className="ml-3 text-white/60">{t("media.of", { index: index + 1, total })}</span>
          )}
        </span>
        <a
          href={contentUrl(picture.media_id)}
          download={picture.name}
          aria-label={t("media.download")}
          title={t("media.download")}
          className="flex size-9 items-center justify-center rounded-lg hover:bg-white/15"
        >
          <Icon name="download" />
        </a>
        <button
          type="button"
          onClick={onClose}
          aria-label={t("common.close")}
          className="flex size-9 items-center justify-center rounded-lg hover:bg-white/15"
        >
          <Icon name="close" />
        </button>
      </div>
      <button
        type="button"
        tabIndex={-1}
        aria-label={t("common.close")}
        onClick={onClose}
        className="relative min-h-0 flex-1 cursor-zoom-out p-4 pt-0 outline-none"
      >
        <img
          key={picture.media_id}
          src={inlineUrl(picture.media_id)}
          alt={picture.name}
          className="fade-in mx-auto h-full w-full object-contain"
          onError={(event) => {
            if (picture.thumbnail) event.currentTarget.src = thumbnailUrl(picture.media_id);
          }}
        />
      </button>
      {index > 0 && <Walk side="left-3" icon="back" label={t("media.previous")} onClick={() => walk(-1)} />}
      {index < total - 1 && (
        <Walk side="right-3" icon="forward" label={t("media.next")} onClick={() => walk(1)} />
      )}
    </Dialog.Content>
  );
}

function Walk({
  side,
  icon,
  label,
  onClick,
}: {
  side: string;
  icon: IconName;
  label: string;
  onClick: () => void;
}) {
  return (
    <button
      type="button"
      onClick={onClick}
      aria-label={label}
      className={`absolute top-1/2 flex size-11 -translate-y-1/2 items-center justify-center rounded-full bg-white/10 hover:bg-white/20 ${side}`}
    >
      <Icon name={icon} className="size-6" />
    </button>
  );
}
