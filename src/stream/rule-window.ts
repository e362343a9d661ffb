// The windows and tiers of a rule, from what an author says of them. Sizes become what `time_bucket` makes of them, so
// that equal windows are equal values however they were written.

import { dayNumber } from "../query/expression/calendar.ts";
import type { Interval } from "../query/expression/expression.ts";
import { barePath } from "../query/expression/expression.ts";
import { zoneOf } from "../query/expression/zone.ts";
import { bucketOf } from "../query/typing/buckets.ts";
import type { Tier, WindowShape } from "./rule.ts";

/** Refuses a part of what was said: `size`, `slide`, `gap`, `offset`, …. */
export type Blame = (part: string, problem: string, code?: string) => never;

/** Windows that one event may be in: each slide merges the panes of as many. */
export const hopsMost = 3_600;

const dayUs = 86_400_000_000n;
const daySeconds = 86_400;
const monday = dayNumber(2000, 1, 3);
/** Years whose clocks are looked at. */
const clocksFrom = dayNumber(1970, 1, 1) * daySeconds;
const clocksTo = dayNumber(2100, 1, 1) * daySeconds;

/** Where windows begin: an instant, or how much later than usual. */
export interface Alignment {
  readonly originUs: bigint | null;
  readonly offset: Interval | null;
  readonly zone: string;
}

export const unaligned: Alignment = { originUs: null, offset: null, zone: "UTC" };

/** The width as buckets have it; in UTC days are microseconds. */
function widthOf(part: string, width: Interval, alignment: Alignment, blame: Blame): BucketParts {
  const originUs = originOf(width, alignment, blame);
  const bucket = bucketOf(barePath("timestamp"), width, originUs, alignment.zone);
  if (typeof bucket !== "string") return bucket;
  return blame(part, bucket.replace("a bucket", "a window"), "invalid_duration");
}

interface BucketParts {
  readonly width: Interval;
  readonly originUs: bigint | null;
  readonly zone: string;
}

function originOf(width: Interval, alignment: Alignment, blame: Blame): bigint | null {
  const { offset, zone, originUs } = alignment;
  if (offset === null) return originUs;
  if (originUs !== null) return blame("offset", "got both an origin and an offset, want one");
  const { months, days, us } = offset;
  if (months < 0 || days < 0 || us < 0n) return blame("offset", "want an offset from 0 on");
  const local = (day: number, seconds: number): bigint =>
    BigInt(zoneOf(zone).instant(day * daySeconds + seconds)) * 1_000_000n;
  if (width.months > 0) {
    if (days > 0 || us > 0n) {
      return blame("offset", "windows of months begin on the first: want an offset of months");
    }
    return local(dayNumber(2000 + Math.floor(months / 12), (months % 12) + 1, 1), 0);
  }
  if (months > 0) return blame("offset", "only windows of months have an offset of months");
  if (width.days === 0 || zone === "UTC") return local(monday, 0) + BigInt(days) * dayUs + us;
  // Days begin at a time of their zone's clock, whatever summer time does.
  return local(monday + days, Number(us / 1_000_000n)) + (us % 1_000_000n);
}

export function tumblingOf(size: Interval, alignment: Alignment, blame: Blame): WindowShape {
  const { width, originUs, zone } = widthOf("size", size, alignment, blame);
  return { kind: "tumbling", size: width, originUs, zone };
}

export function hoppingOf(
  size: Interval,
  slide: Interval,
  alignment: Alignment,
  blame: Blame,
): WindowShape {
  const step = widthOf("slide", slide, alignment, blame);
  const { width } = widthOf("size", size, { ...unaligned, zone: alignment.zone }, blame);
  const times = timesWithin(width, step.width);
  if (times === null) {
    return blame("size", "want a multiple of the slide, both in days, in months or shorter");
  }
  if (times > hopsMost) {
    return blame("slide", `each event would be in ${times} windows, want at most ${hopsMost}`);
  }
  const { originUs, zone } = step;
  if (times === 1) return { kind: "tumbling", size: width, originUs, zone };
  return { kind: "hopping", size: width, slide: step.width, originUs, zone };
}

export function sessionOf(gapUs: bigint, blame: Blame): WindowShape {
  if (gapUs <= 0n) return blame("gap", "a gap must be longer than nothing", "invalid_duration");
  return { kind: "session", gapUs };
}

/** How many times `part` fits `whole` without a rest; null where it doesn't, or nobody can say. */
function timesWithin(whole: Interval, part: Interval): number | null {
  const units = ["months", "days", "us"] as const;
  const [unit, ...more] = units.filter((one) => Number(whole[one]) + Number(part[one]) > 0);
  if (unit === undefined || more.length > 0 || Number(part[unit]) === 0) return null;
  const [a, b] = [BigInt(whole[unit]), BigInt(part[unit])];
  return a % b === 0n ? Number(a / b) : null;
}

/** Whether windows of `inner` make up those of `outer` wherever they begin. */
function holdsWhole(outer: Interval, inner: Interval, shifted: boolean, zone: string): boolean {
  if (timesWithin(outer, inner) !== null) return true;
  if (shifted || outer.us > 0n || inner.months > 0) return false;
  if (outer.months > 0 && inner.days > 0) return inner.days === 1 && inner.us === 0n;
  if (inner.days > 0 || inner.us === 0n) return false;
  if (dayUs % inner.us !== 0n) return false;
  // All clocks have been apart by multiples of a quarter of an hour for a century.
  return zone === "UTC" || (dayUs / 96n) % inner.us === 0n || daysHoldWhole(zone, inner.us);
}

/** Whether a zone's clocks were and will be set by multiples of a width alone, so that days are made of whole ones. */
function daysHoldWhole(zone: string, widthUs: bigint): boolean {
  const clocks = zoneOf(zone);
  const usual = clocks.offset(clocks.instant(monday * daySeconds));
  for (let at = clocksFrom; at < clocksTo; ) {
    const { offset, to } = clocks.span(at);
    if ((BigInt(offset - usual) * 1_000_000n) % widthUs !== 0n) return false;
    at = to;
  }
  return true;
}

/** The tiers over windows of `shape`; each must be made up of whole windows of the one before. */
export function tiersOf(
  shape: WindowShape,
  tiers: readonly { readonly size: Interval; readonly retentionUs: bigint | null }[],
  blameTier: (index: number) => Blame,
): Tier[] {
  if (tiers.length === 0) return [];
  if (shape.kind !== "tumbling") {
    const why =
      shape.kind === "session" ? "sessions have no common ends" : "hopping windows overlap";
    return blameTier(-1)("tiers", `only tumbling windows have tiers: ${why}`);
  }
  const { zone, originUs } = shape;
  let before = shape.size;
  return tiers.map(({ size, retentionUs }, i) => {
    const blame = blameTier(i);
    const { width } = widthOf("size", size, { ...unaligned, zone }, blame);
    const larger = timesWithin(width, before) !== 1;
    if (!larger || !holdsWhole(width, before, originUs !== null, zone)) {
      return blame("size", "want a multiple of the windows before, which it is merged from");
    }
    before = width;
    return { size: width, retentionUs };
  });
}
