import { expect, test } from "vitest";
import { compileExpression } from "../../src/query/expression/evaluate.ts";
import type { Value } from "../../src/query/result.ts";
import { mulberry32 } from "../support/random.ts";
import { call, number } from "../support/random-expressions.ts";

function rounded(fn: "round" | "trunc", value: number, places: number): Value {
  return compileExpression(call(fn, "number", number(value), number(places)))(() => null);
}

/** Half away from zero on the digits that a double is written with. */
function byDigits(value: number, places: number, cut: boolean): number {
  const [mantissa = "0", exponent = "0"] = Math.abs(value).toString().split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  const point = whole.length + Number(exponent);
  const digits = (whole + fraction).padEnd(point + places + 1, "0");
  const padded = point < 0 ? "0".repeat(-point) + digits : digits;
  const end = Math.max(0, point) + places;
  const kept = BigInt(padded.slice(0, end) || "0");
  const up = !cut && (padded[end] ?? "0") >= "5" ? 1n : 0n;
  return Number(`${value < 0 ? "-" : ""}${kept + up}e${-places}`) + 0;
}

test("rounding at a digit goes by the digits", () => {
  const random = mulberry32(11);
  for (let i = 0; i < 20_000; i++) {
    const places = Math.floor(random() * 5);
    const tie = (Math.floor(random() * 1e6) + 0.5) / 10 ** places;
    const value = [
      tie,
      (random() - 0.5) * 10 ** Math.floor(random() * 9),
      Math.floor(random() * 1e7) / 1e3,
    ][i % 3] as number;
    expect(rounded("round", value, places), `${value}, ${places}`).toBe(
      byDigits(value, places, false),
    );
    expect(rounded("trunc", value, places), `${value}, ${places}`).toBe(
      byDigits(value, places, true),
    );
  }
});
