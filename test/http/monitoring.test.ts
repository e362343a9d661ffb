import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { openFront } from "../../src/api/front.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { parseConfig } from "../../src/config.ts";
import { openApp } from "../../src/http/app.ts";
import { EventStreams } from "../../src/live/event-streams.ts";
import { MetricsHub } from "../../src/live/metrics-hub.ts";
import type { SourceTime, StreamStats } from "../../src/stream/messages.ts";
import { FakeEngine } from "../support/fake-engine.ts";

function open() {
  const engine = new FakeEngine();
  const config = parseConfig([], {});
  const front = openFront({ config, engine, log: silentLog, clock: systemClock, version: "1.2.3" });
  return { engine, front, app: openApp(front, new EventStreams(front, new MetricsHub(front))) };
}

describe("health", () => {
  it.each(["/health", "/api/v1/health"])("%s shows the first figures", async (path) => {
    const { app, engine } = open();
    engine.publish([{ event_type: "a" }]);
    const response = await app.request(path);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      status: "ok",
      version: "1.2.3",
      next_sequence: "1",
      stored_events: 1,
    });
  });

  it.each(["/health/ready", "/api/v1/health/ready"])("%s says why not", async (path) => {
    const { app, engine, front } = open();
    expect((await app.request(path)).status).toBe(200);
    engine.state = { reads: true, ingest: false, reason: "ids are being loaded" };
    const response = await app.request(path);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      status: "not ready",
      reads: true,
      ingest: false,
      reason: "ids are being loaded",
    });
    expect(await (await app.request("/health")).json()).toMatchObject({ status: "degraded" });
    engine.state = { reads: true, ingest: true };
    front.stopping = true;
    expect((await app.request(path)).status).toBe(503);
    expect((await app.request("/health/live")).status).toBe(200);
  });
});

it("health says that bodies are refused, and that does not end readiness: reads go on", async () => {
  const { app, engine } = open();
  engine.refusal = "the disk has 5 bytes free";
  const response = await app.request("/health");
  expect(await response.json()).toMatchObject({
    status: "degraded",
    reads: true,
    ingest: false,
    reason: "the disk has 5 bytes free",
  });
  expect((await app.request("/health/ready")).status).toBe(200);
});

describe("metrics", () => {
  it("shows the engine's figures and the front's", async () => {
    const { app, engine, front } = open();
    engine.publish([{ event_type: "a" }, { event_type: "b" }]);
    front.counters.countIngestError("body_cut_off");
    front.counters.countEventErrors([{ index: 0, code: "event_type_missing", message: "" }]);
    front.counters.streamSockets = 3;
    await app.request("/api/v1/analytics/events");
    const response = await app.request("/metrics");
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    const lines = text.split("\n");
    for (const line of [
      "events_processed_total 2",
      "events_duplicate_total 2",
      "ingest_bytes_total 1234",
      'bodies_refused_total{reason="body_cut_off"} 3',
      'ingest_errors_total{reason="body_cut_off"} 1',
      'event_errors_total{reason="event_type_missing"} 1',
      'commit_duration_seconds_bucket{le="0.001"} 3',
      'commit_duration_seconds_bucket{le="0.01"} 4',
      'commit_duration_seconds_bucket{le="+Inf"} 4',
      "commit_duration_seconds_sum 0.007",
      "commit_duration_seconds_count 4",
      'active_websocket_connections{path="stream"} 3',
      'memory_reserved_bytes{region="ring"} 10',
      'memory_reserved_bytes{region="sealer"} 20',
      'memory_used_bytes{region="ring"} 4',
      "dedup_window_seconds 60",
      "late_rows_total 5",
      "future_rows_total 6",
      "ingest_queue_bytes 0",
      'query_duration_seconds_count{kind="events"} 1',
      'http_requests_total{route="GET /api/v1/analytics/events",status="200"} 1',
      'http_request_duration_seconds_count{route="GET /api/v1/analytics/events"} 1',
      'millrace_info{version="1.2.3"} 1',
    ]) {
      expect(lines).toContain(line);
    }
    expect(text).not.toContain('memory_used_bytes{region="sealer"}');
    expect(text).toContain("nodejs_eventloop_lag_p99_seconds");
    expect(text).toContain("process_cpu_seconds_total");
    // A second reading sets the counters again instead of adding to them.
    const again = await (await app.request("/api/v1/metrics")).text();
    expect(again.split("\n")).toContain("events_processed_total 2");
  });

  it("puts paths that nobody knows under one label", async () => {
    const { app } = open();
    await app.request("/a");
    await app.request("/b");
    const text = await (await app.request("/metrics")).text();
    expect(text).toContain('http_requests_total{route="other",status="404"} 2');
  });
});

