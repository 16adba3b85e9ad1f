/** The bars of a voice note; what was heard is darker, a press anywhere goes there. */
import { useTranslation } from "react-i18next";

interface WaveformProps {
  /** Heights from 0 to 31, at most 100. */
  bars: number[];
  at: number;
  length: number;
  onSeek: (seconds: number) => void;
}

export function Waveform({ bars, at, length, onSeek }: WaveformProps) {
  const { t } = useTranslation();
  const heard = length > 0 ? at / length : 0;
  return (
    <span className="relative flex h-7 w-full items-center gap-px">
      {bars.map((bar, index) => (
        <span
          key={index}
          className={`min-w-0 flex-1 rounded-full ${index / bars.length < heard ? "bg-accent" : "bg-accent/55"}`}
          style={{ height: `${10 + (bar / 31) * 90}%` }}
        />
      ))}
      <input
        type="range"
        min={0}
        max={length || 1}
        step={0.1}
        value={at}
        aria-label={t("media.position")}
        onChange={(event) => onSeek(Number(event.target.value))}
        className="absolute inset-0 h-full w-full cursor-pointer opacity-0"
      />
    </span>
  );
}
