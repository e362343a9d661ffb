import type { IncomingMessage } from "node:http";
import { exactJsonText } from "../base/exact-json.ts";
import { send } from "./api-client.ts";

/** A statement and the values of `$1`, `$2`, …. */
export interface Question {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** What the server answers in: `Accept`. */
export const acceptOf = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  csv: "text/csv",
} as const;

/** Asks the server at `url`. @throws RefusedError, ConnectionError; the signal's reason when it was aborted */
export function ask(
  url: URL,
  question: Question,
  accept: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const body = exactJsonText({ sql: question.sql, params: question.params }) ?? "";
  const path = "/api/v1/analytics/custom-query";
  return send(url, { method: "POST", path, accept, body }, signal);
}
