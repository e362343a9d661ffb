import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { exactJsonText } from "../base/exact-json.ts";
import { MillraceError } from "../errors.ts";

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

/** The server has refused a statement; `position` is the character of it, from 1, where there is one. */
export class RefusedError extends MillraceError {
  readonly status: number;
  readonly position: unknown;

  constructor(status: number, problem: Record<string, unknown>, text: string) {
    const { code, detail, title, position, request_id: requestId } = problem;
    const sentence = [detail, title].find((one) => typeof one === "string") as string | undefined;
    // What the server's log says more is found by the request.
    const place = status >= 500 && requestId !== undefined ? ` (request ${String(requestId)})` : "";
    const words = sentence ?? `status ${status}: ${text.slice(0, 200)}`;
    super(String(code ?? "refused"), words + place);
    this.status = status;
    this.position = position;
  }
}

/** Nobody answers at that address, or the answer was cut off. */
export class ConnectionError extends MillraceError {}

/**
 * Asks the server at `url`; the answer's body is a stream that is read as fast as its reader takes it. Aborting
 * `signal` closes the connection, and that ends the query on the server.
 *
 * @throws RefusedError, ConnectionError; the signal's reason when it was aborted
 */
export function ask(
  url: URL,
  question: Question,
  accept: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const address = new URL("/api/v1/analytics/custom-query", url);
  const send = address.protocol === "https:" ? requestHttps : requestHttp;
  const body = exactJsonText({ sql: question.sql, params: question.params }) ?? "";
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      if (signal.aborted) return reject(signal.reason);
      const message = `can't reach ${url.host}: ${error.message || String(error)}`;
      reject(new ConnectionError("unreachable", message, {}, { cause: error }));
    };
    const request = send(address, {
      method: "POST",
      headers: {
        accept,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      },
      // A query may take as long as it takes; a connection of its own can be closed without harm.
      agent: false,
      signal,
    });
    request.on("error", fail);
    request.on("response", (response) => {
      if (response.statusCode === 200) return resolve(response);
      readText(response).then((text) => {
        reject(new RefusedError(response.statusCode ?? 0, problemOf(text), text));
      }, fail);
    });
    request.end(body);
  });
}

/** The whole of a body, as text. */
export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function problemOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
