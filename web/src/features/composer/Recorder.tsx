/** Recording a voice note: a bar in the place of the field, with the time and the level; sent at a press. */
import { useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { uploadFile } from "@/api/media";
import type { Media } from "@/api/types";
import { IconButton, Spinner } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { showToast } from "@/components/overlays";
import { errorText } from "@/lib/errors";
import { formatDuration } from "@/lib/format";

const LONGEST_SECONDS = 15 * 60;
/** In the order of preference; what a browser records differs. */
const TYPES = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];

export const canRecord = (): boolean =>
  "MediaRecorder" in window && Boolean(navigator.mediaDevices?.getUserMedia);

interface RecorderProps {
  onDone: () => void;
  onSend: (media: Media) => void;
}

export function Recorder({ onDone, onSend }: RecorderProps) {
  const { t } = useTranslation();
  const [seconds, setSeconds] = useState(0);
  const [isSending, setSending] = useState(false);
  const level = useRef<HTMLSpanElement>(null);
  const recording = useRecording(level, onDone);
  const { startedAt } = recording;
  useEffect(() => {
    if (startedAt === null) return;
    const timer = setInterval(() => setSeconds(Math.floor((Date.now() - startedAt) / 1_000)), 250);
    return () => clearInterval(timer);
  }, [startedAt]);
  const { finish } = recording;
  const send = useCallback(async () => {
    // While the microphone is still being asked for there is nothing to send.
    if (startedAt === null) return;
    setSending(true);
    try {
      const file = await finish();
      if (file) onSend(await uploadFile(file, () => undefined, new AbortController().signal, "voice"));
      onDone();
    } catch (error) {
      showToast(errorText(error, t), { isBad: true });
      setSending(false);
    }
  }, [startedAt, finish, onSend, onDone, t]);
  useEffect(() => {
    if (seconds >= LONGEST_SECONDS) void send();
  }, [seconds, send]);
  return (
    <div
      role="group"
      aria-label={t("composer.recording")}
      className="rise-in flex h-13 items-center gap-2 rounded-2xl border border-line-strong bg-surface px-2"
      onKeyDown={(event) => event.key === "Escape" && onDone()}
    >
      <IconButton icon="trash" label={t("composer.dropRecording")} onClick={onDone} />
      <span className="relative ml-1 flex size-4 items-center justify-center">
        <span ref={level} className="absolute size-2.5 rounded-full bg-bad/40" />
        <span className="size-2.5 rounded-full bg-bad" />
      </span>
      <span role="timer" className="text-sm tabular-nums">
        {formatDuration(seconds)}
      </span>
      <span className="flex-1 truncate text-sm text-muted">{t("composer.recording")}</span>
      <button
        type="button"
        autoFocus
        aria-disabled={startedAt === null}
        disabled={isSending}
        onClick={() => void send()}
        aria-label={t("composer.send")}
        className="flex h-8 w-9 items-center justify-center rounded-lg bg-accent text-on-accent hover:brightness-110"
      >
        {isSending ? <Spinner /> : <Icon name="send" />}
      </button>
    </div>
  );
}

/** Records as soon as it may, and tells since when; the microphone is let go at the end, whatever it is. */
function useRecording(level: React.RefObject<HTMLSpanElement | null>, onFailed: () => void) {
  const { t } = useTranslation();
  const recorder = useRef<MediaRecorder | null>(null);
  const pieces = useRef<Blob[]>([]);
  const [startedAt, setStartedAt] = useState<number | null>(null);
  const failed = useRef(onFailed);
  failed.current = onFailed;
  useEffect(() => {
    let isOver = false;
    let stop: () => void = () => {};
    pieces.current = [];
    navigator.mediaDevices
      .getUserMedia({ audio: true })
      .then((stream) => {
        const release = () => {
          for (const track of stream.getTracks()) track.stop();
        };
        if (isOver) return release();
        const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
        const made = new MediaRecorder(stream, mimeType ? { mimeType } : {});
        made.ondataavailable = (event) => event.data.size > 0 && pieces.current.push(event.data);
        made.onstart = () => setStartedAt(Date.now());
        made.start(500);
        recorder.current = made;
        const quiet = showLevel(stream, level);
        stop = () => {
          quiet();
          release();
        };
      })
      .catch(() => {
        if (isOver) return;
        showToast(t("composer.noMicrophone"), { isBad: true });
        failed.current();
      });
    return () => {
      isOver = true;
      if (recorder.current?.state === "recording") recorder.current.stop();
      recorder.current = null;
      stop();
    };
  }, [level, t]);
  const finish = useCallback(async (): Promise<File | null> => {
    const made = recorder.current;
    if (!made) return null;
    if (made.state === "recording") {
      await new Promise((resolve) => {
        made.addEventListener("stop", resolve, { once: true });
        made.stop();
      });
    }
    const type = made.mimeType.split(";")[0] || "audio/webm";
    return new File(pieces.current, `voice.${type.split("/")[1]}`, { type });
  }, []);
  return { startedAt, finish };
}

/** The dot grows with the voice; returns how to end that. */
function showLevel(stream: MediaStream, level: React.RefObject<HTMLSpanElement | null>): () => void {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 256;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Uint8Array(analyser.fftSize);
  let frame = 0;
  const draw = () => {
    analyser.getByteTimeDomainData(samples);
    const peak = Math.max(...samples.map((one) => Math.abs(one - 128))) / 128;
    if (level.current) level.current.style.transform = `scale(${1 + peak * 2})`;
    frame = requestAnimationFrame(draw);
  };
  draw();
  return () => {
    cancelAnimationFrame(frame);
    void context.close();
  };
}
