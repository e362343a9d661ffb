// Which questions a rule's windows answer, and what EXPLAIN says of those that they don't.

import { expect, test } from "vitest";
import { describeFilter } from "../../src/query/plan/describe.ts";
import { planFilter } from "../../src/query/plan/filter.ts";
import { chooseRollup, restQuery, wholeWindows } from "../../src/query/plan/rollup.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import type { Rule } from "../../src/stream/rule.ts";
import { exampleRule } from "../support/example-rule.ts";

const sold = exampleRule(
  `SELECT source, user_id, sum(properties.amount) AS revenue, quantile(properties.ms, 0.95) AS p95,
    count(*) FILTER (WHERE properties.ok = true) AS ok
   FROM events WHERE event_type = 'sale' AND properties.amount > 0 GROUP BY source, user_id`,
  { name: "sold" },
);

const choose = (sql: string, rule: Rule = sold) => chooseRollup(parseSql(sql), [rule]);

test.each([
  `SELECT source, sum(properties.amount) FROM events WHERE event_type = 'sale' AND properties.amount > 0
    GROUP BY source`,
  "SELECT count(*) FROM events WHERE properties.amount > 0 AND event_type = 'sale'",
  "SELECT avg(properties.amount) FROM events WHERE event_type = 'sale' AND properties.amount > 0",
  "SELECT quantile(properties.ms, 0.5) FROM events WHERE event_type = 'sale' AND properties.amount > 0",
  `SELECT time_bucket('1 hour', timestamp) AS h, count(*) FILTER (WHERE properties.ok = true) FROM events
    WHERE event_type = 'sale' AND properties.amount > 0 GROUP BY h ORDER BY h`,
  `SELECT time_bucket('1 month', timestamp) AS m, count(*) FROM events
    WHERE event_type = 'sale' AND properties.amount > 0 GROUP BY m`,
  `SELECT count(*) FROM events WHERE event_type = 'sale' AND properties.amount > 0
    AND timestamp >= '2026-01-01T00:00:00Z' AND timestamp < '2026-01-01T00:05:00Z'`,
])("answers %s", (sql) => {
  const { rule, why } = choose(sql);
  expect(rule?.name, why).toBe("sold");
});

test.each([
  ["SELECT count(*) FROM events", "sold: the conditions are not the same"],
  [
    "SELECT event_type, count(*) FROM events WHERE event_type = 'sale' AND properties.amount > 0 GROUP BY event_type",
    "sold: event_type is not one of its groups",
  ],
  [
    "SELECT max(properties.amount) FROM events WHERE event_type = 'sale' AND properties.amount > 0",
    "sold: it has no max(properties.amount)",
  ],
  [
    `SELECT count(*) FILTER (WHERE properties.ok = false) FROM events
      WHERE event_type = 'sale' AND properties.amount > 0`,
    "sold: it has no count(*) FILTER (WHERE properties.ok = false)",
  ],
  [
    `SELECT time_bucket('90 seconds', timestamp) AS h, count(*) FROM events
      WHERE event_type = 'sale' AND properties.amount > 0 GROUP BY h`,
    "does not hold whole windows",
  ],
  [
    `SELECT time_bucket('1 day', timestamp, 'Asia/Kolkata') AS h, count(*) FROM events
      WHERE event_type = 'sale' AND properties.amount > 0 GROUP BY h`,
    "does not hold whole windows",
  ],
  [
    `SELECT count(*) FROM events WHERE event_type = 'sale' AND properties.amount > 0
      AND timestamp >= '2026-01-01T00:00:30Z' AND timestamp < '2026-01-01T00:01:30Z'`,
    "sold: no whole window of 00:01:00 lies within the range of time",
  ],
])("does not answer %s", (sql, why) => {
  const choice = choose(sql);
  expect(choice.rule).toBeNull();
  expect(choice.why).toContain(why);
});

test("the rule with the shortest edges answers, then that with the longest windows", () => {
  const clock = (us: bigint) => ({ months: 0, days: 0, us });
  const of = (name: string, us: bigint): Rule => ({
    ...sold,
    name,
    window: { kind: "tumbling", size: clock(us), originUs: null, zone: "UTC" },
  });
  const rules = [
    of("seconds", 1_000_000n),
    of("minutes", 60_000_000n),
    of("hours", 3_600_000_000n),
  ];
  const sql = (more: string) =>
    parseSql(
      `SELECT count(*) FROM events WHERE event_type = 'sale' AND properties.amount > 0 ${more}`,
    );
  const within = (from: string, to: string) =>
    chooseRollup(
      sql(`AND timestamp >= '2026-01-01T${from}Z' AND timestamp < '2026-01-01T${to}Z'`),
      rules,
    );
  expect(chooseRollup(sql(""), rules).rollup).toBe("hours");
  expect(within("00:00:00", "02:00:00").rollup).toBe("hours");
  expect(within("00:01:00", "02:00:00").rollup).toBe("minutes");
  expect(within("00:00:01", "02:00:00").rollup).toBe("seconds");
  const { rollup, why } = within("00:00:01.5", "02:00:00");
  expect(rollup).toBe("seconds");
  expect(why).toContain("the edges of the range are scanned");
});

test("whole windows of a span of time, and the question about the rest", () => {
  const at = (text: string) => BigInt(Date.parse(text)) * 1000n;
  const { window } = sold;
  const whole = (from: string, to: string) =>
    wholeWindows({ fromUs: at(from), toUs: at(to) }, window);
  expect(whole("2026-01-01T00:00:30Z", "2026-01-01T00:03:30Z")).toEqual({
    fromUs: at("2026-01-01T00:01:00Z"),
    toUs: at("2026-01-01T00:03:00Z"),
  });
  expect(whole("2026-01-01T00:00:30Z", "2026-01-01T00:01:30Z")).toBeNull();
  expect(wholeWindows({ fromUs: null, toUs: null }, window)).toEqual({ fromUs: null, toUs: null });
  const query = parseSql("SELECT count(*) FROM events WHERE properties.amount > 0");
  const rest = restQuery(query, [
    { fromUs: null, toUs: 5n },
    { fromUs: 7n, toUs: 9n },
  ]);
  const [from, to] = ["'1970-01-01T00:00:00.000007Z'", "'1970-01-01T00:00:00.000008Z'"];
  expect(describeFilter(planFilter(rest))).toBe(
    "(properties.amount > 0 AND (timestamp <= '1970-01-01T00:00:00.000004Z' OR " +
      `(timestamp >= ${from} AND timestamp <= ${to})))`,
  );
});

test("rows, and hopping windows, are never answered", () => {
  expect(choose("SELECT * FROM events")).toMatchObject({ rule: null, why: "" });
  const us = (count: bigint) => ({ months: 0, days: 0, us: count });
  const window = {
    kind: "hopping",
    size: us(10n),
    slide: us(5n),
    originUs: null,
    zone: "UTC",
  } as const;
  const sql = "SELECT count(*) FROM events WHERE event_type = 'sale' AND properties.amount > 0";
  expect(choose(sql, { ...sold, window }).why).toBe(
    "sold: a row is not in exactly one hopping window",
  );
});
