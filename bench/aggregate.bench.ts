// Sketches over hot rows, against plain loops over the same events as objects: a p95 by the same bins, and distinct
// users counted exactly, which the registers must come near to.

import { executeQuery } from "../src/query/run/execute.ts";
import { parseSql } from "../src/query/sql/statement.ts";
import type { BenchEvent } from "./events.ts";
import type { Comparison } from "./harness.ts";
import type { Rig } from "./rig.ts";

const quantileSql = `SELECT event_type, properties.country, count(*), sum(properties.amount),
  quantile(properties.amount, 0.95) FROM events GROUP BY 1, 2`;
const usersSql = "SELECT event_type, approx_count_distinct(user_id) FROM events GROUP BY 1";

type Row = readonly unknown[];

/** Answers of a query. What queries keep of the thread's memory is given back first. */
function answers(rig: Rig, sql: string): () => readonly Row[] {
  const query = parseSql(sql);
  return () => {
    rig.state.run.scratch.reset();
    return executeQuery(query, rig.snapshot, rig.state).rows;
  };
}

interface Bins {
  count: number;
  sum: number;
  readonly bins: Map<number, number>;
}

const bits = new DataView(new ArrayBuffer(8));

/** The first 18 bits of a double. */
function binOf(value: number): number {
  bits.setFloat64(0, value);
  const bin = bits.getUint32(0) >>> 14;
  return bin < 64 ? 0 : bin;
}

function binValue(bin: number): number {
  if (bin === 0) return 0;
  bits.setUint32(4, 0);
  bits.setUint32(0, bin << 14);
  const low = bits.getFloat64(0);
  bits.setUint32(0, (bin + 1) << 14);
  return low * (2 / (1 + low / bits.getFloat64(0)));
}

/** The value of the number at index floor(0.95 (n - 1)). */
function p95({ count, bins }: Bins): number {
  let left = Math.floor(0.95 * (count - 1));
  for (const [bin, of] of [...bins].sort(([a], [b]) => a - b)) {
    if (left < of) return binValue(bin);
    left -= of;
  }
  return 0;
}

/** Sums in another order differ in their last bits. */
const rounded = (value: unknown): number => Number(Number(value).toPrecision(12));

function byText(a: Row, b: Row): number {
  return String(a[0]) < String(b[0]) ? -1 : 1;
}

function quantiles(rig: Rig): Comparison {
  const scan = answers(rig, quantileSql);
  const loop = (): Map<string, Bins> => {
    const groups = new Map<string, Bins>();
    for (let repeat = 0; repeat < rig.repeats; repeat++) {
      for (const { event_type, properties } of rig.events) {
        const name = `${event_type} ${properties.country}`;
        const group = groups.get(name) ?? { count: 0, sum: 0, bins: new Map() };
        groups.set(name, group);
        group.count++;
        group.sum += properties.amount;
        const bin = binOf(properties.amount);
        group.bins.set(bin, (group.bins.get(bin) ?? 0) + 1);
      }
    }
    return groups;
  };
  return {
    name: "aggregate: count, sum, p95 by two codes",
    units: rig.rows,
    unit: "rows",
    reference: {
      name: "Map over objects",
      run: () => loop().size,
      result: () =>
        [...loop()]
          .map(([name, group]) => [name, group.count, rounded(group.sum), rounded(p95(group))])
          .sort(byText),
    },
    candidate: {
      name: "kernels",
      run: () => scan().length,
      result: () =>
        scan()
          .map(([type, country, count, sum, p]) => [
            `${type} ${country}`,
            Number(count),
            rounded(sum),
            rounded(p),
          ])
          .sort(byText),
    },
  };
}

function users(rig: Rig): Comparison {
  const scan = answers(rig, usersSql);
  const loop = (): Map<string, Set<string>> => {
    const groups = new Map<string, Set<string>>();
    for (let repeat = 0; repeat < rig.repeats; repeat++) {
      for (const { event_type, user_id } of rig.events as readonly BenchEvent[]) {
        const group = groups.get(event_type);
        if (group) group.add(user_id);
        else groups.set(event_type, new Set([user_id]));
      }
    }
    return groups;
  };
  /** Four standard errors of 2^14 registers. */
  const near = (got: number, exact: number) =>
    Math.abs(got - exact) <= 4 * (1.04 / 128) * exact + 1;
  return {
    name: "aggregate: approximate users by type",
    units: rig.rows,
    unit: "rows",
    reference: {
      name: "Set over objects",
      run: () => loop().size,
      result: () => [...loop()].map(([type, set]) => [type, set.size]).sort(byText),
    },
    candidate: {
      name: "kernels",
      run: () => scan().length,
      result: () => {
        const exact = loop();
        return scan()
          .map(([type, got]) => {
            const size = exact.get(String(type))?.size ?? 0;
            return [String(type), near(Number(got), size) ? size : Number(got)];
          })
          .sort(byText);
      },
    },
  };
}

export function aggregateComparisons(rig: Rig): Comparison[] {
  return [quantiles(rig), users(rig)];
}
