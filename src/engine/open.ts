import { MessageChannel, Worker } from "node:worker_threads";
import type { Log } from "../base/log.ts";
import { attachCore } from "../core/core.ts";
import { createMemory } from "../core/memory.ts";
import { MillraceError, OverloadError } from "../errors.ts";
import type { RollupPart } from "../query/plan/rollup.ts";
import type { Query } from "../query/query.ts";
import type { EventsPage, EventsRequest, QueryResult } from "../query/result.ts";
import type { ResultFormat } from "../query/result-text.ts";
import type { QueryLimits } from "../query/run/execution.ts";
import type { CatalogPath } from "../query/sql/catalog.ts";
import type { Config } from "../settings.ts";
import { type FolderLock, lockFolder } from "../storage/lock.ts";
import type { Streams } from "../stream/streams.ts";
import { BodyMemory, ReservedPlace } from "./body-memory.ts";
import { Catalog } from "./catalog.ts";
import type {
  Engine,
  EngineStats,
  Explain,
  QueryFigures,
  QueryInfo,
  QueryOptions,
  Readiness,
  ResultText,
  SegmentSummary,
} from "./engine.ts";
import { unpackFailure } from "./failure.ts";
import { unpackAnswers } from "./group.ts";
import type { BodyPlace, IngestDone, IngestRequest } from "./ingest.ts";
import { planMemory, sealerReader } from "./memory-plan.ts";
import type { Answers, EngineThreadData, FromEngine, ToEngine } from "./messages.ts";
import { noFigures } from "./query-figures.ts";
import { QueryPool } from "./query-pool.ts";
import { RingWriter } from "./ring.ts";
import { limitsOf, type QueryBounds } from "./running-query.ts";
import type { SealerThreadData } from "./sealer-thread.ts";
import { StreamWorker } from "./stream-worker.ts";

/**
 * Opens the engine over the data folder of `config` and waits until it answers reads.
 *
 * @throws MillraceError `data_folder_in_use`, CorruptionError when what is stored can't be trusted
 */
export async function openEngine(config: Config, log: Log): Promise<Engine> {
  const lock = await lockFolder(config.data);
  const engine = new ThreadedEngine(config, log, lock);
  try {
    await engine.readable;
  } catch (error) {
    await lock.release();
    throw error;
  }
  return engine;
}

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
const engineUrl = new URL(`./engine-thread.${extension}`, import.meta.url);
const sealerUrl = new URL(`./sealer-thread.${extension}`, import.meta.url);

type SegmentsMessage = Extract<FromEngine, { type: "segments" }>;

function boundsOf(config: Config): QueryBounds {
  return {
    memoryBytes: config.queryMemoryBytes,
    timeoutMs: config.queryTimeoutMs,
    rows: config.queryRowsMax,
    groups: config.queryGroupsMax,
  };
}

/** The HTTP thread's side: bodies into the ring, answers out of messages, reads through the pool. */
class ThreadedEngine implements Engine {
  readonly readable: Promise<void>;
  readonly #lock: FolderLock;
  readonly #log: Log;
  readonly #ring: RingWriter;
  readonly #thread: Worker;
  readonly #sealer: Worker;
  readonly #stream: StreamWorker;
  /** It closes its store once the engine thread has closed their channel. */
  readonly #sealerEnded: Promise<void>;
  readonly #pool: Promise<QueryPool>;
  readonly #waiting = new Map<number, { done: IngestDone; place: ReservedPlace | null }>();
  readonly #bodies: BodyMemory;
  readonly #listeners = new Set<(nextSequence: bigint) => void>();
  #requestId = 0;
  #nextSequence = 1n;
  #announced = 1n;
  #readiness: Readiness = { reads: false, ingest: false, reason: "the journal is being replayed" };
  #stats: EngineStats | null = null;
  #failure: MillraceError | null = null;
  #closed: () => void = () => {};
  #settled: { resolve: () => void; reject: (error: unknown) => void } | null = null;
  readonly #early: SegmentsMessage[] = [];
  readonly #catalog = new Catalog();
  #openPool: ((pool: QueryPool) => void) | null = null;
  readonly #config: Config;
  readonly #core;

