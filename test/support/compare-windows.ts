// What rules have made of a stream, against the plain way.

import { expect } from "vitest";
import type { Value } from "../../src/query/result.ts";
import type { Rule } from "../../src/stream/rule.ts";
import type { Ledger } from "../../src/stream/window-row.ts";
import type { OracleValue } from "../oracle/query.ts";
import { groupText, type OracleWindow, type OracleWindows } from "../oracle/windows.ts";
import { rounded, roundedText, wantedText } from "./compare-answers.ts";
import type { Played } from "./rule-bed.ts";

interface Place {
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly group: readonly Value[];
}

export function placeText({ startUs, endUs, group }: Place): string {
  return `[${startUs}, ${endUs}) ${groupText(group)}`;
}

function ledgerText({ count, late, revised, tooLate, duplicate }: Ledger): string {
  return `count ${count} late ${late} revised ${revised} too late ${tooLate} duplicate ${duplicate}`;
}

function aggregateTexts(rule: Rule, got: readonly Value[], want: readonly OracleValue[]): string {
  return want
    .map((value, i) => wantedText(value, got[i], rounded.has(rule.aggregates[i]?.fn ?? "")))
    .join(" ");
}

/**
 * A line for each final group with its ledger and values, in order. `want` gives the text of values that are as good.
 */
function finalLines(rule: Rule, played: Played, want: readonly OracleWindow[]): string[] {
  const late = new Map<string, number>();
  for (const one of played.tooLate) {
    const place = placeText(one);
    late.set(place, (late.get(place) ?? 0) + one.count);
  }
  const wanted = new Map(want.map((one) => [placeText(one), one]));
  const lines = played.finals.map((one) => {
    const place = placeText(one);
    const tooLate = one.tooLate + (late.get(place) ?? 0);
    late.delete(place);
    const values = one.aggregates.map(roundedText).join(" ");
    const known = wanted.get(place);
    const same = known && aggregateTexts(rule, one.aggregates, known.aggregates) === values;
    expect([one.folded.count, one.folded.late], `the fold's own counts at ${place}`).toEqual([
      one.count,
      one.late,
    ]);
    const finalAt =
      known?.finalAt != null &&
      (one.finalAt === known.finalAt || one.finalAt === known.finalAt + 1n)
        ? known.finalAt
        : one.finalAt;
    const wants = known && aggregateTexts(rule, one.aggregates, known.aggregates);
    const shown = same ? "as wanted" : `${values}, want ${wants}`;
    return `${place} at ${finalAt}: ${ledgerText({ ...one, tooLate })}: ${shown}`;
  });
  for (const [place, count] of late) lines.push(`${place}: only too late ${count}`);
  return lines.sort();
}

function wantedFinals(want: OracleWindows): string[] {
  return want.windows
    .filter(({ state }) => state === "final")
    .map((one) =>
      one.count === 0
        ? `${placeText(one)}: only too late ${one.tooLate}`
        : `${placeText(one)} at ${one.finalAt}: ${ledgerText(one)}: as wanted`,
    )
    .sort();
}

function openLines(rule: Rule, played: Played, want: readonly OracleWindow[]): string[] {
  const wanted = new Map(want.map((one) => [placeText(one), one]));
  const isRounded = rule.values.map(
    ({ of }) => of.kind === "aggregate" && rounded.has(rule.aggregates[of.aggregate]?.fn ?? ""),
  );
  return played.open
    .map((one) => {
      const place = placeText(one);
      const own = one.values.map(roundedText).join(" ");
      const known = wanted
        .get(place)
        ?.values.map((value, i) => wantedText(value, one.values[i], isRounded[i] === true));
      const shown = known?.join(" ") === own ? "as wanted" : `${own}, want ${known?.join(" ")}`;
      return `${place} ${one.state} revision ${one.revision}: ${ledgerText(one)}: ${shown}`;
    })
    .sort();
}

function wantedOpen(want: OracleWindows): string[] {
  return want.windows
    .filter(({ state }) => state !== "final")
    .map(
      (one) =>
        `${placeText(one)} ${one.state} revision ${one.revised}: ${ledgerText(one)}: as wanted`,
    )
    .sort();
}

/** Fails with the lines that differ. */
export function comparePlayed(rule: Rule, played: Played, want: OracleWindows): void {
  expect(finalLines(rule, played, want.windows)).toEqual(wantedFinals(want));
  expect(openLines(rule, played, want.windows)).toEqual(wantedOpen(want));
  const { rows, tooLate, dropped, overflowed } = played.stats;
  const counts = { rows: want.rows, tooLate: want.tooLate, dropped: 0, overflowed: 0 };
  expect({ rows, tooLate, dropped, overflowed }).toEqual(counts);
}
