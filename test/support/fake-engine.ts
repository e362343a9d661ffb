import type {
  ColumnSummary,
  Engine,
  EngineStats,
  Explain,
  QueryFigures,
  QueryInfo,
  QueryOptions,
  Readiness,
  ResultRest,
  ResultText,
  SegmentSummary,
} from "../../src/engine/engine.ts";
import type {
  BodyPlace,
  EventError,
  IngestDone,
  IngestRequest,
  Receipt,
} from "../../src/engine/ingest.ts";
import { noFigures } from "../../src/engine/query-figures.ts";
import { InputError, MillraceError } from "../../src/errors.ts";
import type { Query } from "../../src/query/query.ts";
import type { EventsPage, EventsRequest, QueryResult } from "../../src/query/result.ts";
import { type ResultFormat, resultBytes } from "../../src/query/result-text.ts";
import type { QueryLimits } from "../../src/query/run/execution.ts";
import type { CatalogPath } from "../../src/query/sql/catalog.ts";
import { FakeStreams } from "./fake-streams.ts";

interface StoredEvent {
  readonly event_type: string;
  readonly source?: string;
}

/** Memory for one body that fails a body which is longer than was announced. */
class FakePlace implements BodyPlace {
  readonly #bytes: Buffer;
  readonly #open: Set<FakePlace>;
  length = 0;

  constructor(byteLength: number, open: Set<FakePlace>) {
    this.#bytes = Buffer.alloc(byteLength);
    this.#open = open;
  }

  write(chunk: Uint8Array): void {
    if (this.length + chunk.length > this.#bytes.length) throw new RangeError("beyond the place");
    this.#bytes.set(chunk, this.length);
    this.length += chunk.length;
  }

  take(): Buffer {
    this.#open.delete(this);
    return this.#bytes.subarray(0, this.length);
  }

  release(): void {
    this.#open.delete(this);
  }
}

/**
 * An engine in memory, as far as the front can tell: JSON only, `event_type` required, ids deduplicated.
 * Tests hold it back (`hold`), fail it (`failNext`) and read what it was given (`requests`).
 */
export class FakeEngine implements Engine {
  readonly requests: (IngestRequest & { readonly text: string })[] = [];
  readonly asked: Query[] = [];
  readonly options: QueryOptions[] = [];
  /** What the list of running queries says, and which of them were killed by whom. */
  running: QueryInfo[] = [];
  paths: CatalogPath[] = [];
  /** What follows the beginning of a result. */
  rest: ResultRest | null = null;
  readonly killed: [id: string, by: string][] = [];
  readonly eventsRequests: EventsRequest[] = [];
  readonly stored: string[] = [];
  readonly #ids = new Set<string>();
  readonly #listeners = new Set<(nextSequence: bigint) => void>();
  #held: (() => void)[] | null = null;
  failNext: MillraceError | null = null;
  failNextQuery: MillraceError | null = null;
  state: Readiness = { reads: true, ingest: true };
  result: QueryResult = emptyResult;
  /** When set, what `query` and `events` wait for. */
  gate: Promise<unknown> | null = null;
  aborted = 0;
  closed = false;
  refusal: string | undefined;

  readonly streams = new FakeStreams();

  /** Places that were reserved and neither released nor taken by `ingest`. */
  readonly places = new Set<FakePlace>();

  reserve(byteLength: number): BodyPlace {
    const place = new FakePlace(byteLength, this.places);
    this.places.add(place);
    return place;
  }

