/** One message on screen. */
import { Popover } from "radix-ui";
import { memo, type SyntheticEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Attachment, DeliveryState, Message } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { IconButton } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { Menu, MenuItem, MenuLine } from "@/components/overlays";
import { formatFull, formatTime, hashOf } from "@/lib/format";
import { Attachments } from "./Attachments";
import { DeliveryMark, DeliveryTrouble } from "./Delivery";
import { History } from "./History";
import type { Item } from "./items";
import type { Manner } from "./manner";
import { quoteIn } from "./quoting";
import { ReactionPicker, Reactions } from "./Reactions";
import { RichText } from "./RichText";

export interface BubbleDoings {
  /** `quote`: the words of it that are answered. */
  reply: (message: Message, quote: string | null) => void;
  edit: (message: Message) => void;
  remove: (message: Message) => void;
  jump: (id: string) => void;
  view: (pictures: Attachment[], index: number) => void;
  react: (message: Message, emoji: string, isOn: boolean) => void;
  cancel: (message: Message) => void;
}

interface BubbleProps {
  item: Item;
  isLast: boolean;
  me: string;
  isFlashed: boolean;
  manner: Manner;
  receipt: DeliveryState | null;
  doings: BubbleDoings;
}

export const Bubble = memo(function Bubble(props: BubbleProps) {
  const { item, isLast, me, isFlashed, manner, doings } = props;
  const [isActive, setActive] = useState(false);
  const { message, pending } = item;
  if (message.kind === "system") return <SystemLine item={item} isLast={isLast} />;
  const { isOurs } = item;
  return (
    <div
      data-key={item.key}
      tabIndex={isLast ? 0 : -1}
      className={`flex gap-2 rounded-lg px-4 outline-offset-[-2px] max-md:px-2.5 ${isOurs ? "flex-row-reverse" : ""} ${item.isFirstOfGroup ? "mt-3" : "mt-0.5"} ${isFlashed ? "flash" : ""}`}
      onPointerEnter={() => setActive(true)}
      onPointerLeave={() => setActive(false)}
      onFocus={() => setActive(true)}
      onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && setActive(false)}
    >
      {!isOurs && manner.hasAvatars && (
        <span className="w-7 shrink-0 self-end">
          {item.isLastOfGroup && <Avatar id={message.sender.id} name={message.sender.name} size="sm" />}
        </span>
      )}
      <div
        className={`flex max-w-[min(78%,560px)] min-w-0 flex-col max-md:max-w-[85%] ${isOurs ? "items-end" : "items-start"}`}
      >
        <Body {...props} />
        <DeliveryTrouble message={message} pending={pending} />
      </div>
      {!pending && !message.deleted_at && (
        <Toolbar isActive={isActive} message={message} me={me} manner={manner} doings={doings} />
      )}
    </div>
  );
});

function SystemLine({ item, isLast }: { item: Item; isLast: boolean }) {
  const { message } = item;
  return (
    <p
      data-key={item.key}
      tabIndex={isLast ? 0 : -1}
      className="mx-auto my-3 max-w-[80%] px-4 text-center text-xs text-muted"
    >
      {message.text} <time className="text-faint">{formatTime(message.created_at)}</time>
    </p>
  );
}

function shapeOf(item: Item): string {
  const corner = item.isOurs
    ? item.isLastOfGroup
      ? "rounded-br-md"
      : "rounded-r-md"
    : item.isLastOfGroup
      ? "rounded-bl-md"
      : "rounded-l-md";
  return `rounded-2xl ${corner}`;
}

