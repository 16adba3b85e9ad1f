/** Cuts a text with entities into pieces that carry their marks. Text stays text: no HTML is ever made of it. */
import type { Entity } from "@/api/types";

export interface Piece {
  text: string;
  marks: Entity[];
  /** Address to open, checked; null for plain text. */
  href: string | null;
}

const ADDRESS = /https?:\/\/[^\s<>"'«»]+[^\s<>"'«».,;:!?)\]}]/gi;
const SAFE_PROTOCOLS = new Set(["http:", "https:", "mailto:", "tel:", "tg:"]);

/** The address when it is safe to open, else null: no `javascript:`, no `data:`. */
export function safeHref(address: string): string | null {
  try {
    const url = new URL(/^[a-z][a-z0-9+.-]*:/i.test(address) ? address : `https://${address}`);
    return SAFE_PROTOCOLS.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export function cutText(text: string, given: Entity[]): Piece[] {
  const entities = [
    ...given.filter((e) => e.length > 0 && e.offset < text.length),
    ...findAddresses(text, given),
  ];
  const edges = new Set([0, text.length]);
  for (const { offset, length } of entities) {
    edges.add(Math.max(0, offset));
    edges.add(Math.min(text.length, offset + length));
  }
  const sorted = [...edges].sort((a, b) => a - b);
  const pieces: Piece[] = [];
  for (let i = 0; i + 1 < sorted.length; i += 1) {
    const from = sorted[i] as number;
    const to = sorted[i + 1] as number;
    const marks = entities.filter((e) => e.offset <= from && e.offset + e.length >= to);
    pieces.push({ text: text.slice(from, to), marks, href: hrefOf(text, marks) });
  }
  return pieces;
}

function findAddresses(text: string, given: Entity[]): Entity[] {
  const covered = given.filter((e) => ["link", "url", "code", "pre", "email"].includes(e.kind));
  return [...text.matchAll(ADDRESS)]
    .map((match) => ({ kind: "url", offset: match.index, length: match[0].length }))
    .filter(
      (found) =>
        !covered.some((e) => e.offset < found.offset + found.length && found.offset < e.offset + e.length),
    );
}

function hrefOf(text: string, marks: Entity[]): string | null {
  for (const mark of marks) {
    const words = text.slice(mark.offset, mark.offset + mark.length);
    if (mark.kind === "link" && mark.url) return safeHref(mark.url);
    if (mark.kind === "url") return safeHref(words);
    if (mark.kind === "email") return safeHref(`mailto:${words}`);
    if (mark.kind === "phone") return safeHref(`tel:${words.replace(/[^\d+]/g, "")}`);
  }
  return null;
}

/** Found in the words by whoever shows them: they do not outlive a change of those words. */
const FOUND = new Set(["url", "email", "phone", "mention", "hashtag", "cashtag", "bot_command"]);

/**
 * Entities of a text after it was edited: what the change did not touch keeps its marks, moved along; a mark around
 * the change grows or shrinks with it; one that the change cuts keeps its untouched part.
 */
export function moveEntities(entities: Entity[], before: string, after: string): Entity[] {
  let start = 0;
  const most = Math.min(before.length, after.length);
  while (start < most && before[start] === after[start]) start += 1;
  let tail = 0;
  while (tail < most - start && before[before.length - 1 - tail] === after[after.length - 1 - tail])
    tail += 1;
  // Neither edge may cut a pair of units that is one sign.
  if (/[\uD800-\uDBFF]/.test(before[start - 1] ?? "")) start -= 1;
  if (/[\uDC00-\uDFFF]/.test(before[before.length - tail] ?? "")) tail -= 1;
  const end = before.length - tail;
  const shift = after.length - before.length;
  const moved: Entity[] = [];
  for (const entity of entities) {
    const last = entity.offset + entity.length;
    if (last <= start) moved.push(entity);
    else if (entity.offset >= end) moved.push({ ...entity, offset: entity.offset + shift });
    else if (FOUND.has(entity.kind)) continue;
    else if (entity.offset <= start && last >= end) moved.push({ ...entity, length: entity.length + shift });
    else if (entity.offset < start) moved.push({ ...entity, length: start - entity.offset });
    else if (last > end) moved.push({ ...entity, offset: end + shift, length: last - end });
  }
  return moved.filter((entity) => entity.length > 0);
}

const ONE = "\\p{Extended_Pictographic}[\\uFE0F\\u{1F3FB}-\\u{1F3FF}]?";
const FEW_EMOJI = new RegExp(`^(?:(?:${ONE}(?:\\u200D${ONE})*|\\p{Regional_Indicator}{2})\\s*){1,3}$`, "u");

/** One to three emoji and nothing else: shown large. */
export const isFewEmoji = (text: string): boolean => FEW_EMOJI.test(text);
