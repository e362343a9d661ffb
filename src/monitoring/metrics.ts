import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { EngineStats, QueryFigures } from "../engine/engine.ts";
import type { StreamStats } from "../stream/messages.ts";
import { durationBounds, type FrontCounters } from "./counters.ts";
import { registerSnapshots } from "./snapshot-histogram.ts";
import { addStreamMetrics } from "./stream-metrics.ts";

/** What the metrics page reads when it is asked for. */
export interface MetricSources {
  readonly stats: () => EngineStats;
  readonly counters: FrontCounters;
  readonly queries: () => QueryFigures;
  /** Null until the stream thread has told them. */
  readonly streams: () => StreamStats | null;
  /** Bytes of bodies that are being received. */
  readonly bodyBytes: () => number;
  readonly version: string;
}

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  observeQuery(kind: string, seconds: number): void;
}

type Read = (stats: EngineStats) => number | Iterable<[label: string, value: number]>;
type Row = readonly [name: string, help: string, read: Read, label?: string];

const engineCounters: readonly Row[] = [
  ["events_processed_total", "Events accepted", (s) => s.eventsProcessed],
  ["events_duplicate_total", "Events left out as known ids", (s) => s.duplicates],
  ["events_rejected_total", "Events rejected alone", (s) => s.rejected],
  ["ingest_bytes_total", "Bytes of bodies taken, decompressed", (s) => s.ingestBytes],
  [
    "bodies_refused_total",
    "Bodies that the engine refused whole, by error code",
    (s) => Object.entries(s.bodiesRefused),
    "reason",
  ],
  ["commits_total", "Flushed commits", (s) => s.commits],
  ["compactions_total", "Merges of small segments", (s) => s.compaction.compactions],
  ["compaction_segments_total", "Segments that were merged", (s) => s.compaction.segments],
  ["compaction_rows_total", "Rows that merging wrote again", (s) => s.compaction.rows],
  [
    "compaction_read_bytes_total",
    "Bytes of the segments that were merged",
    (s) => s.compaction.bytesBefore,
  ],
  [
    "compaction_written_bytes_total",
    "Bytes of the segments that merging made",
    (s) => s.compaction.bytesAfter,
  ],
  [
    "compaction_failures_total",
    "Merges given up: damaged or too large together",
    (s) => s.compaction.failures,
  ],
  ["late_rows_total", "Rows behind the watermark of their source", (s) => s.lateRows],
  ["future_rows_total", "Rows too far ahead to advance a watermark", (s) => s.futureRows],
];

const engineGauges: readonly Row[] = [
  [
    "ingest_queue_bytes",
    "Bytes of bodies in shared memory, being received or waiting",
    (s) => s.queueBytes,
  ],
  ["ingest_queue_requests", "Bodies waiting for the engine", (s) => s.queueRequests],
  ["segments", "Sealed segments", (s) => s.segments],
  ["stored_rows", "Events stored", (s) => s.storedRows],
  ["stored_bytes", "Bytes of the stored events on disk", (s) => s.storedBytes],
  ["journal_records", "Journal records not yet in a sealed segment", (s) => s.journalRecords],
  ["next_sequence", "Sequence that the next event gets", (s) => Number(s.nextSequence)],
  [
    "memory_reserved_bytes",
    "Shared memory set aside, by region; a page costs memory once it was written to",
    (s) => Object.entries(s.memory).map(([region, { reserved }]) => [region, reserved]),
    "region",
  ],
  [
    "memory_used_bytes",
    "Shared memory that holds something now, by region, where that is known",
    (s) => usedBytes(s.memory),
    "region",
  ],
  ["dedup_ids", "Ids that duplicates are found by", (s) => s.dedupIds],
  [
    "dedup_window_seconds",
    "Time since the oldest of these ids came in",
    (s) => s.dedupWindowSeconds,
  ],
];

function* usedBytes(memory: EngineStats["memory"]): Generator<[string, number]> {
  for (const [region, { used }] of Object.entries(memory)) {
    if (used !== undefined) yield [region, used];
  }
}

/** All metrics of the process. Counters are kept where things happen, as plain numbers, and read by `text`. */
export function openMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 10 });
  // One reading of the engine's figures for the whole page: they belong together.
  let stats = sources.stats();
  for (const row of engineCounters) addCounter(registry, row, () => stats);
  for (const row of engineGauges) addGauge(registry, row, () => stats);
  addFrontMetrics(registry, sources);
  addQueryMetrics(registry, sources);
  addStreamMetrics(registry, sources.streams);
  registerSnapshots(
    registry,
    "commit_duration_seconds",
    "Time from the start of a commit to the end of its flush",
    () => {
      const { bounds, counts, sum } = stats.commitMs;
      return [{ labels: {}, bounds: bounds.map((ms) => ms / 1000), counts, sum: sum / 1000 }];
    },
  );
  const queries = new Histogram({
    name: "query_duration_seconds",
    help: "Time from a query to its result, by kind",
    labelNames: ["kind"],
    buckets: [...durationBounds],
    registers: [registry],
  });
  return {
    contentType: registry.contentType,
    text: () => {
      stats = sources.stats();
      return registry.metrics();
    },
    observeQuery: (kind, seconds) => queries.observe({ kind }, seconds),
  };
}

