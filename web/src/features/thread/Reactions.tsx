/** Reactions below a message, and the picker of its menu. Among members: no channel is told of a reaction. */
import { DropdownMenu } from "radix-ui";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { useNames } from "@/api/hooks";
import type { Message } from "@/api/types";
import { EmojiPicker } from "@/components/EmojiPicker";
import { Icon } from "@/components/Icon";
import { MenuLabel } from "@/components/overlays";

/** Of those who reacted alike, as many are named. */
const NAMED = 50;
const OFFERED = ["👍", "❤️", "🔥", "😂", "👀", "✅"];

interface ReactionProps {
  message: Message;
  me: string;
  onReact: (message: Message, emoji: string, isOn: boolean) => void;
}

const isMine = (message: Message, emoji: string, me: string): boolean =>
  message.reactions.some((one) => one.emoji === emoji && one.actor_ids.includes(me));

export function Reactions({
  message,
  me,
  nameOf,
  onReact,
}: ReactionProps & { nameOf: (actor: string) => string | undefined }) {
  const { t } = useTranslation();
  const told = (id: string) =>
    id === me
      ? t("common.you")
      : (nameOf(id) ?? (message.sender.id === id ? message.sender.name : undefined));
  const called = useNames(
    message.reactions.flatMap((one) => one.actor_ids.slice(0, NAMED)),
    told,
  );
  return (
    <p className="flex flex-wrap gap-1 px-2.5 pb-2">
      {message.reactions.map(({ emoji, actor_ids }) => {
        const isOn = actor_ids.includes(me);
        const names = actor_ids.slice(0, NAMED).map(called).filter(Boolean).join(", ");
        return (
          <button
            key={emoji}
            type="button"
            aria-pressed={isOn}
            aria-label={t("thread.reacted", { emoji, names })}
            title={names}
            onClick={() => onReact(message, emoji, !isOn)}
            className={`relative inline-flex h-6 items-center gap-1 rounded-full px-2 text-xs pointer-coarse:h-8 pointer-coarse:px-2.5 pointer-coarse:after:absolute pointer-coarse:after:-inset-y-1 pointer-coarse:after:inset-x-0 ${isOn ? "bg-accent-soft text-accent-ink ring-1 ring-accent/40" : "bg-hover text-muted hover:text-ink"}`}
          >
            {emoji}
            {actor_ids.length > 1 && <span className="tabular-nums">{actor_ids.length}</span>}
          </button>
        );
      })}
    </p>
  );
}

interface ReactionPickerProps extends ReactionProps {
  label: string;
  /** All emoji are on offer, not only those that are often meant. */
  isMore: boolean;
  onMore: () => void;
}

export function ReactionPicker({ message, me, label, isMore, onMore, onReact }: ReactionPickerProps) {
  const { t } = useTranslation();
  const more = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (isMore) more.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
  }, [isMore]);
  const react = (emoji: string) => onReact(message, emoji, !isMine(message, emoji, me));
  return (
    <>
      <MenuLabel>{label}</MenuLabel>
      <div className="flex gap-0.5 px-1 pb-0.5">
        {OFFERED.map((emoji) => {
          const isOn = isMine(message, emoji, me);
          return (
            <DropdownMenu.CheckboxItem
              key={emoji}
              checked={isOn}
              onSelect={() => react(emoji)}
              className={`flex size-9 items-center justify-center rounded-lg text-[19px] outline-none data-highlighted:bg-selected data-highlighted:ring-1 data-highlighted:ring-accent/50 pointer-coarse:size-10 ${isOn ? "bg-accent-soft" : ""}`}
            >
              {emoji}
            </DropdownMenu.CheckboxItem>
          );
        })}
        {!isMore && (
          <DropdownMenu.Item
            aria-label={t("thread.moreReactions")}
            title={t("thread.moreReactions")}
            onSelect={(event) => {
              event.preventDefault();
              onMore();
            }}
            className="flex size-9 items-center justify-center rounded-lg text-muted outline-none data-highlighted:bg-selected data-highlighted:ring-1 data-highlighted:ring-accent/50 pointer-coarse:size-10"
          >
            <Icon name="smile" />
          </DropdownMenu.Item>
        )}
      </div>
      {isMore && (
        <div ref={more}>
          <EmojiPicker onPick={react} />
        </div>
      )}
    </>
  );
}
