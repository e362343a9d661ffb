import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { formatDuration, intervalOfText, parseDuration } from "../../src/query/duration.ts";

const second = 1_000_000n;

describe("durations", () => {
  test.each([
    ["90s", 90n * second],
    ["5m", 300n * second],
    ["1h", 3600n * second],
    ["7d", 7n * 86_400n * second],
    ["2w", 14n * 86_400n * second],
    ["1 minute", 60n * second],
    ["15 Minutes", 900n * second],
    ["1h30m", 5400n * second],
    ["1 hour 30 minutes", 5400n * second],
    ["1.5 hours", 5400n * second],
    ["250ms", 250_000n],
    ["10us", 10n],
    ["10µs", 10n],
    ["0s", 0n],
    ["PT90S", 90n * second],
    ["pt1.5s", 1_500_000n],
    ["P1DT12H", 129_600n * second],
    ["P2W", 14n * 86_400n * second],
    ["PT1H30M", 5400n * second],
  ])("%s", (text, us) => {
    expect(parseDuration(text)).toBe(us);
  });

  test.each([
    ["1 month", "no fixed length"],
    ["1y", "no fixed length"],
    ["P1M", "no fixed length"],
    ["P1Y2D", "no fixed length"],
    ["", "a number and a unit"],
    ["5", "a number and a unit"],
    ["m", "a number and a unit"],
    ["-5m", "a number and a unit"],
    ["5 parsecs", '"parsecs"'],
    ["P", "ISO 8601"],
    ["PT", "ISO 8601"],
    ["P1DT", "ISO 8601"],
    ["PT1.2.3S", "not a number"],
    ["999999999999999999w", "10,000 years"],
    ["1s".repeat(40), "64 characters"],
  ])("refuses %j", (text, why) => {
    expect(() => parseDuration(text)).toThrow(why);
    expect(() => parseDuration(text)).toThrow(
      expect.objectContaining({ code: "invalid_duration" }),
    );
  });

  test("is written in its largest whole unit and read back", () => {
    for (const text of ["0s", "1us", "1500ms", "90s", "5m", "36h", "1w", "10d"]) {
      expect(formatDuration(parseDuration(text))).toBe(text);
    }
    expect(formatDuration(parseDuration("7d"))).toBe("1w");
  });
});

test.each([
  ["1 month 2 days 03:04:05.5", { months: 1, days: 2, us: 11_045_500_000n }],
  ["1h30m", { months: 0, days: 0, us: 5_400_000_000n }],
  ["3 days ago", { months: 0, days: -3, us: 0n }],
  ["-90 minutes", { months: 0, days: 0, us: -5_400_000_000n }],
  ["2 weeks", { months: 0, days: 14, us: 0n }],
  ["250 µs", { months: 0, days: 0, us: 250n }],
  ["P1Y2M3DT4H", { months: 14, days: 3, us: 14_400_000_000n }],
])("the interval %s keeps months, days and microseconds apart", (text, interval) => {
  expect(intervalOfText(text)).toEqual(interval);
});

test.each(["", "x", "1", "1 parsec", "99999999 years", "P", "1 month 2"])(
  "%j is no interval",
  (text) => {
    expect(() => intervalOfText(text)).toThrow(InputError);
  },
);
