/** Moments a conversation is usually put off to. Mornings begin at nine. */
const MORNING = 9;

export interface SnoozePreset {
  name: "laterToday" | "tomorrow" | "nextWeek" | "inWeek";
  until: Date;
}

function morning(now: Date, daysAhead: number): Date {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + daysAhead, MORNING);
}

export function snoozePresets(now: Date): SnoozePreset[] {
  const later = new Date(now.getTime() + 3 * 3_600_000);
  later.setMinutes(0, 0, 0);
  const daysToMonday = (8 - now.getDay()) % 7 || 7;
  const presets: SnoozePreset[] = [
    { name: "laterToday", until: later },
    { name: "tomorrow", until: morning(now, 1) },
    { name: "nextWeek", until: morning(now, daysToMonday) },
    { name: "inWeek", until: morning(now, 7) },
  ];
  return presets
    .filter((preset) => preset.name !== "laterToday" || later.getDate() === now.getDate())
    .filter(
      (preset, index, all) =>
        all.findIndex((other) => other.until.getTime() === preset.until.getTime()) === index,
    );
}
