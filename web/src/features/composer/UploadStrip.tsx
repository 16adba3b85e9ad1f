import { useTranslation } from "react-i18next";
import { IconButton } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { formatBytes } from "@/lib/format";
import type { Upload } from "./uploads";

interface UploadStripProps {
  uploads: Upload[];
  onRemove: (id: string) => void;
  onRetry: (upload: Upload) => void;
}

export function UploadStrip({ uploads, onRemove, onRetry }: UploadStripProps) {
  return (
    <ul className="flex gap-2 overflow-x-auto px-3 pt-3">
      {uploads.map((upload) => (
        <li key={upload.id} className="rise-in relative shrink-0">
          {upload.preview ? <Thumb upload={upload} /> : <FileChip upload={upload} />}
          <Controls upload={upload} onRemove={onRemove} onRetry={onRetry} />
        </li>
      ))}
    </ul>
  );
}

function Thumb({ upload }: { upload: Upload }) {
  return (
    <img
      src={upload.preview ?? ""}
      alt={upload.file.name}
      className={`size-16 rounded-xl object-cover ${upload.media ? "" : "opacity-60"}`}
    />
  );
}

function FileChip({ upload }: { upload: Upload }) {
  return (
    <div className="flex h-16 w-52 items-center gap-2.5 rounded-xl bg-hover py-2 pr-8 pl-2.5">
      <span className="flex size-9 shrink-0 items-center justify-center rounded-lg bg-accent-soft text-accent-ink">
        <Icon name="file" />
      </span>
      <span className="min-w-0">
        <span className="block truncate text-sm font-medium">{upload.file.name}</span>
        <span className="block text-xs text-muted">{formatBytes(upload.file.size)}</span>
      </span>
    </div>
  );
}

function Controls({
  upload,
  onRemove,
  onRetry,
}: {
  upload: Upload;
  onRemove: (id: string) => void;
  onRetry: (upload: Upload) => void;
}) {
  const { t } = useTranslation();
  const percent = Math.round(upload.share * 100);
  return (
    <>
      {!upload.media && !upload.error && (
        <progress
          value={percent}
          max={100}
          aria-label={t("composer.uploading", { percent })}
          className="absolute inset-x-1.5 bottom-1.5 h-1 w-[calc(100%-12px)] appearance-none overflow-hidden rounded-full bg-black/20 [&::-webkit-progress-bar]:bg-black/20 [&::-webkit-progress-value]:bg-accent [&::-moz-progress-bar]:bg-accent"
        />
      )}
      {upload.error && (
        <button
          type="button"
          onClick={() => onRetry(upload)}
          title={upload.error}
          className="absolute inset-0 flex flex-col items-center justify-center gap-0.5 rounded-xl bg-[color-mix(in_srgb,var(--surface)_82%,transparent)] text-2xs font-medium text-bad"
        >
          <Icon name="reopen" className="size-4" />
          {t("composer.uploadFailed")}
        </button>
      )}
      <IconButton
        icon="close"
        label={t("composer.removeFile", { name: upload.file.name })}
        onClick={() => onRemove(upload.id)}
        className="absolute -top-1.5 -right-1.5 size-6 rounded-full! bg-raised! shadow-pop pointer-coarse:min-h-7! pointer-coarse:min-w-7! pointer-coarse:after:absolute pointer-coarse:after:-inset-1.5"
      />
    </>
  );
}
