// How many columns of a terminal a text takes.

const segmenter = new Intl.Segmenter();

/** Characters that take two columns: East Asian Wide and Fullwidth (Unicode TR 11), and emoji. */
const wideRanges =
  "\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\ua4cf\\ua960-\\ua97f\\uac00-\\ud7a3\\uf900-\\ufaff" +
  "\\ufe30-\\ufe6f\\uff00-\\uff60\\uffe0-\\uffe6\\u{1f200}-\\u{1f2ff}\\u{20000}-\\u{3fffd}";
const wide = new RegExp(`^(?:[${wideRanges}]|\\p{Emoji_Presentation}|\\p{Emoji}\\ufe0f)`, "u");
/** Clusters of which nothing is seen. */
const invisible = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]+$/u;
const plain = /^[\x20-\x7e]*$/;

function clusterWidth(cluster: string): number {
  if (invisible.test(cluster)) return 0;
  return wide.test(cluster) ? 2 : 1;
}

/** Columns of `text`, which has no line breaks and no escape sequences. */
export function textWidth(text: string): number {
  if (plain.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += clusterWidth(segment);
  return width;
}

/** `text` in at most `widthMax` columns; where some of it had to go, it ends with `…`. */
export function cutText(text: string, widthMax: number): string {
  // A text has no more columns than twice its units, so most need no measuring.
  if (text.length * 2 <= widthMax || textWidth(text) <= widthMax) return text;
  let width = 0;
  let end = 0;
  for (const { segment, index } of segmenter.segment(text)) {
    width += clusterWidth(segment);
    if (width > widthMax - 1) break;
    end = index + segment.length;
  }
  return `${text.slice(0, end)}…`;
}

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** On one line, and without what a terminal would obey: control characters are shown as they are written in JSON. */
export function visibleText(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (one) => escapes[one] ?? `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
