import { DropdownMenu } from "radix-ui";

const EMOJI = Array.from(
  "🙂😀😂😊😍🤔😅😉😎😢😭😡🤝👍👎👌🙏👏💪👋🎉🔥✅❌❗❓⭐💡📦🚚💳📎📷🕐❤️".matchAll(
    /\p{Emoji_Presentation}|\p{Emoji}\uFE0F/gu,
  ),
  (m) => m[0],
);

/** The few dozen that a desk uses; the system's own panel has the rest. */
export function EmojiPicker({ onPick }: { onPick: (emoji: string) => void }) {
  return (
    <div className="grid grid-cols-7 gap-0.5 p-1">
      {EMOJI.map((emoji) => (
        <DropdownMenu.Item
          key={emoji}
          onSelect={() => onPick(emoji)}
          className="flex size-9 items-center justify-center rounded-lg text-[20px] outline-none data-highlighted:bg-selected data-highlighted:ring-1 data-highlighted:ring-accent/50 pointer-coarse:size-10"
        >
          {emoji}
        </DropdownMenu.Item>
      ))}
    </div>
  );
}
