// The stream thread: it follows published rows and keeps the windows of all rules. See stream-processor.ts for what it
// does; here is when.

import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { systemClock } from "../base/clock.ts";
import { attachCore } from "../core/core.ts";
import { StreamPosition } from "../core/stream-position.ts";
import { packFailure } from "../engine/failure.ts";
import { Store } from "../storage/store.ts";
import type {
  EngineToStream,
  FromStream,
  StreamThreadData,
  StreamToEngine,
  ToStream,
} from "./messages.ts";
import { packMessage } from "./packed-rows.ts";
import { StreamProcessor } from "./stream-processor.ts";
import { StreamRuntime } from "./stream-runtime.ts";

/** Between the ends of two chunks at least, unless so many rows wait: many rows at once cost less each. */
const PAUSE_MS = 15;
const CHUNK_ROWS = 32_768;
/** Watchers are told so often: subscribers have paces of their own, which this must not add to. */
const PACE_MS = 10;

const { memory, config, reader, engine } = workerData as StreamThreadData;
const port = parentPort;
assert(port !== null, "the stream thread has a parent");
const tell = (message: FromStream): void => port.postMessage(packMessage(message));
const send = (message: StreamToEngine): void => engine.postMessage(message);
const position = new StreamPosition(memory);
const clock = systemClock;

interface Running {
  readonly store: Store;
  readonly runtime: StreamRuntime;
  readonly processor: StreamProcessor;
}

let running: Running | null = null;
let waiting: ToStream[] = [];
let timer: NodeJS.Timeout | null = null;
/** When the timer fires. */
let wakeMs = Number.POSITIVE_INFINITY;
let idle = false;
let closing = false;
let ended = false;

/** The store is there once the engine thread has told of its segments. */
function begin({ added, dropped, end }: Extract<EngineToStream, { type: "segments" }>): Running {
  const store = new Store(config.data);
  const runtime = new StreamRuntime({
    core: attachCore(memory),
    reader,
    clock,
    store,
    settings: {
      checkpointIntervalMs: config.checkpointIntervalMs,
      paceMs: PACE_MS,
      chunkRows: CHUNK_ROWS,
    },
    sourcesMax: config.sourcesMax,
    maxSkewUs: BigInt(config.maxSkewMs) * 1000n,
    idleTimeoutUs: BigInt(config.idleTimeoutMs) * 1000n,
    commit: (id, reflected, writes) => send({ type: "commit", id, reflected, writes }),
    emit: tell,
  });
  runtime.segments(added, dropped, end);
  return { store, runtime, processor: new StreamProcessor(runtime.parts) };
}

/** Runs within `ms`; sooner if it was to anyway. */
function wake(ms: number): void {
  if (ended) return;
  const atMs = clock.monotonicMs() + ms;
  if (timer !== null && wakeMs <= atMs) return;
  if (timer !== null) clearTimeout(timer);
  wakeMs = atMs;
  timer = setTimeout(run, ms);
}

function run(): void {
  timer = null;
  wakeMs = Number.POSITIVE_INFINITY;
  if (running === null || ended) return;
  guarded(running, ({ processor }) => {
    const before = processor.next;
    const worked = processor.step();
    position.advance(processor.next);
    const dueMs = processor.attend();
    const taken = Number(processor.next - before);
    if (closing && !worked) return finish(processor);
    if (worked) return wake(taken >= CHUNK_ROWS || closing || taken === 0 ? 0 : PAUSE_MS);
    if (!idle) {
      idle = true;
      send({ type: "idle" });
    }
    wake(dueMs);
  });
}

/** Everything that was published is taken: the last checkpoint, when the one before is on disk. */
function finish(processor: StreamProcessor): void {
  if (processor.isCommitted) return end();
  processor.checkpoint();
}

function end(): void {
  ended = true;
  if (timer !== null) clearTimeout(timer);
  engine.close();
}

function guarded(parts: Running, work: (parts: Running) => void): void {
  try {
    work(parts);
  } catch (error) {
    ended = true;
    tell({ type: "fatal", failure: packFailure(error) });
  }
}

function take(parts: Running, message: EngineToStream): void {
  const { processor, runtime } = parts;
  switch (message.type) {
    case "published":
      idle = false;
      return wake(0);
    case "tick":
      processor.tick(message.sequence, message.receivedAtUs);
      return wake(0);
    case "duplicates":
      // They are read from their table with the rows.
      return wake(PAUSE_MS);
    case "committed":
      processor.committed(message.id);
      return wake(0);
    case "segments":
      return runtime.segments(message.added, message.dropped, message.end);
    case "close":
      closing = true;
      processor.stop();
      return wake(0);
  }
}

engine.on("message", (message: EngineToStream) => {
  if (ended) return;
  if (running !== null) return guarded(running, (parts) => take(parts, message));
  if (message.type !== "segments") return;
  try {
    running = begin(message);
    position.advance(running.processor.next);
  } catch (error) {
    ended = true;
    return tell({ type: "fatal", failure: packFailure(error) });
  }
  for (const one of waiting) request(one);
  waiting = [];
  wake(0);
});

function request(message: ToStream): void {
  if (message.type === "close") {
    ended = true;
    void (running?.store.close() ?? Promise.resolve()).finally(() => port?.close());
  } else if (running === null) waiting.push(message);
  else {
    guarded(running, ({ processor }) => processor.request(message.id, message.request));
    position.advance(running.processor.next);
    wake(0);
  }
}

port.on("message", request);
