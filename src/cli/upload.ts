import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import { MillraceError } from "../errors.ts";
import { problemOf, strangerText, unreachedText } from "./api-client.ts";
import type { FileFormat } from "./source.ts";

/** The part of a receipt that an import reports. */
export interface BatchReceipt {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly errors: readonly { index: number; code: string; message: string }[];
}

export interface UploadTarget {
  readonly url: URL;
  /** Query parameters: the field mapping and `ack`. */
  readonly parameters: URLSearchParams;
  /** Seconds from a batch's first failure after which it is given up. */
  readonly retrySeconds: number;
}

/** Told what is being waited for, so that a person knows why nothing moves. */
export type OnWait = (reason: string, seconds: number) => void;

const CONTENT_TYPES: Readonly<Record<FileFormat, string>> = {
  ndjson: "application/x-ndjson",
  json: "application/json",
  msgpack: "application/msgpack",
};

/** Answers after which the same request may succeed: still in flight, too much, or a server that is down. */
const RETRIED_STATUSES = new Set([408, 409, 429, 500, 502, 503, 504, 507]);

const REQUEST_MS_MAX = 120_000;
const BACKOFF_MS_MIN = 100;
const BACKOFF_MS_MAX = 10_000;

/** The server did not take a batch, and another try would not change that. */
export class UploadError extends MillraceError {}

interface Attempt {
  readonly receipt?: BatchReceipt;
  /** Set when a retry makes sense. */
  readonly failure?: string;
  readonly retryAfterMs?: number;
}

/**
 * Posts one batch until it is taken. Every attempt carries the same `Idempotency-Key`, so a batch whose answer
 * was lost is counted once: the retry gets the receipt of the first attempt.
 */
export async function uploadBatch(
  body: Uint8Array,
  format: FileFormat,
  idempotencyKey: string,
  target: UploadTarget,
  clock: Clock,
  onWait: OnWait,
): Promise<BatchReceipt> {
  let backoffMs = BACKOFF_MS_MIN;
  let failingSinceMs: number | undefined;
  for (;;) {
    const attempt = await post(body, format, idempotencyKey, target);
    if (attempt.receipt !== undefined) return attempt.receipt;
    const reason = attempt.failure ?? "no answer";
    failingSinceMs ??= clock.monotonicMs();
    const waitMs = attempt.retryAfterMs ?? backoffMs;
    const waitedMs = clock.monotonicMs() - failingSinceMs + waitMs;
    if (waitedMs > target.retrySeconds * 1000) {
      throw new UploadError("gave_up", `gave up after ${target.retrySeconds} s: ${reason}`);
    }
    onWait(reason, waitMs / 1000);
    await delay(waitMs);
    backoffMs = Math.min(backoffMs * 2, BACKOFF_MS_MAX);
  }
}

async function post(
  body: Uint8Array,
  format: FileFormat,
  idempotencyKey: string,
  target: UploadTarget,
): Promise<Attempt> {
  const address = new URL("/api/v1/events/batch", target.url);
  address.search = target.parameters.toString();
  let response: Response;
  let text: string;
  try {
    response = await fetch(address, {
      method: "POST",
      // The view's bytes are sent as they are; fetch wants to know that no other thread shares them.
      body: body as Uint8Array<ArrayBuffer>,
      headers: { "content-type": CONTENT_TYPES[format], "idempotency-key": idempotencyKey },
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
    });
    text = await response.text();
  } catch (error) {
    const { cause } = error as Error;
    const reason = cause instanceof Error ? cause : (error as Error);
    return { failure: unreachedText(target.url, reason) };
  }
  if (response.status === 200 || response.status === 202) return { receipt: readReceipt(text) };
  const reason = refusalText(target.url, response.status, text);
  if (!RETRIED_STATUSES.has(response.status)) throw new UploadError("refused", reason);
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds)
    ? { failure: reason, retryAfterMs: Math.max(seconds * 1000, BACKOFF_MS_MIN) }
    : { failure: reason };
}

function readReceipt(text: string): BatchReceipt {
  const receipt = problemOf(text) ?? {};
  const count = (name: string) => {
    const value = receipt[name];
    if (typeof value !== "number") {
      throw new UploadError(
        "not_a_receipt",
        `the server's answer has no ${name}: ${text.slice(0, 200)}`,
      );
    }
    return value;
  };
  return {
    accepted: count("accepted"),
    duplicates: count("duplicates"),
    rejected: count("rejected"),
    errors: Array.isArray(receipt.errors) ? (receipt.errors as BatchReceipt["errors"]) : [],
  };
}

/** The sentence of a problem document, or that it is none. */
function refusalText(url: URL, status: number, text: string): string {
  const problem = problemOf(text);
  const sentence = problem?.detail ?? problem?.title;
  return typeof sentence === "string" ? `${status} ${sentence}` : strangerText(url, status);
}
