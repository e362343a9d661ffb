// Windows as they are read, against the plain way.

import { expect } from "vitest";
import type { Rule } from "../../src/stream/rule.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import {
  coarserOf,
  type OracleRecompute,
  type OracleWindow,
  windowsOf,
} from "../oracle/windows.ts";
import { rounded, roundedText, wantedText } from "./compare-answers.ts";
import { placeText } from "./compare-windows.ts";
import type { StreamStep } from "./random-streams.ts";
import type { StreamBed } from "./stream-bed.ts";

function line(one: WindowRow | OracleWindow, values: string): string {
  const { count, late, revised, tooLate, duplicate, revision, state } = one;
  // What only came too late has been in no window that duplicates were counted for.
  const ledger = [count, late, revised, tooLate, count === 0 ? 0 : duplicate, revision].join(" ");
  return `${placeText(one)} ${state} ${ledger}: ${values}`;
}

/** Fails with the lines that differ. */
export function compareRows(
  rule: Rule,
  got: readonly WindowRow[],
  want: readonly OracleWindow[],
): void {
  const wanted = new Map(want.map((one) => [placeText(one), one]));
  const isRounded = rule.values.map(
    ({ of }) => of.kind === "aggregate" && rounded.has(rule.aggregates[of.aggregate]?.fn ?? ""),
  );
  const lines = got.map((one) => {
    const own = one.values.map(roundedText).join(" ");
    const known = wanted
      .get(placeText(one))
      ?.values.map((value, i) => wantedText(value, one.values[i], isRounded[i] === true));
    const same = one.count === 0 || known?.join(" ") === own;
    return line(one, same ? "as wanted" : `${own}, want ${known?.join(" ")}`);
  });
  expect(lines.sort()).toEqual(want.map((one) => line(one, "as wanted")).sort());
}

/** What fails names the rule. */
export function toldOf(rule: Rule, how: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    const text = JSON.stringify(rule, (_, one) => (typeof one === "bigint" ? `${one}n` : one));
    throw new Error(`${how}: ${text}\n${(error as Error).message}`, { cause: error });
  }
}

/** All windows of a rule and of its tiers, at the end of the stream. */
export function compareTiered(
  bed: StreamBed,
  rule: Rule,
  steps: readonly StreamStep[],
  time: TimeRules,
  recomputes: readonly OracleRecompute[] = [],
): void {
  const { windows } = windowsOf(rule, steps, time, recomputes);
  toldOf(rule, "windows", () => compareRows(rule, bed.windows(rule.number), windows));
  const { window } = rule;
  if (window.kind !== "tumbling") return;
  for (const [i, { size }] of rule.tiers.entries()) {
    const want = coarserOf(rule, steps, time, { ...window, width: size }, recomputes);
    const got = bed.windows(rule.number, { tier: i + 1 });
    toldOf(rule, `tier ${i + 1}`, () => compareRows(rule, got, want));
  }
}
