import type { EngineFailure } from "./failure.ts";

/** How the bytes of a body are to be read. */
export type BodyFormat = "json-event" | "json-batch" | "ndjson" | "msgpack-event" | "msgpack-batch";

/**
 * Where the fixed fields of an event are found, for events that others shaped. A value is a field
 * (a dotted path; a dot inside a key is written `\.`) or, between single quotes, a constant.
 */
export interface FieldMapping {
  id?: string;
  timestamp?: string;
  event_type?: string;
  source?: string;
  user_id?: string;
  session_id?: string;
  /** Unit of numeric timestamps; without it the number's size decides. */
  timestamp_unit?: "s" | "ms" | "us" | "ns";
}

/** Shared memory for one body while it is received; chunks are copied as they come. */
export interface BodyPlace {
  readonly length: number;
  /** Appends a chunk; in all, no more than the length that the place was reserved for. */
  write(chunk: Uint8Array): void;
  /** Gives up a body that `ingest` did not take; nothing happens once it did. */
  release(): void;
}

/** One body on its way into the engine. Chunks are copied before `ingest` returns; a place is taken over. */
export interface IngestRequest {
  readonly body: readonly Uint8Array[] | BodyPlace;
  readonly byteLength: number;
  readonly format: BodyFormat;
  /** True: answered after the flush. False: answered once decoded and admitted. */
  readonly durable: boolean;
  readonly mapping?: FieldMapping;
  readonly idempotencyKey?: string;
}

/** Why one event of a batch was not taken. */
export interface EventError {
  readonly index: number;
  readonly code: string;
  readonly message: string;
}

/** The answer to an admitted body; for `durable: false` it has no sequences. */
export interface Receipt {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  /** At most `receiptErrorsMax`; `rejected` counts all. */
  readonly errors: readonly EventError[];
  /** One range per partition that took rows; empty when none did. Decimal text, both ends included. */
  readonly sequences?: readonly { partition: number; first: string; last: string }[];
}

/** Called exactly once, with a failure or a receipt. */
export type IngestDone = (failure: EngineFailure | null, receipt: Receipt | null) => void;
