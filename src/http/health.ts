import type { Front } from "../api/front.ts";
import { formatTime } from "../query/time.ts";
import type { StreamStats } from "../stream/messages.ts";

/** A health answer and its HTTP status. */
export interface Health {
  readonly status: 200 | 503;
  readonly document: object;
}

/** Whether traffic should come here: 503 while starting, and from the moment that a stop was asked for. */
export function readiness(front: Front): Health {
  const { reads, ingest, reason } = front.engine.readiness();
  const ready = reads && ingest && !front.stopping;
  const why = front.stopping ? "the server is stopping" : reason;
  return {
    status: ready ? 200 : 503,
    document: {
      status: ready ? "ready" : "not ready",
      reads,
      ingest: ingest && !front.stopping,
      ...(why !== undefined && { reason: why }),
    },
  };
}

/** The figures that a person looks for first. Answers 200 as long as the process can answer at all. */
export function health(front: Front): Health {
  const { status, document } = readiness(front);
  const stats = front.engine.stats();
  const streams = front.engine.streams.stats();
  const refusal = stats.ingestRefusal;
  return {
    status: 200,
    document: {
      ...document,
      ...(status === 200 && refusal !== undefined && { ingest: false, reason: refusal }),
      status: status === 200 && refusal === undefined ? "ok" : "degraded",
      version: front.version,
      uptime_seconds: Math.round((front.clock.monotonicMs() - front.startedMs) / 1000),
      next_sequence: stats.nextSequence,
      stored_events: stats.storedRows,
      stored_bytes: stats.storedBytes,
      segments: stats.segments,
      queue_bytes: stats.queueBytes,
      subscriptions: front.counters.subscriptions,
      ...(streams !== null && { stream: streamHealth(streams) }),
    },
  };
}

/** How far rules are, and how far time is; null is a time that there is not yet. */
function streamHealth(stats: StreamStats): object {
  const late = stats.sources.filter(({ idle, futureRows }) => !idle && futureRows === 0);
  const lags = late.flatMap(({ watermarkUs, receivedAtUs }) =>
    watermarkUs === null ? [] : [Number(receivedAtUs - watermarkUs) / 1e6],
  );
  return {
    rules: stats.rules.length,
    next_sequence: stats.next,
    checkpoint_sequence: stats.checkpoint,
    watermark: stats.watermarkUs === null ? null : formatTime(stats.watermarkUs),
    sources: stats.sourceCount,
    idle_sources: stats.sources.filter(({ idle }) => idle).length,
    ahead_sources: stats.sources.filter(({ futureRows }) => futureRows > 0).length,
    lag_seconds: lags.length === 0 ? null : Math.max(...lags),
    open_windows: stats.rules.reduce((sum, one) => sum + one.openWindows, 0),
    backfill_rows: stats.rules.reduce((sum, one) => sum + one.backfillRows, 0),
    memory_bytes: stats.memoryBytes,
  };
}