describe("GET /", () => {
  it("says where to go", async () => {
    const response = await open().app.request("/");
    expect(await response.json()).toMatchObject({ api: "/api/v1/openapi.json" });
  });

  it("is a page for browsers, which loads nothing", async () => {
    const { app, engine } = open();
    engine.publish([{ event_type: "a" }]);
    engine.state = { reads: true, ingest: false, reason: "<loading>" };
    const headers = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
    const response = await app.request("http://host.example:8080/", { headers });
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    const page = await response.text();
    expect(page).toContain("curl http://host.example:8080/api/v1/events --json");
    expect(page).toContain("<dd>&lt;loading&gt;</dd>");
    expect(page).toContain("<dd>1</dd>");
    expect(page).not.toMatch(/src=|url\(/);
    // Of scripts only the one that the policy names can run.
    const [script, ...others] = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)];
    expect(others).toEqual([]);
    const hash = createHash("sha256")
      .update(script?.[1] ?? "")
      .digest("base64");
    expect(response.headers.get("content-security-policy")).toContain(
      `script-src 'sha256-${hash}'`,
    );
    for (const [, path = ""] of page.matchAll(/href="([^"]+)"/g)) {
      expect((await app.request(path)).status).toBe(200);
    }
  });
});

describe("figures of the stream side", () => {
  const figures: StreamStats = {
    next: "120",
    checkpoint: "100",
    checkpoints: 7,
    checkpointMs: 5,
    checkpointBytes: 4096,
    watermarkUs: 1_790_000_000_000_000n,
    sources: [
      source(null, 1_790_000_000_000_000n, { idle: true }),
      source('a"b', 1_790_000_057_500_000n),
      source("ahead", null, { futureRows: 3 }),
    ],
    sourceCount: 3,
    rules: [
      {
        rule: 1,
        name: "visits",
        version: 2,
        rows: 50,
        tooLate: 4,
        dropped: 3,
        overflowed: 2,
        openWindows: 6,
        openGroups: 5,
        memoryBytes: 2048,
        finalWindows: 9,
        busyMs: 1500,
        batches: 10,
        watchers: 1,
        backfillRows: 30,
      },
    ],
    memoryBytes: 4096,
    memoryMax: 8192,
  };

  function source(
    name: string | null,
    watermarkUs: bigint | null,
    more: Partial<SourceTime> = {},
  ): SourceTime {
    const receivedAtUs = 1_790_000_060_000_000n;
    return { source: name, watermarkUs, receivedAtUs, idle: false, futureRows: 0, ...more };
  }

  it("are among the metrics", async () => {
    const { app, engine } = open();
    expect(await (await app.request("/metrics")).text()).not.toContain(
      "stream_watermark_seconds 1",
    );
    engine.streams.figures = figures;
    await app.request("/metrics");
    const lines = (await (await app.request("/metrics")).text()).split("\n");
    for (const line of [
      'rule_rows_total{rule="visits",version="2"} 50',
      'rule_too_late_total{rule="visits",version="2"} 4',
      'rule_dropped_total{rule="visits",version="2"} 3',
      'rule_overflowed_total{rule="visits",version="2"} 2',
      'rule_busy_seconds_total{rule="visits",version="2"} 1.5',
      'rule_batches_total{rule="visits",version="2"} 10',
      'rule_open_windows{rule="visits",version="2"} 6',
      'rule_memory_bytes{rule="visits",version="2"} 2048',
      'rule_watchers{rule="visits",version="2"} 1',
      'rule_backfill_rows{rule="visits",version="2"} 30',
      "stream_next_sequence 120",
      "stream_checkpoint_sequence 100",
      "stream_checkpoints_total 7",
      "stream_checkpoint_seconds 0.005",
      "stream_memory_max_bytes 8192",
      "stream_watermark_seconds 1790000000",
      'source_lag_seconds{source=""} 60',
      'source_lag_seconds{source="a\\"b"} 2.5',
      'source_idle{source=""} 1',
      'source_future_rows_total{source="ahead"} 3',
    ]) {
      expect(lines).toContain(line);
    }
  });

  it("are in the health document once they are known", async () => {
    const { app, engine } = open();
    expect(await (await app.request("/health")).json()).not.toHaveProperty("stream");
    engine.streams.figures = figures;
    expect(await (await app.request("/health")).json()).toMatchObject({
      stream: {
        rules: 1,
        next_sequence: "120",
        checkpoint_sequence: "100",
        watermark: "2026-09-21T14:13:20.000Z",
        sources: 3,
        idle_sources: 1,
        ahead_sources: 1,
        lag_seconds: 2.5,
        open_windows: 6,
        backfill_rows: 30,
        memory_bytes: 4096,
      },
    });
  });
});
