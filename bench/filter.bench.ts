// Filters over hot rows, against a loop over the same events as objects.

import { executeQuery } from "../src/query/run/execute.ts";
import { parseSql } from "../src/query/sql/statement.ts";
import type { BenchEvent } from "./events.ts";
import type { Comparison } from "./harness.ts";
import type { Rig } from "./rig.ts";

interface Case {
  readonly name: string;
  readonly where: string;
  readonly passes: (event: BenchEvent) => boolean;
}

const cases: readonly Case[] = [
  {
    name: "filter: event_type = x AND number > y",
    where: "event_type = 'purchase' AND properties.duration_ms > 500",
    passes: (event) => event.event_type === "purchase" && event.properties.duration_ms > 500,
  },
  {
    name: "filter: IN, OR and a boolean",
    where: "(source IN ('web', 'ios') OR properties.status = 404) AND properties.mobile",
    passes: ({ source, properties }) =>
      (source === "web" || source === "ios" || properties.status === 404) && properties.mobile,
  },
  {
    name: "filter: prefix of text",
    where: "user_id LIKE 'user\\_12%'",
    passes: (event) => event.user_id.startsWith("user_12"),
  },
];

export function filterComparisons(rig: Rig): Comparison[] {
  return cases.map(({ name, where, passes }) => {
    const query = parseSql(`SELECT count(*) FROM events WHERE ${where}`);
    const scan = (): number => {
      return Number(executeQuery(query, rig.snapshot, rig.state).rows[0]?.[0]);
    };
    const loop = (): number => {
      let count = 0;
      for (let repeat = 0; repeat < rig.repeats; repeat++) {
        for (const event of rig.events) if (passes(event)) count++;
      }
      return count;
    };
    return {
      name,
      units: rig.rows,
      unit: "rows",
      reference: { name: "loop over objects", run: loop, result: loop },
      candidate: { name: "kernels", run: scan, result: scan },
    };
  });
}
