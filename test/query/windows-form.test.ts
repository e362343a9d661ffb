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

  test("of a width are merged from whole ones, once each", () => {
    const none = { originUs: null, zone: "UTC" };
    const hour = { months: 0, days: 0, us: 3_600_000_000n };
    const day = { months: 0, days: 1, us: 0n };
    const rules = {
      hours: { window: { ...none, kind: "tumbling", size: hour } },
      days: { window: { ...none, kind: "tumbling", size: day, zone: "Europe/Berlin" } },
      hops: { window: { ...none, kind: "hopping", size: day, slide: day } },
      tiers: {
        window: { ...none, kind: "tumbling", size: hour, zone: "Europe/Berlin" },
        retentionUs: 1n,
        tiers: [
          { size: { ...hour, us: 3n * hour.us }, retentionUs: 5n },
          { size: day, retentionUs: null },
        ],
      },
    } as const;
    const from = (name: keyof typeof rules, window: string): string => {
      try {
        const made = { ...rule, ...rules[name] };
        const asked = parseRuleWindows({ rule: "example", window }, () => made).request;
        return `${asked.tier} ${asked.widthUs}`;
      } catch (error) {
        return (error as Error).message.slice(0, 40);
      }
    };
    const wanted = "#/window: want the size of one of its ti";
    expect(from("hours", "1h")).toBe("0 null");
    expect(from("hours", "1 day")).toBe("0 86400000000");
    expect(from("hours", "90m")).toBe(wanted);
    expect(from("hours", "30m")).toBe(wanted);
    expect(from("days", "1 day")).toBe("0 null");
    expect(from("days", "1 week")).toBe(wanted);
    expect(from("days", "1h")).toBe(wanted);
    expect(from("hops", "2 days")).toBe("#/window: hopping windows overlap, so th");
    expect(from("tiers", "3h")).toBe("1 null");
    expect(from("tiers", "6h")).toBe("1 21600000000");
    expect(from("tiers", "2h")).toBe("0 7200000000");
    expect(from("tiers", "1 day")).toBe("2 null");
  });

  test.each([
    [
      { "group.sorce": "web" },
      '#/group.sorce: the rule has no group "sorce"; did you mean "source"',
    ],
    [{ window: "soon" }, "#/window"],
    [{ window: "0s" }, "#/window"],
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
