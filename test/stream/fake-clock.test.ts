import { expect, it } from "vitest";
import type { Rule } from "../../src/stream/rule.ts";
import { ruleFrom } from "../../src/stream/rule-form.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import type { OracleRow } from "../oracle/query.ts";
import { StreamBed } from "../support/stream-bed.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const time: TimeRules = {
  sourcesMax: 8,
  maxSkewUs: 60_000_000n,
  idleTimeoutUs: BigInt(2 * hourMs) * 1000n,
};
const zone = "Europe/Berlin";
/** Clocks go back on the 25th: October has a day of 25 hours there. */
const startMs = Date.parse("2026-10-01T00:00:00+02:00");
const endMs = Date.parse("2026-11-01T00:00:00+01:00");
const paceMs = 10 * minuteMs;

function ruleOf(number: number, window: object, tiers: object[] = []): Rule {
  const { rule } = ruleFrom({
    name: `rule_${number}`,
    window,
    tiers,
    aggregations: [
      { fn: "count", as: "n" },
      { fn: "sum", field: "properties.n", as: "total" },
    ],
    allowed_lateness: "5m",
  });
  return { ...rule, number, id: `id ${number}`, version: 1 };
}

function rowAt(ms: number, n: number): OracleRow {
  return {
    sequence: 0n,
    timestampUs: BigInt(ms) * 1000n,
    receivedAtUs: 0n,
    latenessUs: 0n,
    id: "018f3c5e-0000-7000-8000-000000000001",
    cells: new Map<string, string | bigint>([
      ["event_type", "x"],
      ["properties.n", BigInt(n)],
    ]),
  };
}

/** Events of each window by its name, from the clocks of the zone as Intl has them. */
function counted(nameOf: (ms: number) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (let ms = startMs; ms < endMs; ms += paceMs) {
    const name = nameOf(ms);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

const dayFormat = new Intl.DateTimeFormat("en-CA", { timeZone: zone, dateStyle: "short" });
const dayOf = (ms: number): string => dayFormat.format(ms);
const floorOf = (size: number) => (ms: number) => new Date(ms - (ms % size)).toISOString();

function shown(rows: readonly WindowRow[], nameOf: (ms: number) => string): Map<string, number> {
  return new Map(rows.map(({ startUs, count }) => [nameOf(Number(startUs / 1000n)), count]));
}

it("a fake clock drives all of it: a month of windows in milliseconds", () => {
  const bed = new StreamBed({ rules: time, checkpointIntervalMs: 6 * hourMs });
  const tiers = [{ size: "1h" }, { size: "1 day" }, { size: "1 month" }];
  bed.put(
    ruleOf(1, { type: "tumbling", size: "1m", time_zone: zone }, tiers),
    ruleOf(2, { type: "tumbling", size: "1h" }),
    ruleOf(3, { type: "tumbling", size: "1 day", time_zone: zone }),
    ruleOf(4, { type: "hopping", size: "7 days", slide: "1 day", time_zone: zone }),
    ruleOf(5, { type: "session", gap: "9m" }),
  );
  bed.ask({ type: "watch", watch: { rule: 3, since: null } });
  bed.nowMs = startMs;
  let n = 0;
  // An hour is one record; the process begins again every five days.
  for (let hour = startMs; hour < endMs; hour += hourMs) {
    const rows: OracleRow[] = [];
    for (let ms = hour; ms < hour + hourMs; ms += paceMs) rows.push(rowAt(ms, n++));
    bed.nowMs = hour + hourMs;
    bed.publish(rows, BigInt(bed.nowMs) * 1000n);
    bed.take();
    bed.processor.attend();
    bed.flush();
    if ((hour - startMs) % (120 * hourMs) === 0) {
      bed.checkpoint();
      bed.restart();
      bed.ask({ type: "watch", watch: { rule: 3, since: null } });
    }
  }
  // Nothing comes any more: ticks alone make all of it final, once the source has been idle for long enough.
  for (let quarter = 0; quarter < 12; quarter++) {
    bed.nowMs += 15 * minuteMs;
    bed.processor.tick(bed.next, BigInt(bed.nowMs) * 1000n);
    bed.take();
    bed.checkpoint();
  }
  const minutes = bed.windows(1);
  expect(shown(minutes, floorOf(minuteMs))).toEqual(counted(floorOf(minuteMs)));
  for (const [rule, tier] of [
    [1, 1],
    [2, 0],
  ] as const) {
    expect(shown(bed.windows(rule, { tier }), floorOf(hourMs))).toEqual(counted(floorOf(hourMs)));
  }
  for (const [rule, tier] of [
    [1, 2],
    [3, 0],
  ] as const) {
    const days = shown(bed.windows(rule, { tier }), dayOf);
    expect(days).toEqual(counted(dayOf));
    expect([days.size, days.get("2026-10-24"), days.get("2026-10-25")]).toEqual([31, 144, 150]);
  }
  const [month, ...more] = bed.windows(1, { tier: 3 });
  expect(more).toEqual([]);
  expect(month).toMatchObject({ count: n, values: [n, (n * (n - 1)) / 2], state: "final" });
  expect(month?.startUs).toBe(BigInt(startMs) * 1000n);
  expect(month?.endUs).toBe(BigInt(endMs) * 1000n);
  const weeks = bed.windows(4);
  expect(weeks).toHaveLength(31 + 6);
  expect(weeks.reduce((sum, { count }) => sum + count, 0)).toBe(7 * n);
  expect(bed.windows(5)).toHaveLength(n);
  // Weeks go on into November; all else has ended.
  const states = [1, 2, 3, 5].flatMap((rule) => bed.windows(rule).map(({ state }) => state));
  expect(new Set(states)).toEqual(new Set(["final"]));
  const told = bed.told.flatMap((one) => (one.type === "updates" ? one.rows : []));
  const finals = told.filter(({ state }) => state === "final").map(({ startUs }) => startUs);
  expect(new Set(finals).size).toBe(finals.length);
});
