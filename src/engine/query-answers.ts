// What becomes of a worker's answer, and of its end, on the thread that asked.

import { LANE_BOOLEAN, LANE_JSON, LANE_NUMBER, LANE_STRING } from "../core/layout.ts";
import { LimitError, MillraceError, OverloadError } from "../errors.ts";
import type { ReadAnswer } from "../query/read/read-job.ts";
import { JsonText, type QueryResult, type Value } from "../query/result.ts";
import { type ResultFormat, resultBytes } from "../query/result-text.ts";
import type { LaneType } from "../query/sql/catalog.ts";
import type { ResultText } from "./engine.ts";
import { type FailureMessage, unpackFailure } from "./failure.ts";
import { nextChunk } from "./kept-results.ts";

const lanes: readonly [lane: number, type: LaneType][] = [
  [LANE_BOOLEAN, "boolean"],
  [LANE_NUMBER, "number"],
  [LANE_STRING, "string"],
  [LANE_JSON, "json"],
];

/** The types of the values that a path has in these lanes. */
export function laneTypes(of: ReadonlySet<number>): LaneType[] {
  return lanes.flatMap(([lane, type]) => (of.has(lane) ? [type] : []));
}

/** Messages keep no classes: JSON cells are the only objects among values. */
export function revive(answer: ReadAnswer): ReadAnswer {
  if (!("rows" in answer)) return answer;
  const rows = answer.rows.map((row) =>
    row.map((value: Value) =>
      typeof value === "object" && value !== null && "text" in value
        ? new JsonText(value.text)
        : value,
    ),
  );
  return { ...answer, rows };
}

/** Text of a result of this thread: small, as what it answers is. */
export function ownText(result: QueryResult, format: ResultFormat): ResultText {
  const from = resultBytes(format, result);
  const { pieces, done } = nextChunk(from);
  const rest = {
    next: async () => nextChunk(from).pieces,
    cancel: () => {},
    onFailure: () => {},
  };
  return { asOf: result.asOf, pieces, rest: done ? null : rest };
}

/** What a worker could not do: a fault of ours keeps its text for the log. */
export function queryFailure(failure: FailureMessage): Error {
  const error = unpackFailure(failure);
  if (failure.kind !== "other" || failure.code !== "internal") return error;
  if (/^RangeError: (?:Invalid|Map|Set|Array)/.test(failure.message)) {
    const reason = failure.message.split("\n")[0];
    return new LimitError(
      "query_memory",
      `the query makes more than JavaScript can hold at once: ${reason}`,
    );
  }
  return new MillraceError(
    "query_failed",
    "the query failed on its thread; the log has the cause under this request id",
    {},
    { cause: new Error(failure.message) },
  );
}

/** Why the thread of a query ended. */
export function threadFailure(failure: unknown): MillraceError {
  const { code, message } = failure instanceof Error ? (failure as NodeJS.ErrnoException) : {};
  if (code === "ERR_WORKER_OUT_OF_MEMORY") {
    return new LimitError(
      "query_memory",
      "the query needs more memory for its result, or for its groups, than its thread may have",
    );
  }
  const reason = message ?? "it ended";
  return new MillraceError("query_thread_failed", `the thread of this query failed: ${reason}`);
}

export function closedError(): OverloadError {
  return new OverloadError("shutting_down", "the server is shutting down", 1, 503);
}
