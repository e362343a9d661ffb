// Groups and aggregates over hot rows, against a Map over the same events as objects.

import { executeQuery } from "../src/query/run/execute.ts";
import { parseSql } from "../src/query/sql/statement.ts";
import type { BenchEvent } from "./events.ts";
import type { Comparison } from "./harness.ts";
import type { Rig } from "./rig.ts";

interface Case {
  readonly name: string;
  readonly sql: string;
  readonly key: (event: BenchEvent, timeMs: number) => string | number;
  readonly value: (event: BenchEvent) => number;
}

const minuteMs = 60_000;

const cases: readonly Case[] = [
  {
    name: "group: count, avg by source",
    sql: "SELECT source, count(*), avg(properties.duration_ms) FROM events GROUP BY 1",
    key: (event) => event.source,
    value: (event) => event.properties.duration_ms,
  },
  {
    name: "group: count, avg by minute",
    sql: `SELECT time_bucket('1m', timestamp), count(*), avg(properties.amount)
          FROM events GROUP BY 1`,
    key: (_event, timeMs) => (timeMs - (timeMs % minuteMs)) * 1000,
    value: (event) => event.properties.amount,
  },
  {
    name: "group: count, avg by two codes",
    sql: `SELECT event_type, properties.country, count(*), avg(properties.amount)
          FROM events GROUP BY 1, 2`,
    key: (event) => `${event.event_type} ${event.properties.country}`,
    value: (event) => event.properties.amount,
  },
  {
    name: "group: count, avg by user",
    sql: "SELECT user_id, count(*), avg(properties.amount) FROM events GROUP BY 1",
    key: (event) => event.user_id,
    value: (event) => event.properties.amount,
  },
];

type Row = [key: string, count: number, mean: number];

/** Sums in another order differ in their last bits, so means are compared to twelve digits. */
function sorted(rows: Row[]): Row[] {
  return rows
    .map(([key, count, mean]): Row => [key, count, Number(mean.toPrecision(12))])
    .sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

function keyText(cells: readonly unknown[]): string {
  return cells
    .map((cell) => {
      // A bucket's start comes back as text or as microseconds, however results show times.
      const text = String(cell);
      return /^\d{4}-\d\d-\d\dT/.test(text) ? String(Date.parse(text) * 1000) : text;
    })
    .join(" ");
}

export function groupComparisons(rig: Rig): Comparison[] {
  // Nobody would parse the text of a time in each query, so the plain way has the milliseconds too.
  const timesMs = Float64Array.from(rig.events, (event) => Date.parse(event.timestamp));
  return cases.map(({ name, sql, key, value }) => {
    const query = parseSql(sql);
    const scan = () => executeQuery(query, rig.snapshot, rig.state).rows;
    const loop = () => {
      const groups = new Map<string | number, { count: number; sum: number }>();
      for (let repeat = 0; repeat < rig.repeats; repeat++) {
        for (let i = 0; i < rig.events.length; i++) {
          const event = rig.events[i] as BenchEvent;
          const name = key(event, timesMs[i] as number);
          const group = groups.get(name);
          if (group) {
            group.count++;
            group.sum += value(event);
          } else groups.set(name, { count: 1, sum: value(event) });
        }
      }
      return groups;
    };
    return {
      name,
      units: rig.rows,
      unit: "rows",
      reference: {
        name: "Map over objects",
        run: () => loop().size,
        result: () =>
          sorted([...loop()].map(([text, { count, sum }]) => [String(text), count, sum / count])),
      },
      candidate: {
        name: "kernels",
        run: () => scan().length,
        result: () =>
          sorted(
            scan().map((row): Row => {
              return [keyText(row.slice(0, -2)), Number(row.at(-2)), Number(row.at(-1))];
            }),
          ),
      },
    };
  });
}
