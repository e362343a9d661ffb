// Buckets of time. Equal buckets are equal values, however their width was written.

import type { Expression, Interval } from "../expression/expression.ts";

export type Bucket = Extract<Expression, { kind: "bucket" }>;

const dayUs = 86_400_000_000n;
/** Monday 2000-01-03T00:00:00Z: weeks start on Mondays, shorter buckets on their own multiples of a day. */
const defaultOriginUs = 946_857_600_000_000n;

/**
 * The bucket of `of`, or what is wrong with its width. In UTC every day has 24 hours, so days are microseconds
 * there; an origin that makes the buckets of no origin is left out.
 */
export function bucketOf(
  of: Expression,
  width: Interval,
  originUs: bigint | null,
  zone: string,
): Bucket | string {
  const { months, days, us } = width;
  if (months < 0 || days < 0 || us < 0n) return "a bucket has no negative width";
  if (months > 0 && (days > 0 || us > 0n)) return "a bucket of months has no days or hours besides";
  if (months === 0 && days === 0 && us === 0n) return "a bucket must be longer than nothing";
  if (months > 0) return { kind: "bucket", type: "timestamp", of, width, originUs, zone };
  if (zone === "UTC") {
    const widthUs = BigInt(days) * dayUs + us;
    const plain = { months: 0, days: 0, us: widthUs };
    const origin = fixedOrigin(originUs, widthUs);
    return { kind: "bucket", type: "timestamp", of, width: plain, originUs: origin, zone };
  }
  if (days > 0 && us % dayUs !== 0n) return "a bucket in a time zone has days or hours, not both";
  // Without the word day a width is a fixed time, 24 hours too.
  const zoned = days > 0 ? { months: 0, days: days + Number(us / dayUs), us: 0n } : width;
  return { kind: "bucket", type: "timestamp", of, width: zoned, originUs, zone };
}

function fixedOrigin(originUs: bigint | null, widthUs: bigint): bigint | null {
  if (originUs === null) return null;
  const modulo = (us: bigint): bigint => ((us % widthUs) + widthUs) % widthUs;
  return modulo(originUs) === modulo(defaultOriginUs) ? null : modulo(originUs);
}

/** The IANA name of a zone in its usual spelling, or null when there is none of that name. */
export function zoneName(text: string): string | null {
  if (!/^[a-z]/i.test(text) || text.length > 64) return null;
  try {
    const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions();
    return /^(?:etc\/)?(?:utc|gmt|uct|zulu|universal)$/i.test(text) ? "UTC" : timeZone;
  } catch {
    return null;
  }
}