  ingest(request: IngestRequest, done: IngestDone): void {
    if (this.failNext !== null) {
      const failure = this.failNext;
      this.failNext = null;
      throw failure;
    }
    const { body } = request;
    const text = (
      body instanceof FakePlace ? body.take() : Buffer.concat(body as Uint8Array[])
    ).toString("utf8");
    this.requests.push({ ...request, text });
    const run = () => {
      try {
        done(null, this.#admit(text, request));
      } catch (error) {
        done(error as InputError, null);
      }
    };
    if (this.#held !== null) this.#held.push(run);
    else setImmediate(run);
  }

  /** Answers no ingest until `release`; `answerHeld(i)` answers one out of turn. */
  hold(): void {
    this.#held = [];
  }

  heldCount(): number {
    return this.#held?.length ?? 0;
  }

  answerHeld(index: number): void {
    const [run] = this.#held?.splice(index, 1) ?? [];
    run?.();
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const run of held) run();
  }

  /** Stores events as if they had come in. */
  publish(events: readonly object[]): void {
    for (const event of events) {
      this.stored.push(JSON.stringify({ ...event, sequence: String(this.stored.length) }));
    }
    for (const listener of this.#listeners) listener(this.nextSequence());
  }

  async query(query: Query, options: QueryOptions = {}): Promise<QueryResult> {
    this.asked.push(query);
    this.options.push(options);
    const failure = this.failNextQuery;
    this.failNextQuery = null;
    if (failure !== null) throw failure;
    await this.#wait(options.signal);
    return this.result;
  }

  async events(request: EventsRequest, { signal }: QueryOptions = {}): Promise<EventsPage> {
    this.eventsRequests.push(request);
    if (request.where === "nonsense") {
      throw new InputError("sql_syntax", "got nonsense, want an expression", { position: 1 });
    }
    await this.#wait(signal);
    const first = Number(request.fromSequence ?? 0n);
    const events: string[] = [];
    let sequence = first;
    while (sequence < this.stored.length && events.length < request.limit) {
      const text = this.stored[sequence++] as string;
      if (matches(JSON.parse(text) as StoredEvent, request)) events.push(text);
    }
    const more = sequence < this.stored.length;
    return {
      events,
      nextCursor: more && request.order !== "sequence" ? `after-${sequence}` : null,
      asOf: String(this.stored.length),
      nextSequence: BigInt(sequence),
    };
  }

  async answer(query: Query, format: ResultFormat, options?: QueryOptions): Promise<ResultText> {
    const result = await this.query(query, options);
    return { asOf: result.asOf, pieces: [...resultBytes(format, result)], rest: this.rest };
  }

  storedSegments(): readonly SegmentSummary[] {
    return storedSegments;
  }

  async explain(query: Query, _explain: Explain, options?: QueryOptions): Promise<QueryResult> {
    return this.query(query, options);
  }

  resultLimits(): QueryLimits {
    return {};
  }

  catalog(): CatalogPath[] {
    return this.paths;
  }

  queries(): QueryInfo[] {
    return this.running;
  }

  killQuery(id: string, by: string): boolean {
    const found = this.running.some((one) => one.id === id);
    if (found) this.killed.push([id, by]);
    return found;
  }

  queryFigures(): QueryFigures {
    return { ...noFigures, running: this.running.length, killed: this.killed.length };
  }

  onPublish(listener: (nextSequence: bigint) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  nextSequence(): bigint {
    return BigInt(this.stored.length);
  }

  readiness(): Readiness {
    return this.state;
  }

  stats(): EngineStats {
    return {
      eventsProcessed: this.stored.length,
      duplicates: 2,
      rejected: 1,
      ingestBytes: 1234,
      bodiesRefused: { body_cut_off: 3 },
      commits: 4,
      commitMs: { bounds: [1, 10, Infinity], counts: [3, 1, 0], sum: 7 },
      queueBytes: 0,
      queueRequests: 0,
      nextSequence: String(this.stored.length),
      segments: 1,
      storedRows: this.stored.length,
      storedBytes: 100,
      journalRecords: 1,
      storeBytes: { file: 2000, journal: 500, columns: 700, segments: 34 },
      compaction: {
        compactions: 2,
        segments: 9,
        rows: 1000,
        bytesBefore: 5000,
        bytesAfter: 4000,
        failures: 0,
        running: [],
      },
      memory: { ring: { reserved: 10, used: 4 }, sealer: { reserved: 20 } },
      ...(this.refusal !== undefined && { ingestRefusal: this.refusal }),
      dedupIds: this.#ids.size,
      dedupWindowSeconds: 60,
      lateRows: 5,
      futureRows: 6,
    };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  async #wait(signal?: AbortSignal): Promise<void> {
    if (this.gate === null) return;
    const cut = new Promise<never>((_resolve, reject) => {
      signal?.addEventListener("abort", () => {
        this.aborted++;
        reject(new MillraceError("aborted", "the query was given up"));
      });
    });
    await Promise.race([this.gate, cut]);
  }

  #admit(text: string, request: IngestRequest): Receipt {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      const message = `got a body that ends at byte ${text.length}`;
      throw new InputError("body_cut_off", message, { byteOffset: text.length });
    }
    const { events = [parsed] } = Array.isArray(parsed)
      ? { events: parsed }
      : (parsed as { events?: unknown[] });
    const first = this.stored.length;
    const errors: EventError[] = [];
    const taken: object[] = [];
    let duplicates = 0;
    events.forEach((event, index) => {
      const { event_type, id } = event as { event_type?: string; id?: string };
      if (typeof event_type !== "string") {
        const message = "got no event_type, want text";
        errors.push({ index, code: "event_type_missing", message });
      } else if (id !== undefined && this.#ids.has(id)) {
        duplicates++;
      } else {
        if (id !== undefined) this.#ids.add(id);
        taken.push(event as object);
      }
    });
    this.publish(taken);
    const accepted = taken.length;
    const last = String(first + accepted - 1);
    const ranges = accepted === 0 ? [] : [{ partition: 0, first: String(first), last }];
    const counts = { accepted, duplicates, rejected: errors.length, errors };
    return request.durable ? { ...counts, sequences: ranges } : counts;
  }
}

const segment: SegmentSummary = {
  id: 1,
  firstSequence: 1n,
  rows: 20,
  bytes: 420,
  timeMinUs: 1_795_435_200_000_000n,
  timeMaxUs: 1_795_435_260_500_000n,
  receivedFromUs: 1_795_435_201_000_000n,
  receivedToUs: 1_795_435_261_000_000n,
  records: 2,
  duplicates: 1,
  rejected: 3,
  columns: [
    {
      path: "id",
      lane: "id",
      encoding: "id-bits",
      count: 20,
      bytes: 200,
      filterBytes: 0,
      entries: 0,
    },
    {
      path: "user_id",
      lane: "string",
      encoding: "text-sorted",
      count: 15,
      bytes: 180,
      filterBytes: 40,
      entries: 12,
    },
  ],
};
const [id, user] = segment.columns as [ColumnSummary, ColumnSummary];
const storedSegments: readonly SegmentSummary[] = [
  segment,
  {
    ...segment,
    ...{
      id: 2,
      firstSequence: 21n,
      rows: 14,
      bytes: 314,
      receivedFromUs: null,
      receivedToUs: null,
    },
    columns: [
      id,
      { ...user, encoding: "text-plain", bytes: 114, filterBytes: 0, count: 14, entries: 14 },
    ],
  },
];

function matches(event: StoredEvent, request: EventsRequest): boolean {
  if (request.eventType !== undefined && event.event_type !== request.eventType) return false;
  return request.source === undefined || event.source === request.source;
}

const emptyResult: QueryResult = {
  columns: [],
  rows: [],
  asOf: "0",
  stats: {
    rowsScanned: 0,
    rowsMatched: 0,
    segmentsScanned: 0,
    segmentsPruned: 0,
    executionUs: 0,
  },
};
