// Queries of computed values over hot rows, against plain JavaScript that computes them row by row.

import { Buckets } from "../src/query/expression/bucket.ts";
import { executeQuery } from "../src/query/run/execute.ts";
import { parseSql } from "../src/query/sql/statement.ts";
import type { BenchEvent } from "./events.ts";
import type { Comparison, Way } from "./harness.ts";
import type { Rig } from "./rig.ts";

type Rows = (string | number)[][];

interface Case {
  readonly name: string;
  /** `turn` is another each time that the query runs, so that nothing is kept from the time before. */
  readonly sql: (turn: number) => string;
  /** What a row belongs to, or undefined where it is left out. */
  readonly group: (
    turn: number,
  ) => (event: BenchEvent, timeMs: number) => string | number | undefined;
  readonly note?: string;
}

const like = (turn: number): string => String(turn % 10_000).padStart(3, "0");

function monthOf(zone: string): (timeMs: number) => number {
  const width = { months: 1, days: 0, us: 0n };
  const buckets = new Buckets({ width, originUs: null, zone });
  return (timeMs) => Number(buckets.start(timeMs * 1000));
}

const cases: readonly Case[] = [
  {
    name: "expression: count by lower(source)",
    sql: () => "SELECT lower(source), count(*) FROM events GROUP BY 1",
    group: () => (event) => event.source.toLowerCase(),
  },
  {
    name: "expression: count where user_id LIKE '%x%', again",
    sql: () => "SELECT 'n', count(*) FROM events WHERE user_id LIKE '%42%'",
    group: () => (event) => (event.user_id.includes("42") ? "n" : undefined),
    note: "what each text yields is kept",
  },
  {
    name: "expression: count where user_id LIKE '%x%', for the first time",
    sql: (turn) => `SELECT 'n', count(*) FROM events WHERE user_id LIKE '%${like(turn)}%'`,
    group: (turn) => (event) => (event.user_id.includes(like(turn)) ? "n" : undefined),
  },
  {
    name: "expression: count where a * 2 + b > c",
    sql: () =>
      "SELECT 'n', count(*) FROM events WHERE properties.amount * 2 + properties.duration_ms > 300",
    group: () => (event) =>
      event.properties.amount * 2 + event.properties.duration_ms > 300 ? "n" : undefined,
  },
  {
    name: "expression: count by CASE",
    sql: () => `SELECT CASE WHEN properties.duration_ms < 100 THEN 'fast'
      WHEN properties.duration_ms < 1000 THEN 'fair' ELSE 'slow' END, count(*) FROM events GROUP BY 1`,
    group: () => (event) => {
      const { duration_ms: ms } = event.properties;
      return ms < 100 ? "fast" : ms < 1000 ? "fair" : "slow";
    },
  },
  {
    name: "expression: count by month in a zone",
    sql: () =>
      "SELECT date_trunc('month', timestamp, 'Europe/Berlin'), count(*) FROM events GROUP BY 1",
    group: () => {
      const month = monthOf("Europe/Berlin");
      return (_event, timeMs) => month(timeMs);
    },
    note: "the plain way remembers the month that it is in",
  },
  {
    name: "expression: count by hour of the day",
    sql: () => "SELECT extract(hour FROM timestamp), count(*) FROM events GROUP BY 1",
    group: () => (_event, timeMs) => new Date(timeMs).getUTCHours(),
  },
];

function sorted(rows: Rows): Rows {
  const text = (key: string | number | undefined): string => {
    const written = String(key);
    return /^\d{4}-\d\d-\d\dT/.test(written) ? String(Date.parse(written) * 1000) : written;
  };
  return rows
    .map(([key, count]) => [text(key), Number(count)])
    .sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
}

export function expressionComparisons(rig: Rig): Comparison[] {
  // Nobody would parse the text of a time in each query, so the plain way has the milliseconds too.
  const timesMs = Float64Array.from(rig.events, (event) => Date.parse(event.timestamp));
  return cases.map(({ name, sql, group, note }) => {
    let turns = 0;
    const kernels: Way = {
      name: "kernels",
      run: () => executeQuery(parseSql(sql(++turns)), rig.snapshot, rig.state).rows.length,
      result: () => sorted(executeQuery(parseSql(sql(0)), rig.snapshot, rig.state).rows as Rows),
    };
    const loop = (turn: number): Map<string | number, number> => {
      const counts = new Map<string | number, number>();
      const keyOf = group(turn);
      for (let repeat = 0; repeat < rig.repeats; repeat++) {
        for (let i = 0; i < rig.events.length; i++) {
          const key = keyOf(rig.events[i] as BenchEvent, timesMs[i] as number);
          if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
        }
      }
      return counts;
    };
    const plain: Way = {
      name: "row by row",
      run: () => loop(++turns).size,
      result: () => sorted([...loop(0)]),
    };
    return {
      name,
      units: rig.rows,
      unit: "rows",
      reference: plain,
      candidate: kernels,
      ...(note !== undefined && { note: () => note }),
    };
  });
}
