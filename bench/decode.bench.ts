// Bytes to validated columns, against JSON.parse and @msgpack/msgpack of the same bytes.

import { decode as decodeMessagePack } from "@msgpack/msgpack";
import { Columns } from "../src/core/columns.ts";
import { attachCore, type Core } from "../src/core/core.ts";
import * as layout from "../src/core/layout.ts";
import { createMemory, region } from "../src/core/memory.ts";
import { HotSlots } from "../src/core/slots.ts";
import { Watermarks } from "../src/core/watermarks.ts";
import * as limits from "../src/limits.ts";
import { type BenchEvent, EventStream, encodeBody, type WireFormat } from "./events.ts";
import type { Comparison } from "./harness.ts";

const mib = 1024 * 1024;

interface Body {
  readonly bytes: Buffer;
  readonly address: number;
}

class DecodeRig {
  readonly core: Core;
  private readonly decoder: number;
  /** Where finished batches go: behind the watermarks and the scratch that applying a batch writes. */
  private readonly batches: { base: number; size: number };
  private next: number;

  constructor() {
    const memory = createMemory({
      bodies: 0,
      ring: 64 * mib,
      decoder: 256 * mib,
      batches: 64 * mib,
      dedup: 65_536,
      slots: 96 * mib,
      readers: [65_536],
    });
    this.core = attachCore(memory);
    this.decoder = region(memory, layout.REGION_DECODER).base;
    this.next = region(memory, layout.REGION_RING).base;
    const { reserved } = new Watermarks(this.core, { sourcesMax: 1024, maxSkewUs: 0n });
    const { base, size } = region(memory, layout.REGION_BATCHES);
    this.batches = { base: base + reserved, size: size - reserved };
    this.format();
  }

  private format(): void {
    const words: [number, number][] = [
      [layout.DECODER_LIMIT_EVENT_BYTES, limits.eventBytesMax],
      [layout.DECODER_LIMIT_KEY_BYTES, limits.keyBytesMax],
      [layout.DECODER_LIMIT_PATH_BYTES, limits.pathBytesMax],
      [layout.DECODER_LIMIT_STRING_BYTES, limits.stringBytesMax],
      [layout.DECODER_LIMIT_EVENT_DEPTH, limits.eventDepthMax],
      [layout.DECODER_LIMIT_BODY_DEPTH, limits.bodyDepthMax],
      [layout.DECODER_LIMIT_EVENTS, limits.batchEventsMax],
      [layout.DECODER_LIMIT_COLUMNS, limits.batchColumnsMax],
      [layout.DECODER_LIMIT_LEAVES, limits.eventColumnsMax],
      [layout.DECODER_LIMIT_ERRORS, limits.receiptErrorsMax],
      [layout.DECODER_LIMIT_ROWS, limits.segmentRowsMax],
    ];
    for (const [at, value] of words) this.core.view.setUint32(this.decoder + at, value, true);
    this.call("decoderFormat");
  }

  call(name: string, ...values: (number | bigint)[]): number {
    const kernel = this.core.exports[name];
    if (!kernel) throw new Error(`the core has no ${name}`);
    return Number(kernel(...values)) >>> 0;
  }

  /** Puts a body where the intake ring would have it. */
  put(bytes: Buffer): Body {
    const address = this.next;
    this.core.u8.set(bytes, address);
    this.next = (address + bytes.length + 127) & ~63;
    return { bytes, address };
  }

  /** Decodes into a fresh group; answers its number of events. */
  decode(body: Body, format: WireFormat): number {
    this.call("decoderBegin", 0n);
    const status =
      format === "json"
        ? this.call("decodeJson", body.address, body.bytes.length, layout.FORMAT_JSON_BATCH, 0)
        : this.call(
            "decodeMessagePack",
            body.address,
            body.bytes.length,
            layout.FORMAT_MSGPACK_BATCH,
            0,
          );
    const rejected = this.core.view.getUint32(this.decoder + layout.DECODER_REJECTED, true);
    if (status !== 0 || rejected !== 0) {
      throw new Error(`the decoder answered ${status} and rejected ${rejected} events`);
    }
    return this.core.view.getUint32(this.decoder + layout.DECODER_EVENTS, true);
  }

