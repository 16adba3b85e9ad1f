/** Upload with progress and cancel (fetch tells no upload progress), and the addresses of pictures and files. */
import { ApiError, parseError, withQuery } from "./http";
import { currentToken, refreshSession } from "./session";
import type { Media } from "./types";

export const thumbnailUrl = (media: string): string => `/v1/media/${media}/thumbnail`;
export const contentUrl = (media: string): string => `/v1/media/${media}/content`;
export const inlineUrl = (media: string): string => `/v1/media/${media}/content?inline=1`;

export async function uploadFile(
  file: File,
  onProgress: (share: number) => void,
  signal: AbortSignal,
  kind?: "voice",
): Promise<Media> {
  try {
    return await put(file, onProgress, signal, kind);
  } catch (error) {
    const isExpired = error instanceof ApiError && error.status === 401;
    if (isExpired && (await refreshSession())) return put(file, onProgress, signal, kind);
    throw error;
  }
}

function put(
  file: File,
  onProgress: (share: number) => void,
  signal: AbortSignal,
  kind?: "voice",
): Promise<Media> {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", withQuery("/v1/media", { name: file.name, kind }));
    call.setRequestHeader("Authorization", `Bearer ${currentToken() ?? ""}`);
    call.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    call.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    call.onload = () => {
      if (call.status >= 200 && call.status < 300) resolve(JSON.parse(call.responseText) as Media);
      else reject(parseError(call.status, call.responseText));
    };
    call.onerror = () => reject(new ApiError(0, "network", ""));
    call.onabort = () => reject(new DOMException("Aborted", "AbortError"));
    signal.addEventListener("abort", () => call.abort(), { once: true });
    call.send(file);
  });
}
