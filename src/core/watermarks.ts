import { assert } from "../base/assert.ts";
import type { Core } from "./core.ts";
import * as layout from "./layout.ts";
import { region } from "./memory.ts";
import * as status from "./status.ts";

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

  /** A copy of the state; its keys are hashes, so it is good for the version of the core that made it. */
  snapshot(): Uint8Array {
    return this.#core.u8.slice(this.#table, this.#table + this.#stateSize);
  }

  /** Takes a state that `snapshot` gave with the same number of sources; answers false if it is another's. */
  restore(state: Uint8Array): boolean {
    if (state.length !== this.#stateSize) return false;
    const sourcesMax = new DataView(state.buffer, state.byteOffset).getUint32(0, true);
    if (sourcesMax !== this.#core.view.getUint32(this.#table, true)) return false;
    this.#core.u8.set(state, this.#table);
    return true;
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
