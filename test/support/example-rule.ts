import { parseSql } from "../../src/query/sql/statement.ts";
import type { Rule } from "../../src/stream/rule.ts";

/** A rule of windows of a minute that asks what a SELECT with groups asks. */
export function exampleRule(sql: string, more: Partial<Rule> = {}): Rule {
  const { where, groupBy, aggregates, select } = parseSql(sql);
  const size = { months: 0, days: 0, us: 60_000_000n };
  return {
    number: 1,
    id: "018f3c5e-0000-7000-8000-000000000001",
    name: "example",
    version: 1,
    where,
    window: { kind: "tumbling", size, originUs: null, zone: "UTC" },
    keys: groupBy,
    aggregates,
    values: select.filter(({ of }) => of.kind !== "key"),
    allowedLatenessUs: 0n,
    retentionUs: null,
    tiers: [],
    groupsMax: 10_000,
    windowsMax: 10_000,
    ...more,
  };
}
