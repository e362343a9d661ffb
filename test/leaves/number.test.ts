import { expect, test } from "vitest";
import { type ParsedNumber, parseNumber } from "../oracle/leaves.ts";
import { mulberry32 } from "../support/random.ts";
import { call, leafCore, putText } from "./leaf-core.ts";

const { core, scratch } = leafCore();
const out = scratch;
const text = scratch + 1024;

/** What the kernel says of the number at the start of `literal`, with `after` right behind the text's end. */
function kernel(literal: string, after = ""): ParsedNumber | undefined {
  const length = putText(core, text, literal);
  putText(core, text + length, after.padEnd(32, "\0"));
  const end = call(core, "parseNumber", text, text + length, out);
  if (end === 0) return undefined;
  const kind = core.view.getUint32(out + 8, true);
  if (kind === 2) return { kind: "not finite", length: end - text };
  return kind === 0
    ? { kind: "i64", value: core.view.getBigInt64(out, true), length: end - text }
    : { kind: "f64", value: core.view.getFloat64(out, true), length: end - text };
}

function check(literal: string, seed?: number): void {
  const where = `${literal.slice(0, 200)}${seed === undefined ? "" : ` (seed ${seed})`}`;
  const want = parseNumber(literal);
  for (const after of ["", "12345678901234567890", "e9", ".5"]) {
    const got = kernel(literal, after);
    expect(got, where).toEqual(want);
    if (want?.kind === "f64" && got?.kind === "f64") {
      expect(Object.is(got.value, want.value), where).toBe(true);
    }
  }
}

test("integers keep all their digits up to 64 bits", () => {
  for (const literal of [
    "0", "-0", "1", "-1", "9", "10", "12345678", "123456789", "1234567890123456", "12345678901234567",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "9999999999999999999", "10000000000000000000", "18446744073709551615", "18446744073709551616",
    "-18446744073709551616", "123456789012345678901234567890", "9007199254740993", "1e3", "-1e0",
  ]) check(literal); // biome-ignore format: one table
});

test("the grammar of RFC 8259 and the offending byte", () => {
  for (const [literal, offset] of [
    ["", 0],
    ["-", 1],
    ["+1", 0],
    ["01", 1],
    ["-01", 2],
    ["00", 1],
    ["1.", 2],
    [".5", 0],
    ["1.e5", 2],
    ["1e", 2],
    ["1e+", 3],
    ["1E-x", 3],
    ["-a", 1],
    ["0.", 2],
    ["000000000000000000001", 1],
    ["1.000000000000000000000e", 24],
    ["00.00000000000000000000001", 1],
    ["Infinity", 0],
    ["NaN", 0],
  ] as const) {
    expect(kernel(literal), literal).toBeUndefined();
    expect(core.view.getUint32(out + 16, true) - text, literal).toBe(offset);
  }
  for (const literal of ["1,", "1 2", "1a", "1.5.5", "1e5e5", "0x10", "1-", "12345678]"])
    check(literal);
});

test("doubles that sit half way between two others, and at the ends of the range", () => {
  for (const literal of [
    "9007199254740993.0", "9007199254740992.5", "9007199254740993.00000000000000000000000000001",
    "1.00000000000000011102230246251565404", "1.00000000000000011102230246251565", "0.1", "0.3",
    "2.2250738585072011e-308", "2.2250738585072014e-308", "4.9406564584124654e-324", "5e-324", "3e-324",
    "2.4703282292062327208e-324", "2.4703282292062328e-324", "2.47032822920623272088284396434110686182e-324",
    "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e309", "-1e400",
    "1e-400", "0e999999999999999999999", "1e999999999999999999999", "1e-99999999999999999999",
    "8.41e21", "9.5e22", "1e23", "6.0e23", "123456789012345678e-5", "7.2057594037927933e16",
    "5708990770823839524233143877797980545530986496", "3.518437208883201171875e13",
    "62.5364939768271845828", "8.10109172351e-10", "1.5e-45", "0.000000000000000000000000000000000000000000001",
    "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017" +
      "977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273" +
      "854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704" +
      "342711559699508093042880",
  ]) {
    check(literal);
    check(`-${literal}`);
  }
}); // biome-ignore format: one table

test("random literals of every shape agree with Number", () => {
  for (const seed of [1, 2, 3]) {
    const random = mulberry32(seed);
    const digits = (n: number) =>
      Array.from({ length: n }, () => Math.floor(random() * 10)).join("");
    for (let i = 0; i < 8000; i++) {
      const whole = String(BigInt(digits(1 + Math.floor(random() * 24))));
      const fraction = random() < 0.6 ? `.${digits(1 + Math.floor(random() * 24))}` : "";
      const exponent = random() < 0.5 ? `e${Math.floor(random() * 700 - 350)}` : "";
      check(`${random() < 0.5 ? "-" : ""}${whole}${fraction}${exponent}`, seed);
    }
  }
});

test("random doubles come back from their shortest text, and from the exact half way to the next", () => {
  const view = new DataView(new ArrayBuffer(8));
  for (const seed of [4, 5]) {
    const random = mulberry32(seed);
    for (let i = 0; i < 6000; i++) {
      view.setUint32(0, random() * 2 ** 32);
      view.setUint32(4, random() * 2 ** 32);
      const value = view.getFloat64(0);
      if (!Number.isFinite(value)) continue;
      check(String(value), seed);
      if (i % 20 === 0) check(halfWay(Math.abs(value)), seed);
    }
  }
});

/** Exact decimal text of the middle between `value` and the next double. */
function halfWay(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const field = Number(bits >> 52n);
  const mantissa = (bits & ((1n << 52n) - 1n)) | (field === 0 ? 0n : 1n << 52n);
  const power = Math.max(field, 1) - 1076; // of the last bit of 2 · mantissa + 1, one below the double's own
  const middle = 2n * mantissa + 1n;
  if (power >= 0) return `${middle << BigInt(power)}.0`;
  return `${middle * 5n ** BigInt(-power)}e${power}`;
}
