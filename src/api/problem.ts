import { STATUS_CODES } from "node:http";
import { type ErrorDetail, InputError, MillraceError } from "../errors.ts";

/** What an answer that is not a success says: RFC 9457, the same for every route and for WebSocket frames. */
export interface Problem {
  readonly status: number;
  /** Stable; clients branch on it. */
  readonly code: string;
  /** For people: what was got, what was wanted and where. */
  readonly message: string;
  readonly detail: ErrorDetail;
}

export const problemType = "application/problem+json";

/** Statuses of the errors that do not carry one. */
const statusOfName: Readonly<Record<string, number>> = { DiskFullError: 507 };

/** The problem an error amounts to. Errors that nobody raised on purpose stay inside: their text is not shown. */
export function problemFrom(error: unknown): Problem {
  if (error instanceof MillraceError) {
    const own = (error as { status?: unknown }).status;
    const status = typeof own === "number" ? own : (statusOfName[error.name] ?? 500);
    return { status, code: error.code, message: error.message, detail: error.detail };
  }
  return {
    status: 500,
    code: "internal_error",
    message: "Millrace failed to answer; its log has the cause under this request id",
    detail: {},
  };
}

/** Refusals with a status from 500 on that are as they should be: not supported, not now, no room. */
const expectedStatuses = new Set([501, 503, 504, 507]);

/** Whether the log has to tell of it: nobody wanted this, and the caller can do nothing about it. */
export function isFault({ status }: Problem): boolean {
  return status >= 500 && !expectedStatuses.has(status);
}

/** The problem document as JSON text. Extension members are in snake case. */
export function problemText(problem: Problem, requestId?: string): string {
  const document: Record<string, unknown> = {
    type: `urn:millrace:problem:${problem.code}`,
    title: STATUS_CODES[problem.status] ?? "Error",
    status: problem.status,
    detail: problem.message,
    code: problem.code,
  };
  if (requestId !== undefined) document.request_id = requestId;
  for (const [key, value] of Object.entries(problem.detail)) document[snakeCase(key)] ??= value;
  return JSON.stringify(document, (_key, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
}

/** Headers that go with a problem: when to come back, which methods there are, what to upgrade to. */
export function problemHeaders(problem: Problem): Record<string, string> {
  const headers: Record<string, string> = { "Content-Type": problemType };
  const { retryAfterSeconds, allow } = problem.detail;
  if (retryAfterSeconds !== undefined) headers["Retry-After"] = String(retryAfterSeconds);
  if (Array.isArray(allow)) headers.Allow = allow.join(", ");
  if (problem.status === 426) headers.Upgrade = "websocket";
  return headers;
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A whole HTTP/1.1 response, for sockets that no response object speaks for. */
export function problemResponse(problem: Problem, requestId?: string): string {
  const body = problemText(problem, requestId);
  const headers: Record<string, string> = {
    ...problemHeaders(problem),
    "Content-Length": String(Buffer.byteLength(body)),
    Connection: "close",
  };
  if (requestId !== undefined) headers["X-Request-Id"] = requestId;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const title = STATUS_CODES[problem.status] ?? "Error";
  return `HTTP/1.1 ${problem.status} ${title}\r\n${lines.join("")}\r\n${body}`;
}

export function notFound(path: string): InputError {
  const message = `got ${shown(path)}, want a path of the API; /api/v1/openapi.json lists them`;
  return new InputError("not_found", message, {}, 404);
}

export function methodNotAllowed(method: string, path: string, allow: string[]): InputError {
  const message = `got ${method} ${shown(path)}, want ${allow.join(" or ")}`;
  return new InputError("method_not_allowed", message, { allow }, 405);
}

export function upgradeRequired(path: string): InputError {
  const message = `${shown(path)} speaks WebSocket: want a request with Upgrade: websocket`;
  return new InputError("upgrade_required", message, {}, 426);
}

export function bodyTooLarge(bytesMax: number, got?: number): InputError {
  const message =
    got === undefined
      ? `got a body of more than ${bytesMax} bytes, want at most so many, decompressed`
      : `got a body of ${got} bytes, want at most ${bytesMax}`;
  return new InputError("body_too_large", message, { bytesMax }, 413);
}

function shown(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
