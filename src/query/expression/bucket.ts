// Where buckets of time begin.

import { timeUsMin } from "../time.ts";
import { dayNumber, dayOf, splitUs } from "./calendar.ts";
import type { Interval } from "./expression.ts";
import { dayUs, fit, secondUs } from "./scalar.ts";
import type { Zone } from "./zone.ts";
import { zoneOf } from "./zone.ts";

export interface BucketShape {
  readonly width: Interval;
  readonly originUs: bigint | null;
  readonly zone: string;
}

type Us = number | bigint;

/** A bucket [startUs, endUs); the ends may lie outside the years that timestamps have. */
export interface BucketSpan {
  readonly startUs: bigint;
  readonly endUs: bigint;
}

const monday = dayNumber(2000, 1, 3);
const daySeconds = 86_400;

const floorDiv = (a: bigint, b: bigint): bigint => a / b - (a % b < 0n ? 1n : 0n);

export class Buckets {
  readonly #months: number;
  readonly #days: number;
  readonly #widthUs: bigint;
  readonly #zone: Zone;
  /** Origin: a month, a day (and the seconds and µs into it), or an instant, as the width demands. */
  readonly #month: number;
  readonly #day: number;
  readonly #intoDay: number;
  readonly #originUs: bigint;
  #last: BucketSpan = { startUs: 0n, endUs: 0n };

  constructor({ width, originUs, zone }: BucketShape) {
    this.#zone = zoneOf(zone);
    const isClock = width.us !== 0n;
    this.#months = isClock ? 0 : width.months;
    this.#days = isClock || width.months !== 0 ? 0 : width.days;
    this.#widthUs = width.us + BigInt(width.days) * BigInt(dayUs);
    const local = originUs === null ? null : splitUs(localUs(fit(originUs), this.#zone));
    this.#day = local?.day ?? monday;
    this.#intoDay = local?.us ?? 0;
    const { year, month } = dayOf(local?.day ?? dayNumber(2000, 1, 1));
    this.#month = year * 12 + month - 1;
    this.#originUs = originUs ?? BigInt(this.#zone.instant(monday * daySeconds)) * 1_000_000n;
  }

  /** Whether every bucket is `originUs + n * widthUs`; null where the calendar or the zone has a say. */
  get fixed(): { readonly widthUs: bigint; readonly originUs: bigint } | null {
    if (this.#months !== 0) return null;
    const span = this.#zone.span(0);
    if (this.#days !== 0 && (span.from !== -Infinity || span.to !== Infinity)) return null;
    if (this.#days === 0) return { widthUs: this.#widthUs, originUs: this.#originUs };
    const start = BigInt(this.#day) * BigInt(dayUs) + BigInt(this.#intoDay);
    return {
      widthUs: BigInt(this.#days) * BigInt(dayUs),
      originUs: start - BigInt(span.offset) * 1_000_000n,
    };
  }

  /** The start of the bucket of a timestamp; NULL where that is before year 0001. */
  start(us: Us): Us | null {
    const { startUs } = this.span(us);
    return startUs < timeUsMin ? null : fit(startUs);
  }

  span(us: Us): BucketSpan {
    if (us >= this.#last.startUs && us < this.#last.endUs) return this.#last;
    this.#last = this.#spanOf(us);
    return this.#last;
  }

  #spanOf(us: Us): BucketSpan {
    let index = this.#index(us);
    // A local time that comes twice may lie on both sides of a bucket's start.
    for (;;) {
      const [startUs, endUs] = [this.#start(index), this.#start(index + 1n)];
      if (us < startUs) index--;
      else if (us >= endUs) index++;
      else return { startUs, endUs };
    }
  }

  /** Which bucket after the origin's a timestamp lies in, by its local time. */
  #index(us: Us): bigint {
    if (this.#months === 0 && this.#days === 0) {
      return floorDiv(BigInt(us) - this.#originUs, this.#widthUs);
    }
    const local = splitUs(localUs(us, this.#zone));
    if (this.#months !== 0) {
      const { year, month } = dayOf(local.day);
      return BigInt(Math.floor((year * 12 + month - 1 - this.#month) / this.#months));
    }
    const days = local.day - this.#day - (local.us < this.#intoDay ? 1 : 0);
    return BigInt(Math.floor(days / this.#days));
  }

  #start(index: bigint): bigint {
    if (this.#months === 0 && this.#days === 0) return this.#originUs + index * this.#widthUs;
    const i = Number(index);
    if (this.#months === 0) return this.#instant(this.#day + i * this.#days, this.#intoDay);
    const first = this.#month + i * this.#months;
    return this.#instant(dayNumber(Math.floor(first / 12), (((first % 12) + 12) % 12) + 1, 1), 0);
  }

  #instant(day: number, us: number): bigint {
    const seconds = Math.floor(us / secondUs);
    const instant = this.#zone.instant(day * daySeconds + seconds);
    return BigInt(instant) * 1_000_000n + BigInt(us - seconds * secondUs);
  }
}

/** The whole second that a microsecond lies in. */
export function secondOf(us: Us): number {
  if (typeof us === "bigint") return Number(floorDiv(us, 1_000_000n));
  return Math.floor(us / secondUs);
}

/** The local time of an instant in a zone, as if it were UTC. */
export function localUs(us: Us, zone: Zone): Us {
  const offset = zone.offset(secondOf(us));
  if (typeof us === "number") {
    const local = us + offset * secondUs;
    if (Number.isSafeInteger(local)) return local;
  }
  return fit(BigInt(us) + BigInt(offset) * 1_000_000n);
}
