import type { LegacyKey } from "./legacy.ts";

/** Monday 2000-01-03T00:00:00Z: weeks start on Mondays, shorter buckets on their own multiples of a day. */
const defaultOriginUs = 946_857_600_000_000n;

/** The origin is kept in [0, widthUs), so that equal buckets are equal values. */
export function bucketKey(widthUs: bigint, originUs: bigint | null, as: string): LegacyKey {
  const origin = originUs ?? defaultOriginUs;
  return { kind: "bucket", widthUs, originUs: ((origin % widthUs) + widthUs) % widthUs, as };
}
