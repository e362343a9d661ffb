// Buckets in time zones, across daylight saving, against Temporal's calendar.

import { Temporal } from "temporal-polyfill";
import { describe, expect, test } from "vitest";
import type { BucketShape } from "../../src/query/expression/bucket.ts";
import { Buckets } from "../../src/query/expression/bucket.ts";
import { dayNumber, dayOf, isoWeek } from "../../src/query/expression/calendar.ts";
import { zoneOf } from "../../src/query/expression/zone.ts";
import { formatTime, parseTime, timeUsMin } from "../../src/query/time.ts";
import { mulberry32 } from "../support/random.ts";

const us = (text: string): bigint => parseTime(text) as bigint;
const day = { months: 0, days: 1, us: 0n };
const hours = (count: number) => ({ months: 0, days: 0, us: BigInt(count) * 3_600_000_000n });

function start(shape: Partial<BucketShape>, at: string): string | null {
  const buckets = new Buckets({ width: day, originUs: null, zone: "UTC", ...shape });
  const found = buckets.start(us(at));
  return found === null ? null : formatTime(BigInt(found));
}

describe("buckets", () => {
  test.each([
    // A day of 23 hours, and one of 25.
    ["Europe/Berlin", "2026-03-29T21:59:59Z", "2026-03-28T23:00:00.000Z"],
    ["Europe/Berlin", "2026-03-29T22:00:00Z", "2026-03-29T22:00:00.000Z"],
    ["Europe/Berlin", "2026-10-25T22:59:59Z", "2026-10-24T22:00:00.000Z"],
    ["Europe/Berlin", "2026-10-25T23:00:00Z", "2026-10-25T23:00:00.000Z"],
    ["America/New_York", "2026-03-09T03:59:59Z", "2026-03-08T05:00:00.000Z"],
    ["America/New_York", "2026-11-02T04:59:59Z", "2026-11-01T04:00:00.000Z"],
    // Half an hour of daylight saving.
    ["Australia/Lord_Howe", "2026-04-05T13:29:59Z", "2026-04-04T13:00:00.000Z"],
    ["Australia/Lord_Howe", "2026-04-05T13:30:00Z", "2026-04-05T13:30:00.000Z"],
    // Midnight itself is skipped: the day begins at one.
    ["America/Santiago", "2026-09-06T10:00:00Z", "2026-09-06T04:00:00.000Z"],
  ])("days in %s: %s", (zone, at, want) => {
    expect(start({ zone }, at)).toBe(want);
  });

  test("weeks begin on Mondays, months with their first day, in the zone", () => {
    const zone = "Europe/Berlin";
    expect(start({ width: { months: 0, days: 7, us: 0n }, zone }, "2026-03-29T22:30:00Z")).toBe(
      "2026-03-29T22:00:00.000Z",
    );
    expect(start({ width: { months: 1, days: 0, us: 0n }, zone }, "2026-03-31T22:00:00Z")).toBe(
      "2026-03-31T22:00:00.000Z",
    );
    expect(start({ width: { months: 3, days: 0, us: 0n } }, "2024-02-29T12:00:00Z")).toBe(
      "2024-01-01T00:00:00.000Z",
    );
    expect(start({ width: { months: 12, days: 0, us: 0n } }, "1999-12-31T23:59:59Z")).toBe(
      "1999-01-01T00:00:00.000Z",
    );
  });

  test("hours of the clock don't know of daylight saving; they begin at the zone's midnight", () => {
    const zone = "Asia/Kolkata";
    expect(start({ width: hours(1), zone }, "2026-01-01T00:10:00Z")).toBe(
      "2025-12-31T23:30:00.000Z",
    );
    expect(start({ width: hours(6) }, "2026-03-29T23:00:00Z")).toBe("2026-03-29T18:00:00.000Z");
    const originUs = us("2026-01-01T00:10:00Z");
    expect(start({ width: hours(1), originUs }, "2026-01-01T00:05:00Z")).toBe(
      "2025-12-31T23:10:00.000Z",
    );
  });

  test("days from an origin within a day, years at their edges", () => {
    const originUs = us("2026-01-01T12:00:00Z");
    expect(start({ originUs }, "2026-01-05T11:59:59Z")).toBe("2026-01-04T12:00:00.000Z");
    expect(start({}, "9999-12-31T23:59:59.999999Z")).toBe("9999-12-31T00:00:00.000Z");
    expect(start({}, "0001-01-01T00:00:00Z")).toBe("0001-01-01T00:00:00.000Z");
    expect(start({ originUs }, "0001-01-01T00:00:00Z")).toBe(null);
  });

  test.each([
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "America/St_Johns",
    "Asia/Kolkata",
    "Africa/Monrovia",
    "Pacific/Apia",
  ])("days and months of %s are Temporal's", (zone) => {
    const random = mulberry32(7);
    const days = new Buckets({ width: day, originUs: null, zone });
    const months = new Buckets({ width: { months: 1, days: 0, us: 0n }, originUs: null, zone });
    for (let i = 0; i < 400; i++) {
      const ms = Math.floor(random() * 4e12) - 1e12;
      const at = BigInt(ms) * 1000n;
      const zoned = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone);
      const wanted = zoned.startOfDay();
      expect(Number(days.start(at)), `${zone} ${ms}`).toBe(wanted.epochMilliseconds * 1000);
      const first = zoned.with({ day: 1 }).startOfDay();
      expect(Number(months.start(at)), `${zone} ${ms}`).toBe(first.epochMilliseconds * 1000);
      const { startUs, endUs } = days.span(at);
      expect(startUs <= at && at < endUs).toBe(true);
      expect(days.start(startUs)).toBe(Number(startUs));
      expect(zoneOf(zone).offset(Math.floor(ms / 1000)) * 1e9).toBe(zoned.offsetNanoseconds);
    }
  });

  test("an unknown zone is refused by its name", () => {
    expect(() => new Buckets({ width: day, originUs: null, zone: "Mars/Olympus" })).toThrow(
      expect.objectContaining({ code: "unknown_time_zone" }),
    );
  });
});

test("dates are those of the Gregorian calendar, from the first year to the last", () => {
  const last = dayNumber(9999, 12, 31);
  for (let number = Number(timeUsMin / 86_400_000_000n); number <= last; number += 97) {
    const date = new Date(number * 86_400_000);
    const { year, month, day: inMonth } = dayOf(number);
    expect([year, month, inMonth]).toEqual([
      date.getUTCFullYear(),
      date.getUTCMonth() + 1,
      date.getUTCDate(),
    ]);
    expect(dayNumber(year, month, inMonth)).toBe(number);
  }
  for (const text of ["2020-12-31", "2021-01-03", "2021-01-04", "2026-12-31", "2024-12-30"]) {
    const date = Temporal.PlainDate.from(text);
    const week = isoWeek(dayNumber(date.year, date.month, date.day));
    expect(week).toEqual({ year: date.yearOfWeek, week: date.weekOfYear });
  }
});
