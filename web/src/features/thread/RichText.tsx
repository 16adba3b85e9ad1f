/** Text with its entities as React elements; nothing is ever parsed as HTML. */
import { Fragment, memo, type ReactNode, useState } from "react";
import type { Entity } from "@/api/types";
import { cutText, isFewEmoji, type Piece } from "@/lib/richtext";

const LINK = "text-accent-ink underline decoration-current/30 underline-offset-2 hover:decoration-current";

const CALL = "rounded bg-accent-soft px-0.5 font-medium text-accent-ink";

export const RichText = memo(function RichText({ text, entities }: { text: string; entities: Entity[] }) {
  const isLarge = entities.length === 0 && isFewEmoji(text);
  return (
    <span
      dir="auto"
      data-words=""
      className={`[unicode-bidi:plaintext] break-words whitespace-pre-wrap [overflow-wrap:anywhere] ${isLarge ? "text-3xl leading-tight" : ""}`}
    >
      {cutText(text, entities).map((piece, index) => (
        <Fragment key={index}>{renderPiece(piece)}</Fragment>
      ))}
    </span>
  );
});

function renderPiece(piece: Piece): ReactNode {
  let node: ReactNode = piece.text;
  for (const mark of piece.marks) node = wrap(node, mark);
  if (!piece.href) return node;
  return (
    <a href={piece.href} target="_blank" rel="noopener noreferrer nofollow" className={LINK}>
      {node}
    </a>
  );
}

function wrap(node: ReactNode, mark: Entity): ReactNode {
  switch (mark.kind) {
    case "bold":
      return <strong className="font-semibold">{node}</strong>;
    case "italic":
      return <em>{node}</em>;
    case "underline":
      return <u>{node}</u>;
    case "strikethrough":
      return <s>{node}</s>;
    case "code":
      return <code className="rounded bg-hover px-1 py-px font-mono text-[0.92em]">{node}</code>;
    case "pre":
      return (
        <code className="my-1 block overflow-x-auto rounded-lg bg-hover px-2.5 py-2 font-mono text-[0.92em] whitespace-pre">
          {node}
        </code>
      );
    case "blockquote":
      return <span className="my-1 block border-l-2 border-accent pl-2 text-muted">{node}</span>;
    case "spoiler":
      return <Spoiler>{node}</Spoiler>;
    case "mention":
    case "mention_all":
      return (
        <span className={mark.actor_id || mark.kind === "mention_all" ? CALL : "text-accent-ink"}>
          {node}
        </span>
      );
    case "hashtag":
    case "command":
      return <span className="text-accent-ink">{node}</span>;
    default:
      return node;
  }
}

function Spoiler({ children }: { children: ReactNode }) {
  const [isShown, setShown] = useState(false);
  if (isShown) return <span className="rounded bg-hover">{children}</span>;
  return (
    <button type="button" onClick={() => setShown(true)} className="rounded bg-current/25 text-left">
      <span className="opacity-0">{children}</span>
    </button>
  );
}
