// The writer of the engine thread with all that it works on, in this thread: a ring, slots, a sealer, a store on disk.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { parseConfig } from "../../src/config.ts";
import { attachCore, type Core } from "../../src/core/core.ts";
import { Decoder } from "../../src/core/decoder.ts";
import { Dedup } from "../../src/core/dedup.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";
import { HotSlots } from "../../src/core/slots.ts";
import { StreamPosition } from "../../src/core/stream-position.ts";
import { Watermarks } from "../../src/core/watermarks.ts";
import { BatchAreas } from "../../src/engine/batch-areas.ts";
import { DiskReserve } from "../../src/engine/disk.ts";
import { unpackAnswers } from "../../src/engine/group.ts";
import type { Receipt } from "../../src/engine/ingest.ts";
import { planMemory, sealerReader } from "../../src/engine/memory-plan.ts";
import type { FromSealer, ToSealer } from "../../src/engine/messages.ts";
import { ReceiptBook } from "../../src/engine/receipts.ts";
import { replayJournal } from "../../src/engine/recovery.ts";
import { RingReader, RingWriter } from "../../src/engine/ring.ts";
import { Segments } from "../../src/engine/segments.ts";
import { StreamPort } from "../../src/engine/stream-port.ts";
import { Tally } from "../../src/engine/tally.ts";
import { Writer } from "../../src/engine/writer.ts";
import { sealSlot } from "../../src/storage/seal.ts";
import { Store } from "../../src/storage/store.ts";
import type { EngineToStream, StreamToEngine } from "../../src/stream/messages.ts";

const SLOT_BYTES = 2 * 1024 * 1024;

/** A clock that stands still until it is set. */
export class SetClock {
  us = 1_000_000n;

  nowUs(): bigint {
    return this.us;
  }

  monotonicMs(): number {
    return performance.now();
  }
}

export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "millrace-writer-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export class WriterBed {
  readonly clock = new SetClock();
  readonly core: Core;
  readonly store: Store;
  readonly segments: Segments;
  readonly position: StreamPosition;
  /** The stream thread's end, and what came there. */
  readonly stream: MessagePort;
  readonly told: EngineToStream[] = [];
  readonly receipts: Receipt[] = [];
  readonly failures: unknown[] = [];
  /** Called for each message, before it is kept. */
  onTold: (message: EngineToStream) => void = () => {};
  writer!: Writer;
  readonly #ring: RingWriter;
  readonly #ports: MessagePort[];
  readonly #streamPort: StreamPort;
  readonly #parts;
  #requestId = 0;

  constructor(folder: string, slotCount = 3) {
    const flags = ["--dedup-ids", "65536", "--ingest-queue", "64MiB", "--query-workers", "1"];
    const config = parseConfig(flags, {});
    const memory = createMemory({ ...planMemory(config), slots: slotCount * SLOT_BYTES });
    const core = attachCore(memory);
    this.core = core;
    this.store = new Store(folder);
    this.#ring = new RingWriter(memory);
    this.position = new StreamPosition(memory);
    const slots = new HotSlots(core, SLOT_BYTES);
    const watermarks = new Watermarks(core, { sourcesMax: 100, maxSkewUs: 3_600_000_000n });
    const batches = new BatchAreas(core, watermarks);
    const sealer = new MessageChannel();
    const channel = new MessageChannel();
    this.#ports = [sealer.port1, channel.port1];
    const { store } = this;
    this.segments = new Segments(
      core,
      slots,
      watermarks,
      sealer.port1,
      store.segments(),
      store.newestDropped(),
    );
    const scratch = region(memory, layout.REGION_READER_FIRST + sealerReader(config));
    sealer.port2.on("message", ({ type, segmentId, ...rest }: ToSealer) => {
      if (type !== "seal" || !("slot" in rest)) return;
      const sealed = sealSlot(core, rest.slot, scratch);
      sealer.port2.postMessage({ type: "sealed", segmentId, sealed } satisfies FromSealer);
    });
    this.stream = channel.port2;
    this.stream.on("message", (message: EngineToStream) => {
      this.onTold(message);
      this.told.push(message);
    });
    this.#streamPort = new StreamPort(channel.port1, this.position, () =>
      this.segments.nextSequence(),
    );
    this.segments.onPublished = () => this.#streamPort.published();
    this.#parts = { watermarks, batches, config, memory, folder };
  }

  async open(): Promise<this> {
    const { core, store, segments } = this;
    const { watermarks, batches, config, memory, folder } = this.#parts;
    const journalUs = await replayJournal(core, store, segments, batches, watermarks);
    const clockUs = store.clockUs();
    const decoder = new Decoder(core, new Uint8Array(32).fill(7));
    decoder.begin(0n);
    this.writer = new Writer(
      {
        ...{ core, store, segments, batches, decoder, clock: this.clock },
        ring: new RingReader(memory),
        dedup: new Dedup(core, config.dedupIds),
        receipts: new ReceiptBook(store, config.receiptRetentionMs),
        disk: new DiskReserve(folder, 0, this.clock, () => 0),
        tally: new Tally(),
        stream: this.#streamPort,
        answer: (answers) => unpackAnswers(answers, (_, receipt) => this.receipts.push(receipt)),
        fatal: (error) => this.failures.push(error),
      },
      segments.nextSequence(),
      journalUs > clockUs ? journalUs : clockUs,
    );
    segments.onSealed = (segment) => this.writer.commitSealed(segment);
    this.#streamPort.onCheckpoint = (checkpoint) => this.writer.commitCheckpoint(checkpoint);
    this.writer.wake();
    return this;
  }

  post(events: readonly object[]): void {
    const body = Buffer.from(JSON.stringify(events));
    const frame = { requestId: this.#requestId++, durable: true, options: "", length: body.length };
    if (!this.#ring.push({ ...frame, format: "json-batch" }, [body])) throw new Error("ring full");
    if (this.#ring.takeAsleep(body.length)) this.writer.wake();
  }

  say(message: StreamToEngine): void {
    this.stream.postMessage(message);
  }

  /** Waits until `holds`; fails after 5 s with what was told. */
  async until(what: string, holds: () => boolean): Promise<void> {
    for (const from = performance.now(); !holds(); ) {
      if (this.failures.length > 0) throw this.failures[0];
      if (performance.now() - from > 5000) throw new Error(`${what} does not come`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  ofType<T extends EngineToStream["type"]>(type: T): Extract<EngineToStream, { type: T }>[] {
    const is = (message: EngineToStream): message is Extract<EngineToStream, { type: T }> =>
      message.type === type;
    return this.told.filter(is);
  }

  /** As the engine thread ends: what is on its way, the last checkpoint, the store. */
  async close(): Promise<void> {
    await this.writer.drain();
    this.onTold = ({ type }) => type === "close" && this.stream.close();
    await this.#streamPort.close();
    await this.writer.drain();
    this.writer.stop();
    await this.store.close();
    for (const port of this.#ports) port.close();
  }
}
