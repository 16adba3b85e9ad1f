/** Files on their way up while the message is still being written. */
import { useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { uploadFile } from "@/api/media";
import type { Features, Media } from "@/api/types";
import { showToast } from "@/components/overlays";
import { errorText } from "@/lib/errors";
import { formatBytes } from "@/lib/format";

export interface Upload {
  id: string;
  file: File;
  /** A picture to look at meanwhile. */
  preview: string | null;
  share: number;
  media: Media | null;
  error: string | null;
}

export function useUploads(features: Features | undefined) {
  const { t } = useTranslation();
  const [uploads, setUploads] = useState<Upload[]>([]);
  const running = useRef(new Map<string, AbortController>());
  const previews = useRef(new Set<string>());

  const change = useCallback((id: string, patch: Partial<Upload>) => {
    setUploads((all) => all.map((one) => (one.id === id ? { ...one, ...patch } : one)));
  }, []);

  const start = useCallback(
    async (upload: Upload) => {
      const controller = new AbortController();
      running.current.set(upload.id, controller);
      change(upload.id, { error: null, share: 0 });
      try {
        const media = await uploadFile(
          upload.file,
          (share) => change(upload.id, { share }),
          controller.signal,
        );
        change(upload.id, { media, share: 1 });
      } catch (error) {
        if (!controller.signal.aborted) change(upload.id, { error: errorText(error, t) });
      } finally {
        running.current.delete(upload.id);
      }
    },
    [change, t],
  );

  const add = useCallback(
    (files: Iterable<File>) => {
      const limit = features?.upload_limit_bytes ?? Number.POSITIVE_INFINITY;
      const most = features?.album_limit ?? 10;
      const accepted: Upload[] = [];
      for (const file of files) {
        if (file.size > limit) {
          showToast(t("composer.tooLarge", { name: file.name, limit: formatBytes(limit) }), { isBad: true });
        } else if (uploads.length + accepted.length >= most) {
          showToast(t("composer.tooMany", { count: most }), { isBad: true });
          break;
        } else {
          const preview = file.type.startsWith("image/") ? URL.createObjectURL(file) : null;
          if (preview) previews.current.add(preview);
          accepted.push({ id: crypto.randomUUID(), file, preview, share: 0, media: null, error: null });
        }
      }
      setUploads((all) => [...all, ...accepted]);
      for (const upload of accepted) void start(upload);
    },
    [features, uploads.length, start, t],
  );

  const remove = useCallback((id: string) => {
    running.current.get(id)?.abort();
    setUploads((all) => all.filter((one) => one.id !== id));
  }, []);

  const clear = useCallback(() => setUploads([]), []);

  useEffect(() => {
    const { current: controllers } = running;
    const { current: made } = previews;
    return () => {
      for (const controller of controllers.values()) controller.abort();
      for (const preview of made) URL.revokeObjectURL(preview);
    };
  }, []);

  return {
    uploads,
    add,
    remove,
    clear,
    retry: (upload: Upload) => void start(upload),
    isBusy: uploads.some((one) => !one.media && !one.error),
    hasFailed: uploads.some((one) => one.error),
  };
}
