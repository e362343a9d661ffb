// EXPLAIN's answer: a plan as lines of text in one column, as PostgreSQL has it, or as one JSON document.

import { JsonText, type QueryResult, type QueryStats, type Value } from "../result.ts";
import { statsDocument } from "../result-text.ts";
import type { QueryPlan } from "./explain.ts";

export type ExplainFormat = "text" | "json";

/** The plan as a result; with `done`, what became of it when it was run. */
export function explainResult(
  plan: QueryPlan,
  done: QueryStats | null,
  format: ExplainFormat,
  asOf: string,
): QueryResult {
  const rows: Value[][] =
    format === "text" ? planLines(plan, done).map((line) => [line]) : [[planJson(plan, done)]];
  return {
    columns: [{ name: "QUERY PLAN", type: format === "text" ? "string" : "json" }],
    rows,
    asOf,
    stats: done ?? noStats,
  };
}

const noStats: QueryStats = {
  rowsScanned: 0,
  rowsMatched: 0,
  segmentsScanned: 0,
  segmentsPruned: 0,
  executionUs: 0,
};

function planJson(plan: QueryPlan, done: QueryStats | null): JsonText {
  const { groupBy, ...rest } = plan;
  const document = { ...rest, group_by: groupBy, ...(done && { done: statsDocument(done) }) };
  return new JsonText(JSON.stringify(document));
}

/** From the last step to the first, each within the one that reads it. */
export function planLines(plan: QueryPlan, done: QueryStats | null): string[] {
  const lines: string[] = [];
  let depth = 0;
  const step = (title: string, details: readonly (string | null)[]): void => {
    lines.push(depth === 0 ? title : `${"  ".repeat(depth * 2 - 1)}->  ${title}`);
    for (const detail of details) {
      if (detail !== null) lines.push(`${"  ".repeat(depth * 2 + 1)}${detail}`);
    }
    depth++;
  };
  const cut = limitText(plan);
  if (cut !== null) step(cut, []);
  const { strategy, by } = plan.order;
  if (by.length > 0) step(`Sort by ${by.join(", ")}`, [`Strategy: ${orderText(strategy)}`]);
  if (plan.fill !== null) step(`Fill gaps with ${plan.fill}`, []);
  if (plan.groupBy !== null || plan.aggregates.length > 0) {
    const keys = plan.groupBy?.map((key) => `${key.text} (${key.strategy})`) ?? [];
    step(keys.length > 0 ? `Group by ${keys.join(", ")}` : "Aggregate", [
      plan.aggregates.length > 0 ? `Aggregates: ${plan.aggregates.join(", ")}` : null,
      plan.having === null ? null : `Having: ${plan.having}`,
      done?.groups === undefined ? null : `Groups: ${done.groups}`,
    ]);
  }
  step("Scan on events", scanLines(plan, done));
  const { rollup, why } = plan.rollup;
  if (why !== "") lines.push(`Rollup: ${rollup === null ? `none; ${why}` : `${rollup}; ${why}`}`);
  if (done !== null) lines.push(...doneLines(done));
  return lines;
}

function limitText({ limit, offset }: QueryPlan): string | null {
  if (limit === null && offset === 0) return null;
  const skip = offset === 0 ? "" : ` after ${offset}`;
  return limit === null ? `Skip ${offset}` : `Limit ${limit}${skip}`;
}

const orderTexts: Readonly<Record<QueryPlan["order"]["strategy"], string>> = {
  none: "one row",
  keys: "by the keys of the groups",
  sequence: "as they are stored",
  time: "segments by their times, ending early",
  top: "the best are kept",
  sort: "all are sorted",
};

function orderText(strategy: QueryPlan["order"]["strategy"]): string {
  return orderTexts[strategy];
}

function scanLines(plan: QueryPlan, done: QueryStats | null): (string | null)[] {
  const { segments, rows, filter, columns } = plan;
  const pruned = Object.entries(segments.pruned).map(([reason, count]) => `${count} by ${reason}`);
  const conditions = filter.map(({ text, part }) => `${text} (${percent(part)})`);
  const uses = columns.map((column) => `${column.path} (${column.uses.join(", ")})`);
  return [
    `Segments: ${segments.read} of ${segments.total} to read, ${segments.hot} in memory` +
      (pruned.length > 0 ? `; pruned: ${pruned.join(", ")}` : ""),
    `Rows: ${rows.read} of ${rows.total} to read, about ${rows.estimated} to pass`,
    conditions.length > 0 ? `Filter: ${conditions.join(" AND ")}` : null,
    uses.length > 0 ? `Columns: ${uses.join(", ")}` : null,
    done &&
      `Done: ${done.rowsScanned} rows read, ${done.rowsMatched} passed; ` +
        `${done.segmentsScanned} segments read, ${done.segmentsPruned} pruned`,
  ];
}

function percent(part: number): string {
  const value = part * 100;
  return `${value >= 10 || value === 0 ? Math.round(value) : value.toPrecision(1)} %`;
}

function doneLines(done: QueryStats): string[] {
  const lines: string[] = [];
  const { stages, threads, memoryBytes } = done;
  if (stages) {
    const times = Object.entries(stages).map(([stage, us]) => `${stage} ${milliseconds(us)}`);
    lines.push(`Stages: ${times.join(", ")}`);
  }
  if (threads !== undefined) {
    lines.push(
      `Threads: ${threads}; stored columns: ${done.columnsCached} decoded before, ${done.columnsDecoded} decoded now ` +
        `(${done.bytesDecoded} bytes)`,
    );
  }
  if (memoryBytes !== undefined) lines.push(`Memory: ${memoryBytes} bytes on one thread at most`);
  lines.push(`Execution time: ${milliseconds(done.executionUs)}`);
  return lines;
}

function milliseconds(us: number): string {
  return `${(us / 1000).toFixed(3)} ms`;
}
