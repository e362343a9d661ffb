import type { Rule } from "../../src/stream/rule.ts";
import type { RuleRecord } from "../../src/stream/rule-record.ts";
import { ruleOfSql } from "../../src/stream/rule-sql.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";

export const minuteUs = 60_000_000n;
/** 2026-11-23T12:00:00Z */
export const noonUs = 1_795_435_200_000_000n;

/** A stored rule that counts by source, by minute. */
export function countRecord(
  number: number,
  more: Partial<RuleRecord> & { name?: string; version?: number; sql?: string } = {},
): RuleRecord {
  const { name = "counts", version = 1, sql, ...record } = more;
  const question = ruleOfSql(
    sql ??
      "SELECT time_bucket('1 minute', timestamp), source, count(*) AS n FROM events GROUP BY 1, 2",
  );
  const rule: Rule = { ...question, number, id: `id-of-${name}`, name, version };
  return {
    rule,
    definition: {},
    createdAtUs: 0n,
    fromSequence: 0n,
    paused: false,
    complete: true,
    backfill: null,
    state: "live",
    ...record,
  };
}

/** A group of the window that begins `minute` minutes after noon. */
export function countRow(
  minute: number,
  source: string,
  n: number,
  changedAt: number,
  more: Partial<WindowRow> = {},
): WindowRow {
  const startUs = noonUs + BigInt(minute) * minuteUs;
  return {
    startUs,
    endUs: startUs + minuteUs,
    group: [source],
    other: false,
    values: [n],
    count: n,
    late: 0,
    revised: 0,
    tooLate: 0,
    duplicate: 0,
    revision: 0,
    state: "early",
    changedAt: BigInt(changedAt),
    ...more,
  };
}