function Body({ item, me, manner, receipt, doings }: BubbleProps) {
  const { t } = useTranslation();
  const { message, pending, isOurs, isNamed } = item;
  const isNote = message.kind === "note";
  const tone = isNote
    ? "bg-bubble-note ring-1 ring-note-line"
    : isOurs
      ? "bg-bubble-out"
      : "bg-bubble-in shadow-bubble";
  if (message.deleted_at) {
    return (
      <div
        className={`flex items-center gap-2 border border-line px-3 py-1.5 text-sm text-muted italic ${shapeOf(item)}`}
      >
        <Icon name="trash" className="size-4 text-faint" />
        {t("thread.deleted")}
        <Meta item={item} receipt={null} />
      </div>
    );
  }
  const hasText = message.text !== "";
  const isBare =
    !hasText &&
    message.attachments.length > 0 &&
    message.attachments.every(
      (a) => a.kind === "image" || a.kind === "video" || a.kind === "animation" || a.kind === "sticker",
    );
  return (
    <div
      className={`relative max-w-full min-w-0 overflow-hidden ${shapeOf(item)} ${tone} ${pending ? "opacity-75" : ""}`}
    >
      {(isNamed || isNote) && <Heading message={message} me={me} isNote={isNote} />}
      {message.forwarded_from && (
        <p className="flex items-center gap-1.5 px-3 pt-1.5 text-xs text-muted">
          <Icon name="share" className="size-3.5" />
          <span className="min-w-0 truncate">
            {t("chats.forwardedFrom", { name: message.forwarded_from.sender_name })}
          </span>
        </p>
      )}
      {message.reply_to && <Quote reply={message.reply_to} onJump={doings.jump} />}
      {message.attachments.length > 0 && (
        <Attachments attachments={message.attachments} onOpen={doings.view} />
      )}
      {isBare ? (
        <span className="pointer-events-none absolute right-1.5 bottom-1.5 rounded-full bg-black/50 px-2 py-px text-white [&_*]:text-white! [&_button]:pointer-events-auto">
          <Meta item={item} receipt={receipt} />
        </span>
      ) : (
        <div
          className={`px-3 pb-1.5 ${!hasText && message.attachments.length > 0 ? "-mt-3.5" : ""} ${message.attachments.length > 0 || isNote || isNamed || message.reply_to || message.forwarded_from ? "pt-1" : "pt-1.5"}`}
        >
          {hasText && <RichText text={message.text} entities={message.entities} />}
          {!hasText && message.attachments.length === 0 && (
            <span className="text-muted italic">{t("thread.emptyMessage")}</span>
          )}
          <span className="relative float-right mt-[3px] ml-3">
            <Meta item={item} receipt={receipt} />
          </span>
          <span className="clear-both block" />
        </div>
      )}
      {message.reactions.length > 0 && (
        <Reactions message={message} me={me} nameOf={manner.nameOf} onReact={doings.react} />
      )}
    </div>
  );
}

function Heading({ message, me, isNote }: { message: Message; me: string; isNote: boolean }) {
  const { t } = useTranslation();
  const name = message.sender.id === me ? t("common.you") : message.sender.name;
  if (!isNote)
    return (
      <p
        className={`hued-text hue-${hashOf(message.sender.id) % 8} truncate px-3 pt-1.5 text-xs font-semibold`}
      >
        {name}
      </p>
    );
  return (
    <p
      className="flex items-center gap-1.5 px-3 pt-1.5 text-xs font-medium text-note"
      title={t("thread.noteVisible")}
    >
      <Icon name="note" className="size-3.5" />
      {t("thread.note")} · {name}
    </p>
  );
}

function Quote({ reply, onJump }: { reply: NonNullable<Message["reply_to"]>; onJump: (id: string) => void }) {
  return (
    <button
      type="button"
      tabIndex={-1}
      onClick={() => onJump(reply.id)}
      className="mx-2 mt-2 mb-0.5 block max-w-[calc(100%-16px)] rounded-lg border-l-[3px] border-accent bg-accent-soft px-2 py-1 text-left text-xs hover:brightness-105"
    >
      <span className="block truncate font-semibold text-accent-ink">{reply.sender_name}</span>
      <span className="line-clamp-2 text-ink/80">{reply.quote || reply.text || "…"}</span>
    </button>
  );
}

