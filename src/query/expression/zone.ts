// Time zones: the offset of an instant, and the instant of a local time. What a zone's rules say is asked once for
// each span between two transitions, so a million rows cost a few questions.

import { Temporal } from "temporal-polyfill";
import { InputError } from "../../errors.ts";

/** Seconds [from, to) since 1970 with one offset from UTC, in seconds. */
export interface ZoneSpan {
  readonly from: number;
  readonly to: number;
  readonly offset: number;
}

const spansMax = 20_000;

export class Zone {
  readonly name: string;
  /** Ascending, not overlapping, with holes where nobody has asked. */
  #spans: ZoneSpan[] = [];
  #last: ZoneSpan;

  /** @throws InputError `unknown_time_zone` */
  constructor(name: string) {
    this.name = name;
    const fixed = isUtc(name) ? 0 : null;
    this.#last = fixed === null ? this.#ask(0) : { from: -Infinity, to: Infinity, offset: fixed };
    this.#spans.push(this.#last);
  }

  /** The span that a second lies in. */
  span(second: number): ZoneSpan {
    const last = this.#last;
    if (second >= last.from && second < last.to) return last;
    let [low, high] = [0, this.#spans.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#spans[middle] as ZoneSpan).from <= second) low = middle + 1;
      else high = middle;
    }
    const found = this.#spans[low - 1];
    if (found !== undefined && second < found.to) {
      this.#last = found;
      return found;
    }
    const asked = this.#ask(second);
    if (this.#spans.length >= spansMax) {
      this.#spans = [];
      low = 0;
    }
    this.#spans.splice(low, 0, asked);
    this.#last = asked;
    return asked;
  }

  offset(second: number): number {
    return this.span(second).offset;
  }

  /**
   * The first instant of a local time: the earlier one where clocks are set back over it, the one when they are
   * set forward where it is skipped.
   */
  instant(local: number): number {
    const before = this.span(local - this.offset(local - 86_400));
    const after = this.span(local - this.offset(local + 86_400));
    const candidates = [local - before.offset, local - after.offset].filter(
      (second) => second + this.offset(second) === local,
    );
    if (candidates.length > 0) return Math.min(...candidates);
    return this.span(local - this.offset(local - 86_400)).from;
  }

  #ask(second: number): ZoneSpan {
    let zoned: Temporal.ZonedDateTime;
    try {
      zoned = Temporal.Instant.fromEpochMilliseconds(second * 1000).toZonedDateTimeISO(this.name);
    } catch {
      throw unknownZone(this.name);
    }
    const seconds = (one: Temporal.ZonedDateTime | null | undefined, otherwise: number): number =>
      one ? Math.floor(one.epochMilliseconds / 1000) : otherwise;
    const next = seconds(zoned.getTimeZoneTransition("next"), Infinity);
    // A transition at this very instant begins its span.
    const later = zoned.add({ seconds: 1 });
    const from = seconds(later.getTimeZoneTransition("previous"), -Infinity);
    return { from, to: next, offset: Math.round(zoned.offsetNanoseconds / 1e9) };
  }
}

function unknownZone(name: string): InputError {
  return new InputError("unknown_time_zone", `there is no time zone "${name.slice(0, 64)}"`, {
    got: name.slice(0, 64),
  });
}

function isUtc(name: string): boolean {
  return /^(utc|gmt|z|etc\/utc|etc\/gmt|zulu|etc\/zulu|universal|etc\/universal)$/i.test(name);
}

const zones = new Map<string, Zone>();
const zonesMax = 1000;

/** @throws InputError `unknown_time_zone` */
export function zoneOf(name: string): Zone {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const zone = new Zone(name);
  if (zones.size >= zonesMax) zones.clear();
  zones.set(name, zone);
  return zone;
}