  /** The group as a ColumnBatch; answers its length. */
  finish(): number {
    const length = this.call("decoderFinish", this.batches.base, this.batches.size, 0n);
    if (length === 0) throw new Error("the batch did not fit");
    return length;
  }

  /** What was decoded, read back from a hot slot. */
  events(): BenchEvent[] {
    this.finish();
    const slots = new HotSlots(this.core, 32 * mib);
    slots.open(0, 0n);
    slots.apply(this.batches.base);
    const [slot] = slots.list();
    if (!slot) throw new Error("nothing was applied");
    const columns = new Columns(this.core);
    return Array.from({ length: slot.rows }, (_, row) => eventOf(columns, slot.address, row));
  }
}

function eventOf(columns: Columns, slot: number, row: number): BenchEvent {
  const cell = (path: string, lane: number): unknown => {
    return columns.cell(columns.find(slot, path, lane), row);
  };
  const text = (path: string): string => String(cell(path, layout.LANE_STRING));
  const number = (path: string): number => Number(cell(path, layout.LANE_NUMBER));
  return {
    id: String(cell("id", layout.LANE_ID)),
    timestamp: new Date(number("timestamp") / 1000).toISOString(),
    event_type: text("event_type"),
    source: text("source"),
    properties: {
      path: text("properties.path"),
      country: text("properties.country"),
      duration_ms: number("properties.duration_ms"),
      status: number("properties.status"),
      amount: number("properties.amount"),
      mobile: cell("properties.mobile", layout.LANE_BOOLEAN) === true,
    },
    user_id: text("user_id"),
    session_id: text("session_id"),
  };
}

const parsers: Readonly<Record<WireFormat, { name: string; parse(bytes: Buffer): unknown }>> = {
  json: { name: "JSON.parse", parse: (bytes) => JSON.parse(bytes.toString()) },
  msgpack: { name: "@msgpack/msgpack", parse: (bytes) => decodeMessagePack(bytes) },
};

function comparisonOf(format: WireFormat, batch: number, finish: boolean): Comparison {
  const rig = new DecodeRig();
  const stream = new EventStream(31);
  // As many bodies as stay out of the caches' reach, each with ids and strings of its own.
  const bodyCount = Math.max(2, Math.min(32, Math.floor(40_000 / batch)));
  const bodies = Array.from({ length: bodyCount }, () => {
    return rig.put(encodeBody(stream.take(batch), format));
  });
  const { name, parse } = parsers[format];
  const turns = [0, 0];
  const turn = (side: 0 | 1): Body => {
    turns[side] = ((turns[side] ?? 0) + 1) % bodies.length;
    return bodies[turns[side] as number] as Body;
  };
  const [first] = bodies;
  if (!first) throw new Error("there is no body");
  const what = format === "json" ? "JSON" : "MessagePack";
  return {
    name: `decode ${what}, ${batch} events${finish ? ", to a finished batch" : ""}`,
    units: batch,
    unit: "events",
    bytes: first.bytes.length,
    ...(!finish && { must: format === "json" ? 4 : 8, aim: format === "json" ? 6 : 12 }),
    reference: {
      name,
      run: () => (parse(turn(0).bytes) as unknown[]).length,
      result: () => parse(first.bytes),
    },
    candidate: {
      name: "core",
      run: () => {
        const events = rig.decode(turn(1), format);
        return finish ? rig.finish() : events;
      },
      result: () => {
        rig.decode(first, format);
        return rig.events();
      },
    },
  };
}

export function decodeComparisons(batch: number): Comparison[] {
  return [
    comparisonOf("json", batch, false),
    comparisonOf("msgpack", batch, false),
    comparisonOf("json", batch, true),
  ];
}