function Meta({ item, receipt }: { item: Item; receipt: DeliveryState | null }) {
  const { t } = useTranslation();
  const { message, pending } = item;
  const [isOpen, setOpen] = useState(false);
  return (
    <span className="inline-flex items-center gap-1 text-2xs text-muted tabular-nums select-none">
      {message.edited_at && !message.deleted_at && (
        <Popover.Root open={isOpen} onOpenChange={setOpen}>
          <Popover.Trigger asChild>
            <button
              type="button"
              tabIndex={-1}
              className="rounded hover:text-ink hover:underline"
              title={t("thread.history")}
            >
              {t("thread.edited")}
            </button>
          </Popover.Trigger>
          <Popover.Portal>
            <Popover.Content
              side="top"
              sideOffset={6}
              collisionPadding={12}
              aria-label={t("thread.history")}
              className="pop-in z-50 max-h-80 w-80 overflow-y-auto rounded-xl bg-raised p-1.5 shadow-pop outline-none"
            >
              {isOpen && <History message={message} />}
            </Popover.Content>
          </Popover.Portal>
        </Popover.Root>
      )}
      <time dateTime={message.created_at} title={formatFull(message.created_at)}>
        {formatTime(message.created_at)}
      </time>
      <DeliveryMark message={message} pending={pending} receipt={receipt} />
    </span>
  );
}

function Toolbar({
  isActive,
  message,
  me,
  manner,
  doings,
}: {
  isActive: boolean;
  message: Message;
  me: string;
  manner: Manner;
  doings: BubbleDoings;
}) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  const [isMore, setMore] = useState(false);
  /** As they were chosen when a button was pressed: that may end their being chosen. */
  const quote = useRef<string | null>(null);
  if (!isActive && !isOpen)
    return <span className="w-15 shrink-0 max-md:w-7 pointer-coarse:w-20 pointer-coarse:max-md:w-10" />;
  const { can } = manner;
  const canReply = can.reply(message);
  const noteQuote = ({ currentTarget, target }: SyntheticEvent) => {
    // What happens in the menu comes here, too, though it stands elsewhere.
    if (currentTarget.contains(target as Node)) quote.current = quoteIn(currentTarget.closest("[data-key]"));
  };
  const reply = () => doings.reply(message, quote.current);
  const copyText = () => void navigator.clipboard.writeText(message.text);
  return (
    <span
      className="flex w-15 shrink-0 items-center max-md:w-7 pointer-coarse:w-20 pointer-coarse:max-md:w-10"
      onPointerDownCapture={noteQuote}
      onKeyDownCapture={noteQuote}
    >
      {canReply && (
        <IconButton
          icon="reply"
          label={t("thread.reply")}
          tabIndex={-1}
          className="size-7 max-md:hidden pointer-coarse:-my-2"
          onClick={reply}
        />
      )}
      <Menu
        onOpenChange={(open) => {
          setOpen(open);
          setMore(false);
        }}
        trigger={
          <IconButton
            icon="more"
            label={t("thread.messageMenu")}
            tabIndex={-1}
            data-message-menu=""
            className="size-7 pointer-coarse:-my-2"
          />
        }
      >
        <ReactionPicker
          message={message}
          me={me}
          label={manner.reactText}
          isMore={isMore}
          onMore={() => setMore(true)}
          onReact={doings.react}
        />
        {!isMore && (
          <>
            <MenuLine />
            {canReply && (
              <MenuItem icon="reply" onSelect={reply}>
                {t("thread.reply")}
              </MenuItem>
            )}
            {message.text && (
              <MenuItem icon="copy" onSelect={copyText}>
                {t("thread.copyText")}
              </MenuItem>
            )}
            {can.edit(message) && (
              <MenuItem icon="edit" onSelect={() => doings.edit(message)}>
                {t("thread.edit")}
              </MenuItem>
            )}
            {isOpen &&
              manner.extras(message).map((extra) => (
                <MenuItem key={extra.name} icon={extra.icon} onSelect={extra.run}>
                  {extra.label}
                </MenuItem>
              ))}
            {message.status?.state === "queued" && (
              <MenuItem icon="close" onSelect={() => doings.cancel(message)}>
                {t("delivery.cancel")}
              </MenuItem>
            )}
            {(can.delete(message) || can.hide(message)) && (
              <>
                <MenuLine />
                <MenuItem icon="trash" isDanger onSelect={() => doings.remove(message)}>
                  {t("common.delete")}
                </MenuItem>
              </>
            )}
          </>
        )}
      </Menu>
    </span>
  );
}
