import { type Question, Questions } from "../api/ask.ts";
import { type FrontParts, openFront } from "../api/front.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { type Log, silentLog } from "../base/log.ts";
import { givenSettings } from "../config.ts";
import type { Engine, EngineStats, QueryInfo } from "../engine/engine.ts";
import type { Receipt } from "../engine/ingest.ts";
import { fitMemory } from "../engine/memory-plan.ts";
import { openEngine } from "../engine/open.ts";
import { MillraceError } from "../errors.ts";
import { type RunningServer, startServer } from "../http/server.ts";
import { MetricsHub } from "../live/metrics-hub.ts";
import type { QueryForm } from "../query/form/schema.ts";
import type { Config } from "../settings.ts";
import { RuleBook } from "../stream/rule-book.ts";
import { version } from "../version.ts";
import { Aggregations } from "./aggregations.ts";
import {
  type EventsOptions,
  eventsRequest,
  type Page,
  pageOf,
  type StoredEvent,
} from "./events.ts";
import { type EventInput, type IngestOptions, ingestEvents } from "./ingest.ts";
import { type Listener, Live, type LiveSubscription, type SubscribeOptions } from "./live.ts";
import { configFrom, type Settings } from "./options.ts";
import { objectsOf, piecesOf } from "./stream.ts";
import { type Cell, Table } from "./table.ts";
import {
  listenTo,
  type Watch,
  Watches,
  type Watching,
  type WatchListener,
  type WatchOptions,
} from "./watch.ts";

export interface OpenOptions extends Settings {
  /** Where lines about the engine's life go; nowhere by default. */
  readonly log?: Log;
}

/** What one query may take. Limits above those of the settings have no effect. */
export interface QueryLimits {
  /** Ends the query: the promise is rejected with `query_cancelled`. */
  readonly signal?: AbortSignal;
  /** Milliseconds, waiting included. */
  readonly timeoutMs?: number;
  /** Bytes of working memory on each thread. */
  readonly memoryBytes?: number;
  /** Rows of the result; groups before HAVING and LIMIT. */
  readonly rowsMax?: number;
  readonly groupsMax?: number;
}

/** Where `listen` listens; the settings `host` and `port` say so by default. */
export interface ListenOptions {
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port?: number;
}

/** Milliseconds that requests in flight have when an engine is closed that listens. */
const stopMs = 5_000;

/**
 * Opens the engine over a data folder in this process, and waits until it answers queries. The folder is made when it
 * is absent; only one engine at a time can have it open, in whatever process.
 *
 * @throws MillraceError `data_folder_in_use`; ConfigError for a setting; CorruptionError when what is stored can't be
 * trusted
 */
export async function openMillrace(options: OpenOptions = {}): Promise<Millrace> {
  const { log = silentLog, ...settings } = options;
  const config = configFrom(settings);
  return openWith(fitMemory(config, givenSettings(config)), log, systemClock);
}

/** The same for settings that have been read and checked. */
export async function openWith(config: Config, log: Log, clock: Clock): Promise<Millrace> {
  return new Millrace(await openEngine(config, log), config, log, clock);
}

/**
 * An engine in this process. The server of `millrace serve` is one that listens.
 *
 * It keeps the process alive until it is closed. When a flush to disk fails nobody can know what is stored: the
 * engine then throws where nobody catches it, which ends the process.
 */
export class Millrace {
  /** What HTTP routes and sockets are built on: bodies with callbacks, compiled queries. */
  readonly engine: Engine;
  readonly config: Config;
  /** Aggregation rules. */
  readonly aggregations: Aggregations;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #ruleBook: RuleBook;
  readonly #questions: Questions;
  readonly #live: Live;
  readonly #watches: Watches;
  #hub: MetricsHub | null = null;
  readonly #servers = new Set<RunningServer>();
  readonly #closed = new AbortController();
  #closing: Promise<void> | null = null;

