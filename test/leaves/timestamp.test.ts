import { expect, test } from "vitest";
import * as oracle from "../oracle/leaves.ts";
import { mulberry32 } from "../support/random.ts";
import { callWide, leafCore, putText } from "./leaf-core.ts";

const { core, scratch } = leafCore();
const cache = scratch;
const text = scratch + 1024;
const errorBase = -(2n ** 63n);

function parse(literal: string): bigint {
  const length = putText(core, text, literal);
  putText(core, text + length, "9".repeat(16));
  return callWide(core, "parseTimestamp", text, length, cache);
}

test("RFC 3339 text", () => {
  expect(parse("1970-01-01T00:00:00Z")).toBe(0n);
  expect(parse("2026-11-23T09:29:00.123456789+01:30")).toBe(1_795_420_740_123_456n);
  expect(parse("0001-01-01T00:00:00Z")).toBe(-62_135_596_800_000_000n);
  expect(parse("9999-12-31T23:59:59.999999Z")).toBe(253_402_300_799_999_999n);
  for (const literal of [
    "2024-02-29T00:00:00z",
    "2024-02-29 23:59:59.1Z",
    "2024-02-29t12:00:00.-05:00",
    "2023-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2000-02-29T00:00:00Z",
    "2024-04-31T00:00:00Z",
    "2024-13-01T00:00:00Z",
    "2024-00-01T00:00:00Z",
    "2024-01-00T00:00:00Z",
    "2024-01-01T24:00:00Z",
    "2024-01-01T00:60:00Z",
    "2024-01-01T00:00:61Z",
    "2016-12-31T23:59:60Z",
    "2016-12-31T23:59:60.5Z",
    "2016-12-31T18:59:60-05:00",
    "2017-01-01T05:29:60+05:30",
    "2016-12-31T22:59:60Z",
    "9999-12-31T23:59:60Z",
    "2024-01-01T00:00:00",
    "2024-01-01T00:00:00.5",
    "2024-01-01",
    "",
    "Z",
    "2024-01-01T00:00Z",
    "2024-01-01T00:00:00+0100",
    "2024-01-01T00:00:00+24:00",
    "2024-01-01T00:00:00+23:59",
    "2024-01-01T00:00:00-00:00",
    "2024-01-01T00:00:00+01:60",
    "2024-01-01T00:00:00ZZ",
    "2024-01-01T00:00:00Z ",
    "2024-01-01X00:00:00Z",
    "0000-12-31T23:59:59Z",
    "0000-12-31T23:00:00-01:00",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "2024-01-01T00:00:00.Z",
    "2024-01-01T00:00:00.123456789012345678901234567890Z",
    "+024-01-01T00:00:00Z",
    "2024/01/01T00:00:00Z",
    "2024-01-01T00-00-00Z",
    "2024-01-01T:0:00:00Z",
    "２024-01-01T00:00:00Z",
  ]) {
    // Twice: the second time the date comes from the cache.
    expect(parse(literal), literal).toBe(oracle.parseTimestamp(literal));
    expect(parse(literal), literal).toBe(oracle.parseTimestamp(literal));
  }
});

test("random text near the format agrees with the plain twin", () => {
  for (const seed of [31, 32]) {
    const random = mulberry32(seed);
    const two = (below: number) => String(Math.floor(random() * below)).padStart(2, "0");
    for (let i = 0; i < 8000; i++) {
      const year = String(Math.floor(random() * 10_000)).padStart(4, "0");
      const zone = random() < 0.5 ? "Z" : `${random() < 0.5 ? "+" : "-"}${two(25)}:${two(61)}`;
      const fraction =
        random() < 0.5 ? `.${String(random()).slice(2, 2 + Math.floor(random() * 12))}` : "";
      let literal = `${year}-${two(14)}-${two(33)}T${two(25)}:${two(61)}:${two(62)}${fraction}${zone}`;
      if (random() < 0.2) {
        const place = Math.floor(random() * literal.length);
        const other = "0:-T.Z 9/"[Math.floor(random() * 9)] as string;
        literal = literal.slice(0, place) + other + literal.slice(place + 1);
      }
      expect(parse(literal), `${literal} (seed ${seed})`).toBe(oracle.parseTimestamp(literal));
    }
  }
});

