/** The words of a message that are chosen on screen, to be quoted in a reply. */

/** What the server keeps of a quote at the most. */
const LONGEST = 1_024;

/** The chosen words of the message in this row; null: none, or all of them, which a plain reply shows as well. */
export function quoteIn(row: Element | null): string | null {
  const words = row?.querySelector("[data-words]");
  const selection = getSelection();
  if (!words || !selection || selection.isCollapsed || selection.rangeCount === 0) return null;
  const range = selection.getRangeAt(0);
  if (!range.intersectsNode(words)) return null;
  const chosen = document.createRange();
  chosen.selectNodeContents(words);
  const whole = chosen.toString();
  if (range.compareBoundaryPoints(Range.START_TO_START, chosen) > 0)
    chosen.setStart(range.startContainer, range.startOffset);
  if (range.compareBoundaryPoints(Range.END_TO_END, chosen) < 0)
    chosen.setEnd(range.endContainer, range.endOffset);
  const quote = cut(chosen.toString().trim());
  return quote === "" || quote === whole.trim() ? null : quote;
}

/** The beginning that is kept, without half a sign at its end. */
const cut = (words: string): string => words.slice(0, LONGEST).replace(/[\uD800-\uDBFF]$/, "");