  constructor(engine: Engine, config: Config, log: Log, clock: Clock) {
    this.engine = engine;
    this.config = config;
    this.#log = log;
    this.#clock = clock;
    this.#questions = new Questions(engine, clock);
    this.#live = new Live(engine, config.subscriberLagMax);
    this.#ruleBook = new RuleBook(engine, clock, log);
    this.#ruleBook.watch();
    this.#watches = new Watches(() => this.#openHub());
    this.aggregations = new Aggregations(this.#ruleBook, () => this.#refuseClosed());
  }

  /**
   * Stores events. Objects are written as JSON once, as `JSON.stringify` would, but bigints keep their digits; bytes
   * (NDJSON, JSON or MessagePack, up to 32 MiB) go to the engine as they are, which is the quick way. Waits while the
   * engine is behind.
   *
   * Settles when the events are on disk and queries see them, with `ack: "memory"` when they are decoded. An event
   * that can't be taken is in `errors` of the receipt and the others are stored; only a body that can't be read at
   * all is an InputError.
   */
  async ingest(
    events: EventInput | readonly EventInput[] | Uint8Array,
    options: IngestOptions = {},
  ): Promise<Receipt> {
    this.#refuseClosed();
    return ingestEvents(this.engine, events, options, this.#closed.signal);
  }

  /**
   * Answers SQL, or the JSON form of a query. `params` are the values of `$1`, `$2`, ….
   *
   * @throws InputError with `detail.position`, the character of the SQL, or `detail.pointer` into the JSON form;
   * LimitError and TimeoutError for a query that takes more than it may
   */
  async query<Row = Record<string, Cell>>(
    query: string | QueryForm,
    params: readonly unknown[] = [],
    limits: QueryLimits = {},
  ): Promise<Table<Row>> {
    this.#refuseClosed();
    return new Table<Row>(await this.#questions.rows(questionOf(query, params), limits));
  }

  /**
   * The same, row by row as objects: a large result is never in memory as a whole, and a loop that is left early
   * ends its query.
   */
  async *rows<Row = Record<string, Cell>>(
    query: string | QueryForm,
    params: readonly unknown[] = [],
    limits: QueryLimits = {},
  ): AsyncGenerator<Row, void> {
    yield* objectsOf<Row>(this.text("ndjson", query, params, limits));
  }

  /** The same as bytes of JSON, NDJSON or CSV, in pieces of about 64 KiB, made as they are taken. */
  async *text(
    format: "json" | "ndjson" | "csv",
    query: string | QueryForm,
    params: readonly unknown[] = [],
    limits: QueryLimits = {},
  ): AsyncGenerator<Uint8Array, void> {
    this.#refuseClosed();
    yield* piecesOf(await this.#questions.text(questionOf(query, params), format, limits));
  }

  /** One page of whole events. */
  async events(options: EventsOptions = {}, limits: QueryLimits = {}): Promise<Page> {
    this.#refuseClosed();
    return pageOf(await this.engine.events(eventsRequest(options), limits));
  }

  /** Every event that `options` ask for, page by page as they are taken; all reflect the moment of the first page. */
  async *eachEvent(
    options: EventsOptions = {},
    limits: QueryLimits = {},
  ): AsyncGenerator<StoredEvent, void> {
    let cursor = options.cursor;
    do {
      const page = await this.events(
        { limit: eachPageEvents, ...options, ...(cursor !== undefined && { cursor }) },
        limits,
      );
      yield* page.events;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }

  /** Calls `listener` with events as they are stored; a function is the `events` of a Listener. */
  subscribe(options: SubscribeOptions, listener: Listener | Listener["events"]): LiveSubscription {
    this.#refuseClosed();
    return this.#live.subscribe(
      options,
      typeof listener === "function" ? { events: listener } : listener,
    );
  }

  /**
   * Windows of a rule, or of a question, as they change: first a snapshot, then only what is new. They are taken with
   * `for await`, or given to `listener`; a function is the `windows` of one. One that is slow is not waited for: it
   * finds each window once, in its newest state. Ends with `close`, with its rule, and with the engine.
   *
   * @throws InputError for options that are none; a rule that is not there is told by the first `next`, or by `failed`
   */
  watch(options: WatchOptions): Watching;
  watch(options: WatchOptions, listener: WatchListener | WatchListener["windows"]): Watch;
  watch(
    options: WatchOptions,
    listener?: WatchListener | WatchListener["windows"],
  ): Watching | Watch {
    this.#refuseClosed();
    const watching = this.#watches.watch(options);
    if (listener === undefined) return watching;
    return listenTo(watching, typeof listener === "function" ? { windows: listener } : listener);
  }

  /** Figures of the engine; counters begin at 0 when it is opened. */
  stats(): EngineStats {
    return this.engine.stats();
  }

  /** The queries that wait or run. */
  queries(): QueryInfo[] {
    return this.engine.queries();
  }

  /** Ends a query of that list; false when there is none of this id. */
  killQuery(id: string): boolean {
    return this.engine.killQuery(id, "the program");
  }

  /** Serves HTTP and WebSockets over this engine, until `stop` of what it answers, or `close`. */
  async listen(options: ListenOptions = {}): Promise<RunningServer> {
    this.#refuseClosed();
    const config = Object.freeze({ ...this.config, ...options });
    const server = await startServer(this.#frontParts(config));
    this.#servers.add(server);
    return {
      ...server,
      stop: (timeoutMs) => {
        this.#servers.delete(server);
        return server.stop(timeoutMs);
      },
    };
  }

  /** Stops listening, finishes and commits what was accepted, and closes. Once more does nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#closed.abort(closedError());
    this.#live.close();
    this.#watches.close();
    this.#hub?.close();
    this.#ruleBook.close();
    await Promise.all([...this.#servers].map((server) => server.stop(stopMs)));
    await this.engine.close();
  }

  /** What servers share with their sockets, this shares with its watches. */
  #openHub(): MetricsHub {
    this.#hub ??= new MetricsHub(openFront(this.#frontParts(this.config)));
    return this.#hub;
  }

  #frontParts(config: Config): FrontParts {
    return {
      config,
      engine: this.engine,
      log: this.#log,
      clock: this.#clock,
      version,
      ruleBook: this.#ruleBook,
    };
  }

  #refuseClosed(): void {
    if (this.#closing !== null) throw closedError();
  }
}

function questionOf(query: string | QueryForm, params: readonly unknown[]): Question {
  return typeof query === "string" ? { sql: query, params } : { query };
}

function closedError(): MillraceError {
  return new MillraceError("closed", "the engine has been closed");
}

/** Events that `eachEvent` reads at a time. */
const eachPageEvents = 1_000;
