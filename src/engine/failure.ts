import {
  CorruptionError,
  DiskFullError,
  InputError,
  LimitError,
  MillraceError,
  OverloadError,
} from "../errors.ts";

/** What an ingest can fail with: the body (InputError), load, the disk, or an engine that has stopped. */
export type EngineFailure = InputError | OverloadError | DiskFullError | MillraceError;

/** An error on its way between threads. */
export interface FailureMessage {
  readonly kind: "input" | "overload" | "disk-full" | "corruption" | "limit" | "other";
  readonly code: string;
  readonly message: string;
  readonly detail: Record<string, unknown>;
  readonly status?: number;
}

const kinds = [
  ["input", InputError],
  ["overload", OverloadError],
  ["disk-full", DiskFullError],
  ["corruption", CorruptionError],
  ["limit", LimitError],
] as const;

/** Errors lose their class between threads: what is needed to make them again. */
export function packFailure(error: unknown): FailureMessage {
  if (!(error instanceof MillraceError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { kind: "other", code: "internal", message: text, detail: {} };
  }
  const kind = kinds.find(([, type]) => error instanceof type)?.[0] ?? "other";
  const { code, message, detail } = error;
  const packed: FailureMessage = { kind, code, message, detail: { ...detail } };
  return "status" in error ? { ...packed, status: error.status as number } : packed;
}

/** The error that `packFailure` has packed. */
export function unpackFailure(failure: FailureMessage): EngineFailure {
  const { kind, code, message, detail, status } = failure;
  if (kind === "input") return new InputError(code, message, detail, status);
  if (kind === "overload") {
    const seconds = Number(detail.retryAfterSeconds ?? 1);
    return new OverloadError(code, message, seconds, status === 503 ? 503 : 429);
  }
  if (kind === "disk-full") return new DiskFullError(code, message, detail);
  if (kind === "corruption") return new CorruptionError(code, message, detail);
  if (kind === "limit") return new LimitError(code, message, detail);
  return new MillraceError(code, message, detail);
}
