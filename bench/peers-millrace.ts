// Millrace among its peers: the built library in this process, and its own HTTP server over the same engine.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { SEGMENT_ROWS_MAX } from "../src/core/layout.ts";
import type { Engine, FieldMapping } from "../src/index.ts";
import type { Peer } from "./peers-engines.ts";
import type { Dataset } from "./peers-questions.ts";
import { projectRoot } from "./servers.ts";
import { postHead, Wire } from "./stream.ts";

type Library = typeof import("../src/index.ts");

export interface OwnPeer extends Peer {
  /** The same question over HTTP on loopback; the text of the answer is parsed. */
  askHttp(sql: string): Promise<readonly (readonly unknown[])[]>;
  /** Bytes for each event that is in a segment: the newest ones wait in the journal, as they came. */
  sealedBytes(): number;
}

/** Nested events keep their names; these fields are where an event's fixed columns come from. */
const mappings: Readonly<Record<Dataset, FieldMapping | undefined>> = {
  events: undefined,
  nested: { timestamp: "time_us", event_type: "kind", user_id: "did" },
};

const idleMs = 20_000;
const bodyBytes = 4 * 1024 * 1024;

/** Whole lines of about four megabytes each. */
function* bodies(bytes: Buffer): Generator<Buffer> {
  for (let from = 0; from < bytes.length; ) {
    const near = bytes.indexOf(10, Math.min(bytes.length - 1, from + bodyBytes));
    const end = near < 0 ? bytes.length : near + 1;
    yield bytes.subarray(from, end);
    from = end;
  }
}

function ingest(engine: Engine, body: Buffer, mapping: FieldMapping | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = {
      body: [body],
      byteLength: body.length,
      format: "ndjson",
      durable: true,
      ...(mapping && { mapping }),
    } as const;
    engine.ingest(request, (failure, receipt) => {
      if (receipt && receipt.rejected === 0) resolve(receipt.accepted);
      else reject(new Error(JSON.stringify(failure ?? receipt)));
    });
  });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until full segments are sealed: what is stored stands still. */
async function settle(engine: Engine): Promise<void> {
  let before = "";
  for (let i = 0; i < 120; i++) {
    await pause(500);
    const { storedBytes, storedRows, segments, journalRecords } = engine.stats();
    const now = `${storedBytes} ${storedRows} ${segments} ${journalRecords}`;
    if (now === before) return;
    before = now;
  }
}

async function untilReady(engine: Engine): Promise<void> {
  for (let i = 0; !engine.readiness().ingest; i++) {
    if (i > 3000) throw new Error("the engine is not ready for events");
    await pause(10);
  }
}

/** `settings` as `openMillrace` takes them, such as `queryWorkers=2`. */
export async function openMillrace(folder: string, settings: readonly string[]): Promise<OwnPeer> {
  const path = pathToFileURL(join(projectRoot, "dist/index.js")).href;
  const library = (await import(path)) as Library;
  const options = Object.fromEntries(settings.map((one) => one.split("=") as [string, string]));
  const millrace = await library.openMillrace({ data: join(folder, "millrace"), ...options });
  const { engine } = millrace;
  await untilReady(engine);
  const server = await millrace.listen({ port: 0 });
  let wire = new Wire(server.port);
  let askedMs = performance.now();
  return {
    name: "millrace",
    version: library.version,
    async load(dataset, files) {
      for (const file of files) {
        // A few bodies on their way at once: while one is flushed, the next are decoded.
        const waiting = new Set<Promise<unknown>>();
        for (const body of bodies(readFileSync(file))) {
          const done = ingest(engine, body, mappings[dataset]).finally(() => waiting.delete(done));
          waiting.add(done);
          if (waiting.size >= 4) await Promise.race(waiting);
        }
        await Promise.all(waiting);
      }
      await settle(engine);
    },
    async ask(sql) {
      return (await millrace.query(sql)).rows;
    },
    async askHttp(sql) {
      // A server closes a connection that is idle for a minute: while other engines load, say.
      if (performance.now() - askedMs > idleMs) {
        wire.close();
        wire = new Wire(server.port);
      }
      askedMs = performance.now();
      const body = Buffer.from(JSON.stringify({ sql }));
      const head = postHead("/api/v1/analytics/custom-query", "application/json", body.length);
      const text = await wire.send(Buffer.concat([Buffer.from(head), body]));
      return (JSON.parse(text) as { rows: unknown[][] }).rows;
    },
    bytes: async () => engine.stats().storedBytes,
    sealedBytes() {
      const { storedBytes, storeBytes, segments } = engine.stats();
      return (storedBytes - (storeBytes.journal ?? 0)) / (segments * SEGMENT_ROWS_MAX);
    },
    async close() {
      wire.close();
      await millrace.close();
    },
  };
}
