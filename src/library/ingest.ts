import { exactJsonText } from "../base/exact-json.ts";
import type { Engine } from "../engine/engine.ts";
import type { BodyFormat, EventError, FieldMapping, Receipt } from "../engine/ingest.ts";
import { InputError, OverloadError } from "../errors.ts";
import { bodyBytesMax, receiptErrorsMax } from "../limits.ts";

/** An event as it is sent; whatever else stands at the top level becomes a property. */
export interface EventInput {
  readonly event_type?: string;
  /** A UUID; made when absent, and other text is hashed into one. */
  readonly id?: string;
  /** RFC 3339 with a zone, a number whose size says its unit, or a Date; the present when absent. */
  readonly timestamp?: string | number | bigint | Date;
  readonly source?: string | null;
  readonly user_id?: string | null;
  readonly session_id?: string | null;
  readonly properties?: object;
  readonly [field: string]: unknown;
}

export interface IngestOptions {
  /** `durable` (default): settled when the events are on disk. `memory`: when they are decoded and counted. */
  readonly ack?: "durable" | "memory";
  /** What bytes are; `ndjson` by default. Objects need none. */
  readonly format?: "ndjson" | "json" | "msgpack";
  /** Where the fixed fields of events are that others shaped. */
  readonly mapping?: FieldMapping;
  /** The same key with the same body gets the first receipt again. */
  readonly idempotencyKey?: string;
  /** Gives up waiting for room in the queue; what is queued is stored all the same. */
  readonly signal?: AbortSignal;
}

const formats: Readonly<Record<NonNullable<IngestOptions["format"]>, BodyFormat>> = {
  ndjson: "ndjson",
  json: "json-batch",
  msgpack: "msgpack-batch",
};

/** Events and characters of one body that is made of objects, and bodies on their way at once. */
const partEventsMax = 20_000;
const partCharsMax = 4 * 1024 * 1024;
const partsInFlight = 4;
/** Time between two tries to queue a body while the engine is behind. */
const retryMs = 5;

interface Part {
  readonly body: Uint8Array;
  readonly events: number;
}

/** Hands events to the engine; waits while it is behind, so that a fast producer is slowed down, not refused. */
export async function ingestEvents(
  engine: Engine,
  events: EventInput | readonly EventInput[] | Uint8Array,
  options: IngestOptions,
  closed: AbortSignal,
): Promise<Receipt> {
  const give = (body: Uint8Array, format: BodyFormat) =>
    handOver(engine, body, format, options, closed);
  if (events instanceof Uint8Array) {
    return give(events, formats[options.format ?? "ndjson"]);
  }
  if (options.format !== undefined) {
    const message = `format: got ${options.format} with objects, want it with bytes`;
    throw new InputError("invalid_parameter", message);
  }
  const list = Array.isArray(events) ? (events as readonly EventInput[]) : [events as EventInput];
  if (list.length === 0)
    return { accepted: 0, duplicates: 0, rejected: 0, errors: [], sequences: [] };
  const receipts: Receipt[] = [];
  const counts: number[] = [];
  const inFlight = new Set<Promise<void>>();
  let first: Error | undefined;
  for (const { body, events: count } of partsOf(list, options)) {
    const place = counts.push(count) - 1;
    const handed: Promise<void> = give(body, "ndjson")
      .then(
        (receipt) => {
          receipts[place] = receipt;
        },
        (error: Error) => {
          first ??= error;
        },
      )
      .finally(() => inFlight.delete(handed));
    inFlight.add(handed);
    if (inFlight.size >= partsInFlight) await Promise.race(inFlight);
    if (first !== undefined) break;
  }
  await Promise.all(inFlight);
  if (first !== undefined) throw first;
  return mergeReceipts(receipts, counts);
}

/** Objects as lines of JSON: what JSON has no text for is `null`, which the engine rejects by its index. */
function* partsOf(events: readonly EventInput[], options: IngestOptions): Generator<Part> {
  let lines: string[] = [];
  let chars = 0;
  for (const [i, event] of events.entries()) {
    const line = exactJsonText(event) ?? "null";
    lines.push(line);
    chars += line.length;
    const isFull = lines.length >= partEventsMax || chars >= partCharsMax;
    if (!isFull || i === events.length - 1) continue;
    if (options.idempotencyKey !== undefined) {
      const message = `got ${events.length} events with an idempotencyKey, want fewer: a key is one body's`;
      throw new InputError("invalid_idempotency_key", message);
    }
    yield { body: Buffer.from(lines.join("\n")), events: lines.length };
    lines = [];
    chars = 0;
  }
  yield { body: Buffer.from(lines.join("\n")), events: lines.length };
}

async function handOver(
  engine: Engine,
  body: Uint8Array,
  format: BodyFormat,
  options: IngestOptions,
  closed: AbortSignal,
): Promise<Receipt> {
  if (body.length > bodyBytesMax) {
    const message = `got a body of ${body.length} bytes, want at most ${bodyBytesMax}`;
    throw new InputError("body_too_large", message, { bytesMax: bodyBytesMax }, 413);
  }
  const { mapping, idempotencyKey, signal } = options;
  const request = {
    body: [body],
    byteLength: body.length,
    format,
    durable: options.ack !== "memory",
    ...(mapping && { mapping }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  };
  for (;;) {
    signal?.throwIfAborted();
    closed.throwIfAborted();
    try {
      return await new Promise<Receipt>((resolve, reject) => {
        engine.ingest(request, (failure, receipt) =>
          receipt === null ? reject(failure) : resolve(receipt),
        );
      });
    } catch (error) {
      if (!(error instanceof OverloadError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

/** One receipt of several bodies, as if they had been one. */
export function mergeReceipts(receipts: readonly Receipt[], counts: readonly number[]): Receipt {
  const [only] = receipts;
  if (only !== undefined && receipts.length === 1) return only;
  let before = 0;
  const errors: EventError[] = [];
  const ranges: { partition: number; first: string; last: string }[] = [];
  for (const [i, receipt] of receipts.entries()) {
    for (const error of receipt.errors) {
      if (errors.length < receiptErrorsMax) errors.push({ ...error, index: error.index + before });
    }
    for (const range of receipt.sequences ?? []) {
      const last = ranges.findLast(({ partition }) => partition === range.partition);
      if (last !== undefined && BigInt(last.last) + 1n === BigInt(range.first)) {
        last.last = range.last;
      } else ranges.push({ ...range });
    }
    before += counts[i] ?? 0;
  }
  const sum = (count: (receipt: Receipt) => number) =>
    receipts.reduce((total, receipt) => total + count(receipt), 0);
  return {
    accepted: sum(({ accepted }) => accepted),
    duplicates: sum(({ duplicates }) => duplicates),
    rejected: sum(({ rejected }) => rejected),
    errors,
    ...(receipts.every(({ sequences }) => sequences !== undefined) && { sequences: ranges }),
  };
}