  constructor(config: Config, log: Log, lock: FolderLock) {
    this.#config = config;
    this.#lock = lock;
    this.#log = log;
    const memory = createMemory(planMemory(config));
    this.#core = attachCore(memory);
    this.#bodies = new BodyMemory(memory);
    this.#ring = new RingWriter(memory);
    const { port1, port2 } = new MessageChannel();
    const { port1: toStream, port2: toEngine } = new MessageChannel();
    this.readable = new Promise((resolve, reject) => {
      this.#settled = { resolve, reject };
    });
    this.#pool = new Promise((resolve) => {
      this.#openPool = resolve;
    });
    const engineData: EngineThreadData = { memory, config, sealer: port1, stream: toStream };
    this.#thread = new Worker(engineUrl, {
      workerData: engineData,
      transferList: [port1, toStream],
      name: "engine",
    });
    const sealerData: SealerThreadData = {
      memory,
      reader: sealerReader(config),
      engine: port2,
      folder: config.data,
    };
    this.#sealer = new Worker(sealerUrl, {
      workerData: sealerData,
      transferList: [port2],
      name: "sealer",
    });
    this.#stream = new StreamWorker({
      memory,
      config,
      engine: toEngine,
      warn: (message) => log.warn({}, message),
      fail: (error) => this.#fail(error),
    });
    this.#thread.on("message", (message: FromEngine) => this.#take(message));
    this.#thread.on("error", (error) => this.#fail(error));
    this.#sealer.on("error", (error) => this.#fail(error));
    this.#sealerEnded = new Promise((resolve) => {
      this.#sealer.once("exit", () => resolve());
    });
  }

  reserve(byteLength: number): BodyPlace | null {
    return this.#bodies.reserve(byteLength);
  }

  ingest(request: IngestRequest, done: IngestDone): void {
    if (this.#failure) throw this.#failure;
    if (!this.#readiness.ingest || !this.#stream.isReady) {
      const reason = this.readiness().reason ?? "the engine is stopping";
      throw new OverloadError("not_ready", `ingest is not ready: ${reason}`, 1, 503);
    }
    const requestId = this.#requestId;
    this.#requestId = (requestId + 1) >>> 0;
    const { format, durable, body, byteLength, mapping, idempotencyKey: key } = request;
    const options = mapping || key !== undefined ? JSON.stringify({ mapping, key }) : "";
    const frame = { requestId, format, durable, options, length: byteLength };
    const place = body instanceof ReservedPlace ? body : null;
    if (!this.#ring.push(frame, place?.base ?? (body as readonly Uint8Array[]))) {
      const queued = this.#ring.used();
      const message = `the engine is behind: ${queued} bytes wait already, ${byteLength} more do not fit`;
      throw new OverloadError("queue_full", message, 1, 429);
    }
    place?.queued();
    this.#waiting.set(requestId, { done, place });
    if (this.#ring.takeAsleep(byteLength)) this.#post({ type: "wake" });
  }

  async query(query: Query, options?: QueryOptions, part?: RollupPart): Promise<QueryResult> {
    return (await this.#pool).query(query, options, part);
  }

  async events(request: EventsRequest, options?: QueryOptions): Promise<EventsPage> {
    return (await this.#pool).events(request, options);
  }

  async answer(query: Query, format: ResultFormat, options?: QueryOptions): Promise<ResultText> {
    return (await this.#pool).answer(query, format, options);
  }

  async explain(query: Query, explain: Explain, options?: QueryOptions): Promise<QueryResult> {
    return (await this.#pool).explain(query, explain, options);
  }

  resultLimits(options: QueryOptions): QueryLimits {
    return limitsOf(options, boundsOf(this.#config)).query ?? {};
  }

  catalog(): CatalogPath[] {
    return this.#livePool?.catalog() ?? [];
  }

  queries(): QueryInfo[] {
    return this.#livePool?.queries() ?? [];
  }

  killQuery(id: string, by: string): boolean {
    return this.#livePool?.kill(id, by) ?? false;
  }

  queryFigures(): QueryFigures {
    return this.#livePool?.figures() ?? noFigures;
  }

  onPublish(listener: (nextSequence: bigint) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  nextSequence(): bigint {
    return this.#nextSequence;
  }

  readiness(): Readiness {
    if (!this.#readiness.ingest || this.#stream.isReady) return this.#readiness;
    return { ...this.#readiness, ingest: false, reason: "the windows of rules are being loaded" };
  }

  get streams(): Streams {
    return this.#stream.streams;
  }

  storedSegments(): readonly SegmentSummary[] {
    return this.#catalog.list();
  }

  stats(): EngineStats {
    const stats = this.#stats ?? noStats;
    const { used } = this.#bodies;
    const { bodies } = stats.memory;
    return {
      ...stats,
      ...(bodies && { memory: { ...stats.memory, bodies: { ...bodies, used } } }),
      queueBytes: this.#ring.used() + used,
      queueRequests: this.#waiting.size,
    };
  }

  async close(): Promise<void> {
    this.#readiness = { reads: true, ingest: false, reason: "the engine is stopping" };
    if (!this.#failure) {
      const closed = new Promise<void>((resolve) => {
        this.#closed = resolve;
      });
      this.#post({ type: "close" });
      await closed;
      await this.#sealerEnded;
    }
    if (this.#failure) await this.#stream.terminate();
    else await this.#stream.close();
    await (await this.#pool).close();
    await Promise.all([this.#thread.terminate(), this.#sealer.terminate()]);
    await this.#lock.release();
  }

  #post(message: ToEngine): void {
    this.#thread.postMessage(message);
  }

  #take(message: FromEngine): void {
    switch (message.type) {
      case "answers":
        this.#answer(message.answers);
        this.#publish(message.nextSequence);
        break;
      case "readiness":
        this.#readiness = message.readiness;
        this.#publish(message.nextSequence);
        if (message.readiness.reads) this.#readable();
        break;
      case "segments":
        this.#segments(message);
        break;
      case "stats":
        this.#told(message.stats);
        this.#stats = message.stats;
        break;
      case "warning":
        this.#log.warn({}, message.message);
        break;
      case "fatal":
        this.#fail(unpackFailure(message.failure));
        break;
      case "closed":
        this.#closed();
    }
  }

  /** Logs when the disk becomes too full for ingest and when it no longer is: refusals themselves are not logged. */
  #told({ ingestRefusal: reason }: EngineStats): void {
    const before = this.#stats?.ingestRefusal;
    if (reason !== undefined && before === undefined)
      this.#log.error({}, `ingest stops: ${reason}`);
    if (reason === undefined && before !== undefined) this.#log.info({}, "ingest goes on");
  }

  /** The store is open and its segments are known: readers may start. */
  #readable(): void {
    if (this.#openPool === null) return;
    const { data, queryWorkers } = this.#config;
    const bounds = boundsOf(this.#config);
    const pool = new QueryPool({ core: this.#core, folder: data, workers: queryWorkers, bounds });
    for (const { added, dropped, end } of this.#early.splice(0)) pool.segments(added, dropped, end);
    this.#openPool(pool);
    this.#openPool = null;
    this.#livePool = pool;
    // Rules are known before anybody asks for them.
    void this.#stream.ready.then(() => {
      this.#settled?.resolve();
      this.#settled = null;
    });
  }

  #livePool: QueryPool | null = null;

  #segments(message: SegmentsMessage): void {
    this.#catalog.change(message.added, message.dropped);
    if (this.#livePool) this.#livePool.segments(message.added, message.dropped, message.end);
    else this.#early.push(message);
  }

  #answer(answers: Answers): void {
    unpackAnswers(answers, (requestId, receipt) => this.#done(requestId)?.(null, receipt));
    for (const [requestId, failure] of answers.failures) {
      this.#done(requestId)?.(unpackFailure(failure), null);
    }
  }

  #done(requestId: number): IngestDone | undefined {
    const waiting = this.#waiting.get(requestId);
    this.#waiting.delete(requestId);
    waiting?.place?.answered();
    return waiting?.done;
  }

  #publish(nextSequence: bigint): void {
    if (nextSequence <= this.#nextSequence) return;
    const first = this.#announced === this.#nextSequence;
    this.#nextSequence = nextSequence;
    if (!first) return;
    setImmediate(() => {
      this.#announced = this.#nextSequence;
      for (const listener of this.#listeners) listener(this.#nextSequence);
    });
  }

  /** A thread that is stopped while it opens its store takes the process with it, so others are asked to end. */
  async #endThreads(): Promise<void> {
    await this.#thread.terminate();
    const asked = Promise.all([this.#stream.close(), this.#livePool?.close()]);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, END_MS_MAX);
    });
    await Promise.race([asked, late]);
    clearTimeout(timer);
    await this.#sealer.terminate();
  }

  /** An engine that can't go on: nobody knows what is on disk, so nothing more is acknowledged. */
  #fail(error: unknown): void {
    const failure =
      error instanceof MillraceError
        ? error
        : new MillraceError(
            "engine_failed",
            `the engine thread failed: ${String(error)}`,
            {},
            { cause: error },
          );
    this.#readiness = { reads: false, ingest: false, reason: failure.message };
    if (this.#settled !== null) {
      const { reject } = this.#settled;
      this.#settled = null;
      this.#failure = failure;
      void this.#endThreads().finally(() => reject(failure));
      return;
    }
    if (this.#failure) return;
    this.#failure = failure;
    queueMicrotask(() => {
      throw failure;
    });
  }
}

/** How long threads may take to close what they opened when a start has failed, milliseconds. */
const END_MS_MAX = 5000;

const noStats: EngineStats = {
  eventsProcessed: 0,
  duplicates: 0,
  rejected: 0,
  ingestBytes: 0,
  bodiesRefused: {},
  commits: 0,
  commitMs: { bounds: [], counts: [], sum: 0 },
  queueBytes: 0,
  queueRequests: 0,
  nextSequence: "1",
  segments: 0,
  storedRows: 0,
  storedBytes: 0,
  journalRecords: 0,
  storeBytes: {},
  compaction: {
    compactions: 0,
    segments: 0,
    rows: 0,
    bytesBefore: 0,
    bytesAfter: 0,
    failures: 0,
    running: [],
  },
  memory: {},
  dedupIds: 0,
  dedupWindowSeconds: 0,
  lateRows: 0,
  futureRows: 0,
};
