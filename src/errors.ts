/** What went wrong, in the words of the API: `code` is stable, `message` says got, wanted and where. */
export interface ErrorDetail {
  /** Byte offset in the request body. */
  byteOffset?: number;
  /** Index of the event in its batch. */
  eventIndex?: number;
  /** Character offset in the SQL text, 1-based. */
  position?: number;
  /** Seconds after which a retry makes sense. */
  retryAfterSeconds?: number;
  [extension: string]: unknown;
}

/** Base of every error that Millrace raises on purpose. */
export class MillraceError extends Error {
  readonly code: string;
  readonly detail: ErrorDetail;

  constructor(code: string, message: string, detail: ErrorDetail = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.detail = detail;
  }
}

/** The caller sent something that can't be taken: HTTP 400, or `status` where the contract names another. */
export class InputError extends MillraceError {
  readonly status: number;

  constructor(code: string, message: string, detail: ErrorDetail = {}, status = 400) {
    super(code, message, detail);
    this.status = status;
  }
}

/** A setting that can't be used; the message names it. */
export class ConfigError extends MillraceError {}

/** The engine is behind (429), or not ready to take this yet (503): try again after `retryAfterSeconds`. */
export class OverloadError extends MillraceError {
  readonly status: 429 | 503;

  constructor(code: string, message: string, retryAfterSeconds: number, status: 429 | 503 = 429) {
    super(code, message, { retryAfterSeconds });
    this.status = status;
  }
}

/** The disk has less room than `disk.reserve`: HTTP 507; reads go on. */
export class DiskFullError extends MillraceError {}

/** Stored bytes that are not what was written. Never served, never repaired silently. */
export class CorruptionError extends MillraceError {}

/** A query that asks for more than its limits: what it would have needed is in the message. */
export class LimitError extends MillraceError {
  readonly status = 413;
}

/** A query that takes longer than it may: how far it came is in the message. */
export class TimeoutError extends MillraceError {
  readonly status = 504;
}
