import { describe, expect, test } from "vitest";
import {
  formatTime,
  parseTime,
  timeFromNumber,
  timeUsMax,
  timeUsMin,
} from "../../src/query/time.ts";
import { mulberry32 } from "../support/random.ts";

describe("RFC 3339", () => {
  test.each([
    ["1970-01-01T00:00:00Z", 0n],
    ["1969-12-31T23:59:59.999999Z", -1n],
    ["2026-11-23T12:00:00Z", 1_795_435_200_000_000n],
    ["2026-11-23t12:00:00z", 1_795_435_200_000_000n],
    ["2026-11-23 12:00:00Z", 1_795_435_200_000_000n],
    ["2026-11-23T13:30:00+01:30", 1_795_435_200_000_000n],
    ["2026-11-23 12:00:00+00", 1_795_435_200_000_000n],
    ["2026-11-23T12:00:00.1234569Z", 1_795_435_200_123_456n],
    ["0001-01-01T00:00:00Z", timeUsMin],
    ["9999-12-31T23:59:59.999999Z", timeUsMax],
    ["2024-02-29T00:00:00Z", 1_709_164_800_000_000n],
    ["2016-12-31T23:59:60Z", 1_483_228_800_000_000n],
  ])("%s", (text, us) => {
    expect(parseTime(text)).toBe(us);
  });

  test.each([
    ["2026-11-23T12:00:00", "no time zone"],
    ["2026-11-23", "no time zone"],
    ["yesterday", "not RFC 3339"],
    ["2026-11-23T12:00Z", "not RFC 3339"],
    ["2026-13-01T00:00:00Z", "month"],
    ["2026-02-29T00:00:00Z", "day"],
    ["2026-01-00T00:00:00Z", "day"],
    ["2026-01-01T24:00:00Z", "time of day"],
    ["2026-01-01T12:00:60Z", "time of day"],
    ["2026-01-01T00:00:00+24:00", "offset"],
    ["0000-01-01T00:00:00Z", "year"],
    ["0001-01-01T00:00:00+01:00", "outside"],
  ])("refuses %s", (text, why) => {
    expect(parseTime(text)).toContain(why);
  });

  test("prints milliseconds, and microseconds where there are any; reads back what it prints", () => {
    expect(formatTime(0n)).toBe("1970-01-01T00:00:00.000Z");
    expect(formatTime(1_795_435_200_123_456n)).toBe("2026-11-23T12:00:00.123456Z");
    expect(formatTime(-1n)).toBe("1969-12-31T23:59:59.999999Z");
    const seed = 20261123;
    const random = mulberry32(seed);
    const span = Number(timeUsMax / 1000n - timeUsMin / 1000n);
    for (let i = 0; i < 2000; i++) {
      const us = timeUsMin + BigInt(Math.floor(random() * span)) * 1000n + BigInt(i % 1000);
      expect(parseTime(formatTime(us)), `seed ${seed}`).toBe(us);
    }
  });
});

describe("numbers by their size", () => {
  test.each([
    [0, 0n],
    [1_795_435_200, 1_795_435_200_000_000n],
    [1_795_435_200_123, 1_795_435_200_123_000n],
    [1_795_435_200_123_456, 1_795_435_200_123_456n],
    [1_795_435_200_123_456_789n, 1_795_435_200_123_456n],
    [1_609_459_200.123, 1_609_459_200_123_000n],
    [1.0000005, 1_000_000n],
    [-1, -1_000_000n],
    [-0.0000015, -2n],
    [-1_000_000_000_000_000_001n, -1_000_000_000_000_001n],
  ])("%s", (value, us) => {
    expect(timeFromNumber(value)).toBe(us);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, -99_999_999_999, 10n ** 30n])(
    "%s is none",
    (value) => {
      expect(timeFromNumber(value)).toBeNull();
    },
  );
});
