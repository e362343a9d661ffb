// Metrics of the stream thread: rules by name and version, and how far time is by source. Names of sources are callers'
// texts: the stream thread tells of a limited number of them.

import { Counter, Gauge, type Registry } from "prom-client";
import type { RuleStats, StreamStats } from "../stream/messages.ts";

type RuleRow = readonly [name: string, help: string, read: (rule: RuleStats) => number];

const ruleCounters: readonly RuleRow[] = [
  ["rule_rows_total", "Rows that a rule has taken", (r) => r.rows],
  ["rule_too_late_total", "Rows too late for all their windows", (r) => r.tooLate],
  ["rule_dropped_total", "Rows that would have opened a window too many", (r) => r.dropped],
  ["rule_overflowed_total", "Rows in groups `other`", (r) => r.overflowed],
  ["rule_final_windows_total", "Windows that became final", (r) => r.finalWindows],
  ["rule_busy_seconds_total", "Time of work for a rule", (r) => r.busyMs / 1000],
  ["rule_batches_total", "Batches of rows that a rule has taken", (r) => r.batches],
];

const ruleGauges: readonly RuleRow[] = [
  ["rule_open_windows", "Windows that are not final", (r) => r.openWindows],
  ["rule_open_groups", "Groups in open windows", (r) => r.openGroups],
  ["rule_memory_bytes", "Memory of open windows", (r) => r.memoryBytes],
  ["rule_watchers", "Who watches a rule's windows", (r) => r.watchers],
  ["rule_backfill_rows", "Stored rows that a rule still has to read", (r) => r.backfillRows],
];

type StreamRow = readonly [name: string, help: string, read: (stats: StreamStats) => number | null];

const streamCounters: readonly StreamRow[] = [
  ["stream_checkpoints_total", "Checkpoints of open windows", (s) => s.checkpoints],
];

const streamGauges: readonly StreamRow[] = [
  ["stream_next_sequence", "Next row that rules take", (s) => Number(s.next)],
  [
    "stream_checkpoint_sequence",
    "The newest checkpoint has all rows before it",
    (s) => Number(s.checkpoint),
  ],
  ["stream_checkpoint_seconds", "Time of the newest checkpoint", (s) => s.checkpointMs / 1000],
  ["stream_checkpoint_bytes", "Size of the newest checkpoint", (s) => s.checkpointBytes],
  ["stream_memory_bytes", "Memory of all open windows", (s) => s.memoryBytes],
  ["stream_memory_max_bytes", "Memory that they may have", (s) => s.memoryMax],
  ["stream_sources", "Sources that were ever seen", (s) => s.sourceCount],
  [
    "stream_watermark_seconds",
    "No event before this time is waited for, seconds since 1970",
    (s) => (s.watermarkUs === null ? null : Number(s.watermarkUs) / 1e6),
  ],
];

interface Metered {
  readonly registry: Registry;
  /** Null while the stream thread has told nothing. */
  readonly stats: () => StreamStats | null;
}

export function addStreamMetrics(registry: Registry, stats: () => StreamStats | null): void {
  const metered = { registry, stats };
  for (const row of ruleCounters) addRules(metered, Counter, row);
  for (const row of ruleGauges) addRules(metered, Gauge, row);
  for (const row of streamCounters) addFigure(metered, Counter, row);
  for (const row of streamGauges) addFigure(metered, Gauge, row);
  addSources(metered);
}

function addRules(
  { registry, stats }: Metered,
  Kind: typeof Counter | typeof Gauge,
  [name, help, read]: RuleRow,
): void {
  new Kind({
    name,
    help,
    labelNames: ["rule", "version"],
    registers: [registry],
    collect() {
      this.reset();
      for (const rule of stats()?.rules ?? []) {
        this.inc({ rule: rule.name, version: rule.version }, read(rule));
      }
    },
  });
}

function addFigure(
  { registry, stats }: Metered,
  Kind: typeof Counter | typeof Gauge,
  [name, help, read]: StreamRow,
): void {
  new Kind({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      const now = stats();
      const value = now === null ? null : read(now);
      if (value !== null) this.inc(value);
    },
  });
}

/** A source without a name has the label "". */
function addSources({ registry, stats }: Metered): void {
  const sources = () => stats()?.sources ?? [];
  new Gauge({
    name: "source_lag_seconds",
    help: "How far the latest timestamp of a source is behind when it was received",
    labelNames: ["source"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { source, watermarkUs, receivedAtUs } of sources()) {
        if (watermarkUs === null) continue;
        this.set({ source: source ?? "" }, Number(receivedAtUs - watermarkUs) / 1e6);
      }
    },
  });
  new Gauge({
    name: "source_watermark_seconds",
    help: "The latest timestamp of a source, seconds since 1970",
    labelNames: ["source"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { source, watermarkUs } of sources()) {
        if (watermarkUs !== null) this.set({ source: source ?? "" }, Number(watermarkUs) / 1e6);
      }
    },
  });
  new Gauge({
    name: "source_idle",
    help: "1 for a source that holds no window back, as it was silent for long",
    labelNames: ["source"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { source, idle } of sources()) this.set({ source: source ?? "" }, idle ? 1 : 0);
    },
  });
  new Counter({
    name: "source_future_rows_total",
    help: "Rows of a source that are too far ahead to advance its mark",
    labelNames: ["source"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { source, futureRows } of sources()) {
        this.inc({ source: source ?? "" }, futureRows);
      }
    },
  });
}