test("whole numbers in each unit, and in the unit that their size says", () => {
  const random = mulberry32(33);
  const edges = [11n, 14n, 17n].flatMap((p) => [10n ** p - 1n, 10n ** p]);
  const values = [
    0n,
    1n,
    999n,
    1000n,
    ...edges,
    2n ** 63n - 1n,
    253_402_300_799n,
    253_402_300_800n,
  ];
  for (let i = 0; i < 2000; i++)
    values.push(
      BigInt.asUintN(
        63,
        (BigInt(Math.floor(random() * 2 ** 53)) ** 2n) >> BigInt(Math.floor(random() * 60)),
      ),
    );
  for (const value of values
    .flatMap((v) => [v, -v])
    .concat([errorBase, -62_135_596_800n, -62_135_596_801n])) {
    for (const unit of [0, 1, 2, 3, 4]) {
      expect(callWide(core, "timestampFromI64", value, unit), `${value} in unit ${unit}`).toBe(
        oracle.timestampFromInteger(value, unit),
      );
    }
  }
});

test("numbers with a fraction are floored, but not by f64's own error", () => {
  const from = (value: number, unit: number) =>
    // The kernel takes an f64, which JavaScript passes as a number.
    callWide(core, "timestampFromF64", value, unit);
  expect(from(1_609_459_200.123, 0)).toBe(1_609_459_200_123_000n);
  expect(from(1_700_000_000.123456, 1)).toBe(1_700_000_000_123_456n);
  expect(from(1_700_000_000_123.4567, 0)).toBe(1_700_000_000_123_456n);
  expect(from(-0.5, 1)).toBe(-500_000n);
  expect(from(0.000_000_9, 1)).toBe(0n);
  expect(from(-0.000_000_9, 1)).toBe(-1n);
  expect(from(1.7e18, 0)).toBe(1_700_000_000_000_000n);
  expect(from(1.5, 4)).toBe(0n);
  expect(from(-1, 4)).toBe(-1n);
  // Nanoseconds beyond i64 are whole numbers, and are divided as such.
  for (const value of [
    2 ** 63,
    -(2 ** 63),
    2 ** 64,
    1e19,
    -1e19,
    2.5e20,
    -6.2e19,
    2.6e20,
    9.9e20,
  ]) {
    const want = oracle.timestampFromInteger(BigInt(value), 4);
    expect(from(value, 0), String(value)).toBe(want);
    expect(from(value, 4), String(value)).toBe(want);
  }
  for (const value of [Infinity, -Infinity, Number.NaN, 1e300, -1e300]) {
    expect(from(value, 0)).toBe(errorBase + oracle.timestampError.outOfRange);
  }
  expect(from(253_402_300_799.5, 1)).toBe(253_402_300_799_500_000n);
  expect(from(253_402_300_800.5, 1)).toBe(errorBase + 2n);
});

test("each character of a time in a minute that was seen is checked", () => {
  const known = "2024-02-29T23:59:58.123Z";
  const bytes = "\x000159:;/T.Z-+ z";
  for (let place = 0; place < known.length; place++) {
    for (const byte of bytes) {
      const literal = known.slice(0, place) + byte + known.slice(place + 1);
      parse(known);
      expect(parse(literal), JSON.stringify(literal)).toBe(oracle.parseTimestamp(literal));
    }
  }
  for (const literal of ["2024-02-29T23:59:60.000Z", "2024-02-29T23:59:00.000Z", known]) {
    expect(parse(literal), literal).toBe(oracle.parseTimestamp(literal));
  }
});

test("a cache that was never used has no time in it", () => {
  core.u8.fill(0, cache, cache + 64);
  expect(parse(`${"\0".repeat(16)}:00.000Z`)).toBe(errorBase);
  expect(parse(`${"\0".repeat(10)}T00:00:00.000Z`)).toBe(errorBase);
});
