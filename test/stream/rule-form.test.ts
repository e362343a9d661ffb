import { describe, expect, test } from "vitest";
import { exactJsonText } from "../../src/base/exact-json.ts";
import { InputError } from "../../src/errors.ts";
import { ruleFrom } from "../../src/stream/rule-form.ts";
import { mulberry32 } from "../support/random.ts";

const count = { fn: "count", as: "n" };
const minute = { type: "tumbling", size: "1m" };
const us = (value: bigint) => ({ months: 0, days: 0, us: value });
const days = (value: number) => ({ months: 0, days: value, us: 0n });

const form = (more: object = {}) => ({
  name: "rule",
  window: minute,
  aggregations: [count],
  ...more,
});

function refusal(body: unknown): InputError {
  try {
    ruleFrom(body);
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error(`${exactJsonText(body)} was taken`);
}

describe("the JSON form", () => {
  test("is a question, its windows and what is kept", () => {
    const { rule, definition, backfill, paused } = ruleFrom({
      name: "purchases_per_minute",
      event_filter: "event_type = 'purchase'",
      window: minute,
      aggregations: [count, { fn: "sum", field: "properties.amount", as: "revenue" }],
      group_by: ["source"],
      allowed_lateness: "5m",
      retention: "7d",
      tiers: [{ size: "1h", retention: "30d" }, { size: "1 day" }],
      backfill: true,
    });
    expect(rule).toMatchObject({
      name: "purchases_per_minute",
      where: { kind: "compare", path: "event_type", op: "=", value: "purchase" },
      window: { kind: "tumbling", size: us(60_000_000n), originUs: null, zone: "UTC" },
      keys: [{ as: "source" }],
      aggregates: [{ fn: "count" }, { fn: "sum" }],
      values: [{ as: "n" }, { as: "revenue" }],
      allowedLatenessUs: 300_000_000n,
      retentionUs: 604_800_000_000n,
      groupsMax: 10_000,
      windowsMax: 10_000,
    });
    expect(rule.tiers).toEqual([
      { size: us(3_600_000_000n), retentionUs: 2_592_000_000_000n },
      { size: us(86_400_000_000n), retentionUs: null },
    ]);
    expect([backfill, paused]).toEqual([true, false]);
    expect(definition).toMatchObject({
      event_filter: "event_type = 'purchase'",
      retention: "7d",
      tiers: [
        { size: "1h", retention: "30d" },
        { size: "1 day", retention: null },
      ],
      max_groups: 10_000,
    });
  });

  test("a definition is a form of the same rule", () => {
    for (const body of [
      form(),
      form({ aggregations: [{ fn: "quantile", field: "properties.ms", q: 0.95 }] }),
      form({
        window: { type: "session", gap: "30m" },
        group_by: [{ expr: "lower(source)", as: "s" }],
      }),
      { name: "short", aggregation_type: { fn: "sum", field: "properties.a" }, time_window: "5m" },
      { name: "sql", sql: "SELECT count(*) FROM events GROUP BY time_bucket('1m', timestamp)" },
    ]) {
      const { rule, definition } = ruleFrom(body);
      expect(ruleFrom(definition)).toMatchObject({ rule, definition });
    }
  });

  test("the short form is the long one with one aggregate", () => {
    const short = {
      aggregation_type: { fn: "sum", field: "properties.amount" },
      time_window: "5m",
    };
    const { rule, definition } = ruleFrom({ name: "short", ...short });
    expect(definition).toMatchObject({
      window: { type: "tumbling", size: "5m" },
      aggregations: [{ fn: "sum", field: "properties.amount", as: "sum_amount" }],
    });
    expect(rule.window).toMatchObject({ kind: "tumbling", size: us(300_000_000n) });
  });

  test("expressions of aggregates, filters of aggregates, conditions as JSON", () => {
    const { rule } = ruleFrom(
      form({
        event_filter: { field: "properties.amount", op: ">", value: 10 },
        aggregations: [
          { expr: "sum(properties.amount) / count(*)", as: "mean" },
          { fn: "count", filter: "source = 'web'", as: "web" },
        ],
      }),
    );
    expect(rule.aggregates.map(({ fn, filter }) => [fn, filter?.kind ?? null])).toEqual([
      ["sum", null],
      ["count", null],
      ["count", "compare"],
    ]);
  });

  test("a range of time stays a condition", () => {
    const { rule } = ruleFrom(form({ event_filter: "timestamp >= '2026-01-01T00:00:00Z'" }));
    expect(rule.where).toEqual({
      kind: "compare",
      path: "timestamp",
      op: ">=",
      value: 1_767_225_600_000_000n,
    });
  });
});

describe("windows", () => {
  const window = (one: object) => ruleFrom(form({ window: one })).rule.window;

  test.each([
    [
      { type: "tumbling", size: "1 day", time_zone: "Europe/Berlin" },
      { kind: "tumbling", size: days(1), originUs: null, zone: "Europe/Berlin" },
    ],
    [
      { type: "tumbling", size: "1 day" },
      { kind: "tumbling", size: us(86_400_000_000n), originUs: null, zone: "UTC" },
    ],
    [
      { type: "tumbling", size: "3 months", offset: "1 month" },
      {
        kind: "tumbling",
        size: { months: 3, days: 0, us: 0n },
        originUs: 949_363_200_000_000n,
        zone: "UTC",
      },
    ],
    [
      { type: "tumbling", size: "1h", offset: "15m" },
      { kind: "tumbling", size: us(3_600_000_000n), originUs: 900_000_000n, zone: "UTC" },
    ],
    [
      { type: "tumbling", size: "1 day", offset: "6h", time_zone: "Europe/Berlin" },
      // Monday 2000-01-03 06:00 in Berlin.
      { kind: "tumbling", size: days(1), originUs: 946_875_600_000_000n, zone: "Europe/Berlin" },
    ],
    [
      { type: "hopping", size: "10s", slide: "2s" },
      {
        kind: "hopping",
        size: us(10_000_000n),
        slide: us(2_000_000n),
        originUs: null,
        zone: "UTC",
      },
    ],
    [
      { type: "hopping", size: "10s", slide: "10s" },
      { kind: "tumbling", size: us(10_000_000n), originUs: null, zone: "UTC" },
    ],
    [
      { type: "session", gap: "30m" },
      { kind: "session", gapUs: 1_800_000_000n },
    ],
  ])("%j", (said, made) => {
    expect(window(said)).toEqual(made);
  });

  test("sessions have more of them by default", () => {
    const { rule } = ruleFrom(form({ window: { type: "session", gap: "30m" } }));
    expect(rule.windowsMax).toBe(100_000);
  });
});

describe("what is refused", () => {
  test.each<[object, string, RegExp]>([
    [form({ windw: 1 }), "#", /unknown key "windw"; did you mean "window"/],
    [form({ window: { type: "hoping", size: "1m" } }), "#/window/type", /did you mean "hopping"/],
    [form({ window: { type: "tumbling" } }), "#/window/size", /got nothing, want string/],
    [form({ window: { type: "session", gap: "1m", offset: "1s" } }), "#/window", /"offset"/],
    [form({ window: { type: "session", gap: "0s" } }), "#/window/gap", /longer than nothing/],
    [form({ window: { type: "tumbling", size: "1 fortnight" } }), "#/window/size", /fortnight/],
    [form({ window: { type: "hopping", size: "1m", slide: "7s" } }), "#/window/size", /multiple/],
    [form({ window: { type: "hopping", size: "1d", slide: "1s" } }), "#/window/slide", /86400 win/],
    [form({ window: { ...minute, time_zone: "Mars/One" } }), "#/window/time_zone", /Mars/],
    [
      form({ window: { type: "tumbling", size: "1mon", offset: "1d" } }),
      "#/window/offset",
      /first/,
    ],
    [form({ aggregations: [] }), "#/aggregations", /at least 1/],
    [form({ aggregations: [{ fn: "coumt" }] }), "#/aggregations/0/fn", /did you mean "count"/],
    [form({ aggregations: [{ fn: "sum" }] }), "#/aggregations/0/field", /"sum" wants a field/],
    [form({ aggregations: [{ expr: "1 + 1" }] }), "#/aggregations", /no aggregate/],
    [form({ aggregations: [count, count] }), "#/aggregations", /two columns are named "n"/],
    [form({ event_filter: "properties.x >" }), "#/event_filter", /at character 15/],
    [form({ event_filter: "timestamp > now()" }), "#/event_filter", /now\(\)/],
    [form({ group_by: ["sourc"] }), "#/group_by/0", /sourc/],
    [form({ name: "Rule" }), "#/name", /lower-case/],
    [form({ name: "events" }), "#/name", /reserved/],
    [form({ name: "select" }), "#/name", /keyword/],
    [form({ name: "a".repeat(64) }), "#/name", /at most 63/],
    [form({ allowed_lateness: "soon" }), "#/allowed_lateness", /soon/],
    [form({ retention: "1s" }), "#/retention", /at least the length/],
    [form({ tiers: [{ size: "90s" }] }), "#/tiers/0/size", /multiple/],
    [form({ tiers: [{ size: "1h", retention: "59m" }] }), "#/tiers/0/retention", /at least/],
    [form({ tiers: [{ size: "1h" }, { size: "1h" }] }), "#/tiers/1/size", /multiple/],
    [
      form({ window: { type: "session", gap: "1m" }, tiers: [{ size: "1h" }] }),
      "#/tiers",
      /only tumbling/,
    ],
    [
      { name: "r", aggregation_type: { fn: "sum" }, time_window: "5m" },
      "#/aggregation_type/field",
      /wants a field/,
    ],
    [
      { name: "r", aggregation_type: { fn: "count" }, time_window: "-5m" },
      "#/time_window",
      /negative/,
    ],
    [{ name: "r", sql: "SELECT 1 FROM events" }, "#/sql", /a rule has windows/],
    [{ name: "r" }, "#/window", /got nothing/],
  ])("%j", (body, pointer, message) => {
    const error = refusal(body);
    expect(error.message).toMatch(message);
    expect(error.detail.pointer).toBe(pointer);
  });

  test.each([null, 1, "x", [], [1]])("%j is no rule", (body) => {
    expect(refusal(body).status).toBe(400);
  });
});

test("months are made of days and minutes, days of a zone of what its clocks are set by", () => {
  const tiers = (size: string, zone: string, ...sizes: string[]) =>
    ruleFrom(
      form({
        window: { type: "tumbling", size, time_zone: zone },
        tiers: sizes.map((one) => ({ size: one })),
      }),
    ).rule.tiers.length;
  expect(tiers("1s", "UTC", "1m", "1h", "1 day", "1 month")).toBe(4);
  expect(tiers("15m", "Asia/Kathmandu", "1 day", "1 month", "1 year")).toBe(3);
  expect(() => tiers("1h", "Asia/Kathmandu", "1 day")).toThrow(/multiple/);
  expect(tiers("1m", "Europe/Berlin", "1h", "1 day", "1 month")).toBe(3);
  expect(tiers("1h", "Asia/Kolkata", "1 day")).toBe(1);
  expect(tiers("30m", "Australia/Lord_Howe", "1 day")).toBe(1);
  expect(() => tiers("1h", "Australia/Lord_Howe", "1 day")).toThrow(/multiple/);
  expect(() => tiers("7h", "Europe/Berlin", "1 day")).toThrow(/multiple/);
  expect(() => tiers("2h", "Europe/Berlin", "1 day")).toThrow(/multiple/);
  expect(() => tiers("7 days", "UTC", "1 month")).toThrow(/multiple/);
});

test("any body gives a rule that its definition gives again, or an InputError that says where", () => {
  const seed = 11;
  const random = mulberry32(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const length = () =>
    pick(["1s", "1m", "7s", "5m", "1h", "1 day", "1 month", "-1m", "x", "PT5M", 5]);
  const window = () =>
    pick([
      { type: "tumbling", size: length(), ...(random() < 0.3 && { offset: length() }) },
      { type: "hopping", size: length(), slide: length(), time_zone: pick(["UTC", "Asia/Tokyo"]) },
      { type: "session", gap: length() },
      { type: "tumbling", size: "1h", time_zone: pick(["Europe/Berlin", "x"]) },
      length(),
    ]);
  const aggregation = () => ({
    fn: pick(["count", "sum", "max", "quantile", "topk", "median", "no"]),
    ...(random() < 0.8 && { field: pick(["properties.a", "source", "x", "timestamp"]) }),
    ...(random() < 0.2 && { q: 0.5 }),
    ...(random() < 0.8 && { as: pick(["a", "b", "c", "d", "window_end"]) }),
    ...(random() < 0.2 && { filter: pick(["source = 'x'", "source ="]) }),
  });
  const call = () =>
    pick([
      `TUMBLE(timestamp, '${length()}')`,
      `HOP(timestamp, '${length()}', '${length()}')`,
      `SESSION(timestamp, '${length()}')`,
      `time_bucket('${length()}', timestamp)`,
      "source",
    ]);
  let made = 0;
  for (let i = 0; i < 600; i++) {
    const common = {
      name: pick(["rule", "r2", "r_3", "rule", "rule", "table", "R"]),
      ...(random() < 0.2 && { allowed_lateness: length() }),
      ...(random() < 0.2 && { retention: length() }),
      ...(random() < 0.2 && { tiers: [{ size: length() }] }),
      ...(random() < 0.1 && { max_groups: pick([1, 0, 1e9]) }),
    };
    const body = pick<() => object>([
      () => ({ ...common, window: window(), aggregations: [aggregation(), aggregation()] }),
      () => ({ ...common, time_window: length(), aggregation_type: aggregation() }),
      () => ({
        ...common,
        sql: `SELECT ${pick(["count(*)", call()])} FROM events GROUP BY ${call()}`,
      }),
    ])();
    const shown = `seed ${seed}, body ${i}: ${exactJsonText(body)}`;
    try {
      const { rule, definition } = ruleFrom(body);
      expect(ruleFrom(definition).rule, shown).toEqual(rule);
      made++;
    } catch (error) {
      expect(error, shown).toBeInstanceOf(InputError);
      expect((error as InputError).detail.pointer, `${shown}: ${error}`).toMatch(/^#/);
    }
  }
  expect(made).toBeGreaterThan(25);
});
