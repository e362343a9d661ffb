// What `GET /analytics/aggregations` takes.

import { describe, expect, test } from "vitest";
import { parseAdHocWindows, parseRuleWindows } from "../../src/query/form/windows-form.ts";
import { exampleRule } from "../support/example-rule.ts";

const rule = exampleRule("SELECT source, count(*) AS n FROM events GROUP BY source");

describe("windows of a rule", () => {
  const ask = (params: Record<string, string>) =>
    parseRuleWindows({ rule: "example", ...params }, () => rule).request;

  test("take a range, groups, a width and an order", () => {
    const asked = ask({
      from: "2026-01-01T00:00:00Z",
      to: "2026-01-02T00:00:00Z",
      "group.source": "web",
      window: "1h",
      order: "desc",
      limit: "5",
    });
    expect(asked).toEqual({
      rule: 1,
      fromUs: 1_767_225_600_000_000n,
      toUs: 1_767_312_000_000_000n,
      groups: [{ key: 0, value: "web" }],
      tier: 0,
      widthUs: 3_600_000_000n,
      descending: true,
      limit: 5,
    });
  });

  test.each([
    [
      { "group.sorce": "web" },
      '#/group.sorce: the rule has no group "sorce"; did you mean "source"',
    ],
    [{ window: "soon" }, "#/window"],
    [{ limit: "0" }, "#/limit"],
    [{ form: "x" }, 'unknown key "form"'],
    [{ from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z" }, "#/from"],
  ])("refuse %j", (params, message) => {
    expect(() => ask(params as Record<string, string>)).toThrow(message);
  });
});

test("a question that no rule was made for becomes a query", () => {
  const asked = parseAdHocWindows({
    aggregate:
      "count(*), sum(properties.amount) AS revenue, max(split_part(source, ',', 1)) as \"a, b\"",
    where: "event_type = 'purchase'",
    group_by: "source, user_id",
    window: "1h",
    order: "desc",
    limit: "7",
  });
  expect(asked.keys).toEqual(["source", "user_id"]);
  expect(asked.values).toEqual(["count(*)", "revenue", "a, b"]);
  expect(asked.buckets?.fixed?.widthUs).toBe(3_600_000_000n);
  const { query } = asked;
  expect(query.select.map(({ of }) => of.kind)).toEqual([
    ...["key", "key", "key"],
    ...["aggregate", "aggregate", "aggregate", "aggregate", "aggregate"],
  ]);
  expect(query.groupBy).toHaveLength(3);
  expect(query.limit).toBe(7);
  expect(query.orderBy).toMatchObject([{ of: { kind: "key", key: 0 }, descending: true }]);
});

test("without a window there is one", () => {
  const asked = parseAdHocWindows({ aggregate: "count(*)" });
  expect(asked.buckets).toBeNull();
  expect(asked.query.groupBy).toEqual([]);
});
