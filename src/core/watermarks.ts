import { assert } from "../base/assert.ts";
import type { Core } from "./core.ts";
import * as layout from "./layout.ts";
import { region } from "./memory.ts";
import * as status from "./status.ts";

// The table's layout is drawn in assembly/segment/watermark.ts: maximum and places, counters, then the places.
const COUNTERS = 16;
const HEADER_SIZE = 64;
const PLACE_SIZE = 16;

/** How far each source's event time has come: the table at the start of the region of batches (engine thread). */
export class Watermarks {
  /** Bytes at the start of the region of batches that are not for batches. */
  readonly reserved: number;
  readonly #core: Core;
  readonly #table: number;
  readonly #stateSize: number;
  readonly #maxSkewUs: bigint;

  constructor(core: Core, options: { sourcesMax: number; maxSkewUs: bigint }) {
    this.#core = core;
    this.#table = region(core.memory, layout.REGION_BATCHES).base;
    this.#maxSkewUs = options.maxSkewUs;
    this.reserved = Number(this.#call("watermarkTableSize", options.sourcesMax)) >>> 0;
    this.#stateSize = Number(this.#call("watermarkStateSize", options.sourcesMax)) >>> 0;
    this.#call("watermarkFormat", this.#table, options.sourcesMax);
  }

  /** Gives the rows of a batch their lateness, which may grow the batch, and advances the watermarks. */
  lateness(batch: number): void {
    this.#check(this.#call("latenessOf", batch, this.#table, this.#maxSkewUs));
  }

  /** Advances the watermarks by a batch that has been through `lateness` before: recovery. */
  advance(batch: number): void {
    this.#check(this.#call("watermarkAdvance", batch, this.#table, this.#maxSkewUs));
  }

  /** Rows later than their source's watermark, since the table was made. */
  get lateRows(): bigint {
    return BigInt(this.#call("watermarkLateRows", this.#table));
  }

  /** Rows whose timestamp was beyond the clock and the skew that is allowed. */
  get futureRows(): bigint {
    return BigInt(this.#call("watermarkFutureRows", this.#table));
  }

  /**
   * The counters, and each source that was seen: `{ hash u64, watermark i64 }` after the table's header. The hashes
   * are good for the version of the core that made them.
   */
  snapshot(): Uint8Array {
    const { u8, view } = this.#core;
    const taken: number[] = [];
    const end = this.#table + this.#stateSize;
    for (let place = this.#table + HEADER_SIZE; place < end; place += PLACE_SIZE) {
      if (view.getBigUint64(place, true) !== 0n) taken.push(place);
    }
    const state = new Uint8Array(HEADER_SIZE + taken.length * PLACE_SIZE);
    state.set(u8.subarray(this.#table, this.#table + HEADER_SIZE));
    taken.forEach((place, i) => {
      state.set(u8.subarray(place, place + PLACE_SIZE), HEADER_SIZE + i * PLACE_SIZE);
    });
    return state;
  }

  /** Takes a snapshot into an empty table. Sources beyond this table's maximum share one watermark. */
  restore(state: Uint8Array): void {
    const sources = (state.length - HEADER_SIZE) / PLACE_SIZE;
    assert(Number.isInteger(sources) && sources >= 0, "a snapshot is a header and places");
    const from = new DataView(state.buffer, state.byteOffset, state.byteLength);
    const { u8 } = this.#core;
    u8.set(state.subarray(COUNTERS, HEADER_SIZE), this.#table + COUNTERS);
    for (let i = 0; i < sources; i++) {
      const place = HEADER_SIZE + i * PLACE_SIZE;
      const hash = from.getBigUint64(place, true);
      this.#call("watermarkEnter", this.#table, hash, from.getBigInt64(place + 8, true));
    }
  }

  #check(code: number | bigint): void {
    assert(code === status.OK, `a verified batch is in bounds (status ${code})`);
  }

  #call(name: string, ...values: (number | bigint)[]): number | bigint {
    const kernel = this.#core.exports[name];
    assert(kernel !== undefined, `the core exports ${name}`);
    return kernel(...values);
  }
}
