/** A number exactly (i64 as bigint, f64 as number), a text, or a boolean. */
export type ZoneValue = bigint | number | string | boolean;

/**
 * Bounds of a column's values, both ends included. Of texts, ordered by their UTF-8 bytes, they may be wider
 * than the values: at most 64 bytes are kept, and a cut upper bound is rounded up.
 */
export interface Zone {
  readonly min: ZoneValue;
  readonly max: ZoneValue;
}

const TEXT_BYTES_MAX = 64;
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Where to cut UTF-8 so that at most TEXT_BYTES_MAX bytes and only whole characters stay. */
function cutLength(bytes: Uint8Array): number {
  if (bytes.length <= TEXT_BYTES_MAX) return bytes.length;
  let length = TEXT_BYTES_MAX;
  while (length > 0 && ((bytes[length] as number) & 0xc0) === 0x80) length--;
  return length;
}

/** The zone of texts from the smallest and the largest one, as UTF-8; null when no upper bound is short. */
export function textZone(min: Uint8Array, max: Uint8Array): Zone | null {
  const low = decoder.decode(min.subarray(0, cutLength(min)));
  const length = cutLength(max);
  const kept = decoder.decode(max.subarray(0, length));
  const high = length === max.length ? kept : successor(kept);
  return high === null ? null : { min: low, max: high };
}

/** A text above every text that begins with this one: the last character that has a next one is raised. */
function successor(text: string): string | null {
  const characters = [...text];
  for (let last = characters.pop(); last !== undefined; last = characters.pop()) {
    const point = last.codePointAt(0) as number;
    if (point === 0x10ffff) continue;
    // UTF-8 has no surrogates: after U+D7FF comes U+E000. The byte order is that of the code points.
    const next = String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1);
    const raised = characters.join("") + next;
    if (Buffer.byteLength(raised) <= TEXT_BYTES_MAX) return raised;
  }
  return null;
}
