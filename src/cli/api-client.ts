import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { parseExactJson } from "../base/exact-json.ts";
import { MillraceError } from "../errors.ts";

/** The server has refused a request; `position` is the character of the SQL in it, from 1, where there is one. */
export class RefusedError extends MillraceError {
  readonly status: number;
  readonly position: unknown;

  constructor(status: number, problem: Record<string, unknown>) {
    const { code, detail, title, position, request_id: requestId } = problem;
    const sentence = [detail, title].find((one) => typeof one === "string") as string | undefined;
    // What the server's log says more is found by the request.
    const place = status >= 500 && requestId !== undefined ? ` (request ${String(requestId)})` : "";
    super(String(code ?? "refused"), (sentence ?? `status ${status}`) + place);
    this.status = status;
    this.position = position;
  }
}

/** Nobody answers at that address, or somebody else does, or the answer was cut off. */
export class ConnectionError extends MillraceError {}

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With its parameters. */
  readonly path: string;
  readonly accept?: string;
  /** JSON text. */
  readonly body?: string;
}

/**
 * Asks the server at `url`; the answer's body is a stream that is read as fast as its reader takes it. Aborting
 * `signal` closes the connection, and that ends what the server does for it.
 *
 * @throws RefusedError, ConnectionError; the signal's reason when it was aborted
 */
export function send(url: URL, asked: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const { method, path, body, accept = "application/json" } = asked;
  const address = new URL(path, url);
  const open = address.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      if (signal.aborted) return reject(signal.reason);
      const message = unreachedText(url, error);
      reject(new ConnectionError("unreachable", message, {}, { cause: error }));
    };
    const request = open(address, {
      method,
      headers: {
        accept,
        ...(body !== undefined && {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
        }),
      },
      // An answer may take as long as it takes; a connection of its own can be closed without harm.
      agent: false,
      signal,
    });
    request.on("error", fail);
    request.on("response", (response) => {
      const { statusCode: status = 0 } = response;
      if (status >= 200 && status < 300) return resolve(response);
      readText(response).then((text) => {
        const problem = problemOf(text);
        reject(problem === null ? strangerError(url, status) : new RefusedError(status, problem));
      }, fail);
    });
    request.end(body);
  });
}

/**
 * The JSON of an answer, with all digits of its integers; undefined for an answer without a body.
 *
 * @throws RefusedError, ConnectionError
 */
export async function callApi(url: URL, asked: ApiRequest, timeoutMs = 30_000): Promise<unknown> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await send(url, asked, signal);
    const text = await readText(response);
    if (response.statusCode === 204) return undefined;
    try {
      return parseExactJson(text);
    } catch {
      throw strangerError(url, response.statusCode ?? 0);
    }
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    const message = signal.aborted
      ? `no answer from ${url.host} within ${timeoutMs / 1000} s`
      : `the answer was cut off: ${(error as Error).message}`;
    throw new ConnectionError("no_answer", message, {}, { cause: error });
  }
}

/** Why `url` can't be reached, with what can be done about it. */
export function unreachedText(url: URL, error: Error): string {
  const { code = "", message } = error as { code?: string; message: string };
  const what = `can't reach ${url.host}`;
  // OpenSSL's own words are three lines about its sources.
  if (/wrong version number|EPROTO/.test(`${message} ${code}`)) {
    return `${what}: it doesn't speak TLS, want --url http://${url.host}`;
  }
  const advice = code === "ECONNREFUSED" ? "; is millrace serve running there?" : "";
  return `${what}: ${message || code || String(error)}${advice}`;
}

/** The whole of a body, as text. */
export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** The members of a JSON object, such as a problem document; null for anything else. */
export function problemOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** What else listens there, a proxy perhaps, has pages of its own: they say nothing to who asked. */
export function strangerText(url: URL, status: number): string {
  return `${url.host} answered ${status}, and not as Millrace does; is --url right?`;
}

function strangerError(url: URL, status: number): ConnectionError {
  return new ConnectionError("not_millrace", strangerText(url, status));
}
