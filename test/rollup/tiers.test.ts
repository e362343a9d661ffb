// Tiers against sums over the windows that they are made of, with restarts at random points.

import { describe, expect, test } from "vitest";
import type { Aggregate } from "../../src/query/query.ts";
import { foldFilters } from "../../src/query/run/group-fold.ts";
import { StateMerger } from "../../src/rollup/state-merger.ts";
import type { WindowStore } from "../../src/rollup/store.ts";
import { Tiers } from "../../src/rollup/tiers.ts";
import { openWindowStore } from "../../src/rollup/window-store.ts";
import type { Rule } from "../../src/stream/rule.ts";
import type { FinalWindow, TooLate } from "../../src/stream/window-row.ts";
import { QueryBed } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { PlainTables } from "./plain-table.ts";

const second = 1_000_000n;
const widths = [second, 10n * second, 60n * second];
const lateness = 3n * second;
const rule = {
  number: 9,
  window: {
    kind: "tumbling",
    size: { months: 0, days: 0, us: second },
    originUs: null,
    zone: "UTC",
  },
  tiers: widths.slice(1).map((us) => ({ size: { months: 0, days: 0, us }, retentionUs: null })),
  allowedLatenessUs: lateness,
} as unknown as Rule;
const count: Aggregate = { fn: "count", of: null, filter: null, type: "number", parameters: [] };

function merger(): StateMerger {
  const { run, cells } = new QueryBed().state;
  return new StateMerger({
    run,
    cells,
    query: { groupBy: [], aggregates: [count], fromUs: 0n, toUs: second },
    filters: foldFilters([count]),
  });
}

/** What a partial of `count` has. */
function statesOf(rows: number): Uint8Array {
  const states = new Uint8Array(9);
  states[0] = 1;
  new DataView(states.buffer).setUint32(1, rows, true);
  return states;
}

function rowsOf(states: Uint8Array): number {
  if (states.length === 0) return 0;
  return new DataView(states.buffer, states.byteOffset).getUint32(1, true);
}

/** Sums of the rule's own windows by tier, span and group: of spans that have ended. */
function sums(store: WindowStore, tier: number, watermarkUs: bigint): Map<string, number[]> {
  const width = widths[tier] as bigint;
  const found = new Map<string, number[]>();
  const all = { groupIds: null, fromUs: null, toUs: null, descending: false };
  for (const one of store.windows({ rule: rule.number, tier: 0, ...all })) {
    const start = one.startUs - (one.startUs % width);
    if (start + width + lateness > watermarkUs) continue;
    const key = `${start} ${one.groupId}`;
    const sum = found.get(key) ?? [0, 0, 0];
    sum[0] = (sum[0] as number) + one.count;
    sum[1] = (sum[1] as number) + one.tooLate;
    sum[2] = (sum[2] as number) + rowsOf(one.partial);
    found.set(key, sum);
  }
  return found;
}

function stored(store: WindowStore, tier: number): Map<string, number[]> {
  const all = { groupIds: null, fromUs: null, toUs: null, descending: false };
  return new Map(
    [...store.windows({ rule: rule.number, tier, ...all })].map((one) => [
      `${one.startUs} ${one.groupId}`,
      [one.count, one.tooLate, rowsOf(one.partial)],
    ]),
  );
}

const sorted = (map: Map<string, number[]>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

function run(seed: number): void {
  const random = mulberry32(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const tables = new PlainTables();
  const states = merger();
  const merge = (groups: readonly (readonly Uint8Array[])[]) => states.merge(groups);
  let store: WindowStore;
  let tiers: Tiers;
  const open = () => {
    store = openWindowStore({
      windows: tables.reader("windows"),
      finals: tables.reader("finals"),
    });
    tiers = new Tiers({ rule, store, merge });
  };
  open();
  // Far from 1970, at which all widths begin, too.
  const base = 1_700_000_040n * second;
  let watermarkUs = base;
  let next = base;
  for (let step = 0; step < 400; step++) {
    watermarkUs += BigInt(below(3)) * second;
    for (; next + second + lateness <= watermarkUs; next += second) {
      const groups = Array.from({ length: 4 }, (_, groupId) => {
        const rows = below(9);
        const ledger = { late: 0, revised: 0, tooLate: 0, duplicate: 0, revision: 0 };
        return { groupId, ...ledger, count: rows, partial: statesOf(rows) };
      }).filter(() => random() < 0.7);
      if (groups.length === 0) continue;
      const window: FinalWindow = {
        startUs: next,
        endUs: next + second,
        finalAt: BigInt(step),
        groups,
      };
      store!.put(rule, 0, window);
      tiers!.final(window);
    }
    if (random() < 0.2 && next > base) {
      const back = BigInt(below(Math.min(90, Number((next - base) / second)))) + 1n;
      const startUs = next - back * second;
      const late: TooLate = { startUs, endUs: startUs + second, groupId: below(4), count: 1 };
      store!.tooLate(rule, late);
      tiers!.tooLate(late);
    }
    if (random() < 0.05 && next > base) {
      const startUs = next - second;
      const groupId = below(4);
      // Rows that were too late are in it now, and some more.
      const [known] = store!.read(rule.number, 0, groupId, startUs, startUs + second);
      const rows = 10 + (known?.count ?? 0) + (known?.tooLate ?? 0);
      const partial = statesOf(rows);
      const ledger = { late: 0, revised: 0, tooLate: 0, duplicate: 0, revision: rows };
      const groups = [{ groupId, ...ledger, count: rows, partial }];
      store!.replace(rule, 0, { startUs, endUs: startUs + second, finalAt: 0n, groups });
      tiers!.refold([startUs]);
    }
    tiers!.advance(watermarkUs);
    if (random() < 0.1) {
      tables.commit(store!.writes());
      store!.committed();
      open();
      tiers!.restore(watermarkUs);
    }
    if (step % 50 !== 49) continue;
    for (const tier of [1, 2]) {
      const where = `seed ${seed}, step ${step}, tier ${tier}`;
      expect(sorted(stored(store!, tier)), where).toEqual(sorted(sums(store!, tier, watermarkUs)));
    }
    for (const { groups, startUs } of tiers!.open(1, null, null)) {
      for (const { groupId, count: rows, partial } of groups) {
        expect(rowsOf(partial), `seed ${seed}, open ${startUs} of ${groupId}`).toBe(rows);
      }
    }
    expect(tiers!.memoryBytes).toBeGreaterThanOrEqual(0);
  }
  const left = tiers!.open(1, null, null);
  expect(tiers!.neededFrom(0)).toBe(left[0]?.startUs ?? null);
  tiers!.closeAll();
  expect(tiers!.neededFrom(0)).toBe(null);
  expect(tiers!.memoryBytes).toBe(0);
}

describe("tiers", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("are sums of what they are made of, seed %i", (seed) => {
    run(seed);
  });

  test("with states of many groups, merged in parts", () => {
    const groups = Array.from({ length: 3000 }, (_, g) =>
      Array.from({ length: 200 }, () => statesOf(g)),
    );
    const merged = merger().merge([[], [new Uint8Array(0)], ...groups]);
    expect(merged.slice(0, 2).map(({ length }) => length)).toEqual([0, 0]);
    expect(merged.slice(2).map(rowsOf)).toEqual(groups.map((_, g) => g * 200));
  });
});