function addCounter(registry: Registry, row: Row, stats: () => EngineStats): void {
  const [name, help, read, label] = row;
  new Counter({
    name,
    help,
    labelNames: label === undefined ? [] : [label],
    registers: [registry],
    collect() {
      const value = read(stats());
      this.reset();
      if (typeof value === "number") this.inc(value);
      else for (const [text, part] of value) this.inc({ [label as string]: text }, part);
    },
  });
}

function addGauge(registry: Registry, row: Row, stats: () => EngineStats): void {
  const [name, help, read, label] = row;
  new Gauge({
    name,
    help,
    labelNames: label === undefined ? [] : [label],
    registers: [registry],
    collect() {
      const value = read(stats());
      if (typeof value === "number") this.set(value);
      else for (const [text, part] of value) this.set({ [label as string]: text }, part);
    },
  });
}

type QueryRow = readonly [name: string, help: string, read: (q: QueryFigures) => number];

const queryCounters: readonly QueryRow[] = [
  ["queries_own_total", "Queries that the HTTP thread answered itself", (q) => q.own],
  ["queries_answered_total", "Queries that query workers answered", (q) => q.answered],
  ["queries_split_total", "Queries that several workers read", (q) => q.split],
  ["queries_cancelled_total", "Queries whose client went away", (q) => q.cancelled],
  ["queries_killed_total", "Queries that were killed through the API", (q) => q.killed],
  ["queries_timeouts_total", "Queries that took longer than they may", (q) => q.timeouts],
  ["queries_over_limit_total", "Queries beyond memory, rows or groups", (q) => q.overLimit],
  ["queries_repeated_total", "Runs again as segments went meanwhile", (q) => q.repeated],
  [
    "query_workers_failed_total",
    "Query workers that died and were replaced",
    (q) => q.workersFailed,
  ],
];
const queryGauges: readonly QueryRow[] = [
  ["queries_running", "Queries that run on workers", (q) => q.running],
  ["queries_waiting", "Queries that wait for a worker", (q) => q.waiting],
  [
    "query_memory_peak_bytes",
    "Working memory that the hungriest query so far has used on one worker",
    (q) => q.memoryPeak,
  ],
];

function addQueryMetrics(registry: Registry, { queries, stats }: MetricSources): void {
  for (const [name, help, read] of queryCounters) {
    addCounter(registry, [name, help, () => read(queries())], stats);
  }
  for (const [name, help, read] of queryGauges) {
    addGauge(registry, [name, help, () => read(queries())], stats);
  }
}

function addFrontMetrics(registry: Registry, sources: MetricSources): void {
  const { counters, bodyBytes, version } = sources;
  const none = sources.stats;
  const count = (name: string, help: string, read: Read, label?: string) =>
    addCounter(
      registry,
      label === undefined ? [name, help, read] : [name, help, read, label],
      none,
    );
  const gauge = (name: string, help: string, read: Read, label?: string) =>
    addGauge(registry, label === undefined ? [name, help, read] : [name, help, read, label], none);

  count("ingest_errors_total", "Bodies refused, by code", () => counters.ingestErrors, "reason");
  count("event_errors_total", "Listed event errors, by code", () => counters.eventErrors, "reason");
  count("http_requests_aborted_total", "Bodies cut off by clients", () => counters.requestsAborted);
  count("connections_refused_total", "Over the limit", () => counters.connectionsRefused);
  count("stream_events_missed_total", "Skipped by slow readers", () => counters.eventsMissed);
  count("websocket_frames_total", "Frames", () => Object.entries(counters.frames), "direction");
  gauge("http_requests_in_flight", "Requests in flight", () => counters.requestsInFlight);
  gauge("ingest_body_bytes", "Bytes of bodies being received", bodyBytes);
  gauge(
    "active_websocket_connections",
    "Open WebSockets, by path",
    () => [
      ["events", counters.ingestSockets],
      ["stream", counters.streamSockets],
      ["metrics", counters.metricsSockets],
    ],
    "path",
  );
  gauge("stream_subscriptions", "Live subscriptions", () => counters.subscriptions);
  gauge("event_streams", "Open streams of Server-Sent Events", () => counters.eventStreams);
  gauge(
    "rule_subscribers",
    "Live subscriptions to windows, by rule",
    () => counters.metricSubscribers.counts,
    "rule",
  );
  count(
    "stream_messages_coalesced_total",
    "Messages of windows that slow readers were not sent",
    () => counters.metricsCoalesced,
  );
  gauge("millrace_info", "Always 1", () => [[version, 1]], "version");
  new Counter({
    name: "http_requests_total",
    help: "Requests answered",
    labelNames: ["route", "status"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [route, { statuses }] of counters.routes) {
        for (const [status, requests] of statuses) this.inc({ route, status }, requests);
      }
    },
  });
  registerSnapshots(
    registry,
    "http_request_duration_seconds",
    "Time from a request's headers to its answer",
    function* () {
      for (const [route, { durations }] of counters.routes) {
        yield { labels: { route }, bounds: durationBounds, ...durations };
      }
    },
  );
}
