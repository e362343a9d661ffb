// Plain twins of the leaf kernels: slow, obvious, and written without looking at the kernels' tricks.

/** CRC-32C bit by bit. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

const numberGrammar = /^-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/;

export type ParsedNumber =
  | { kind: "i64"; value: bigint; length: number }
  | { kind: "f64"; value: number; length: number }
  | { kind: "not finite"; length: number };

/** The number that `text` begins with, or undefined when it begins with none. */
export function parseNumber(text: string): ParsedNumber | undefined {
  const match = numberGrammar.exec(text);
  if (match === null) return undefined;
  const literal = match[0];
  const length = literal.length;
  const rest = text.slice(length);
  // A longer attempt that the grammar has begun and not finished is malformed, not a shorter number.
  if (
    /^\.|^[eE]/.test(rest) &&
    !(match[2] !== undefined || (match[1] !== undefined && rest[0] === "."))
  )
    return undefined;
  if (/^-?0$/.test(literal) && /^[0-9]/.test(rest)) return undefined;
  if (match[1] === undefined && match[2] === undefined && literal !== "-0") {
    const value = BigInt(literal);
    if (value === BigInt.asIntN(64, value)) return { kind: "i64", value, length };
  }
  const value = Number(literal);
  return Number.isFinite(value) ? { kind: "f64", value, length } : { kind: "not finite", length };
}

/** Offset of the first byte of the first sequence that is not UTF-8 (Unicode 16, table 3-7), or the length. */
export function firstInvalidUtf8(bytes: Uint8Array): number {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let i = 0; i < bytes.length; ) {
    let size = 1;
    for (; size <= 4; size++) {
      try {
        if (decoder.decode(bytes.subarray(i, i + size)) !== "" || bytes[i] === 0xef) break;
      } catch {
        // One more byte may complete it.
      }
    }
    if (size > 4 || i + size > bytes.length) return i;
    i += size;
  }
  return bytes.length;
}

export const timestampError = { malformed: 0n, noZone: 1n, outOfRange: 2n } as const;
const errorBase = -(2n ** 63n);
const earliestUs = BigInt(Date.UTC(2001, 0, 1)) * 1000n - 63_113_904_000_000_000n;
const endUs = BigInt(Date.UTC(9999, 11, 31)) * 1000n + 86_400_000_000n;

function ranged(timeUs: bigint): bigint {
  return timeUs < earliestUs || timeUs >= endUs ? errorBase + timestampError.outOfRange : timeUs;
}

/** RFC 3339 text to µs, or i64's minimum plus an error code. */
export function parseTimestamp(text: string): bigint {
  const match =
    /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?$/.exec(text);
  if (match === null) return errorBase;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  if (day < 1 || day > days || hour > 23 || minute > 59 || second > 60) return errorBase;
  const zone = match[8];
  if (zone === undefined) return errorBase + timestampError.noZone;
  let offset = 0;
  if (zone.length > 1) {
    const hours = Number(zone.slice(1, 3));
    const minutes = Number(zone.slice(4));
    if (hours > 23 || minutes > 59) return errorBase;
    offset = (hours * 60 + minutes) * (zone[0] === "-" ? -1 : 1);
  }
  // 400 Gregorian years are a whole number of days; adding them keeps Date away from two-digit years.
  const date = Date.UTC(year + 400, month - 1, day) - 146_097 * 86_400_000;
  const ofDay = hour * 60 + minute - offset;
  if (second === 60 && ((ofDay % 1440) + 1440) % 1440 !== 1439) return errorBase;
  const fraction = BigInt((match[7] ?? "").padEnd(6, "0").slice(0, 6));
  return ranged(BigInt(date + ofDay * 60_000 + second * 1000) * 1000n + fraction);
}

/** Floored µs of a whole number; `unit` 0 takes seconds, milliseconds, microseconds or nanoseconds by size. */
export function timestampFromInteger(value: bigint, unit: number): bigint {
  const size = value < 0n ? -value : value;
  const chosen =
    unit !== 0 ? unit : size < 10n ** 11n ? 1 : size < 10n ** 14n ? 2 : size < 10n ** 17n ? 3 : 4;
  if (chosen === 1) return ranged(value * 1_000_000n);
  if (chosen === 2) return ranged(value * 1000n);
  if (chosen === 3) return ranged(value);
  const floored = value / 1000n - (value % 1000n < 0n ? 1n : 0n);
  return ranged(floored);
}
