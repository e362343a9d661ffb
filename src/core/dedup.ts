import { randomBytes } from "node:crypto";
import { assert } from "../base/assert.ts";
import type { Core } from "./core.ts";
import { OK } from "./status.ts";

const HEADER_BYTES = 576;

/**
 * The ids that were seen, exact over the newest `capacity` client-sent ones; the first event with
 * an id wins. Lives in the dedup region of `core`'s memory; the engine thread owns it.
 */
export class Dedup {
  readonly capacity: number;
  readonly #core: Core;

  /** Empties the region. Throws when it is smaller than `Dedup.regionSize(capacity)`. */
  constructor(core: Core, capacity: number) {
    this.#core = core;
    this.capacity = capacity;
    const seeds = randomBytes(16);
    const format = this.#kernel("dedupFormat");
    const status = format(capacity, seeds.readBigUInt64LE(0), seeds.readBigUInt64LE(8));
    if (status !== OK) {
      const bytes = Dedup.regionSize(capacity);
      throw new RangeError(
        `the dedup region is too small: want ${bytes} bytes for ${capacity} ids`,
      );
    }
  }

  /** Bytes of the dedup region for `capacity` ids. */
  static regionSize(capacity: number): number {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(capacity, 1) * 2));
    return HEADER_BYTES + slots * 8 + capacity * 16;
  }

  /**
   * Enters the ids of rows [rowBegin, rowEnd), 16 bytes a row at `ids`, and sets the bit in
   * `droppedBits` of each row whose id is known. Rows with a bit in `madeBits` or `droppedBits` are
   * passed over. Returns the number of known ids.
   */
  rows(
    ids: number,
    madeBits: number,
    droppedBits: number,
    rowBegin: number,
    rowEnd: number,
  ): number {
    return Number(this.#kernel("dedupRows")(ids, madeBits, droppedBits, rowBegin, rowEnd)) >>> 0;
  }

  /**
   * Enters `count` ids that come back from storage, oldest first; `madeBits` 0 means that clients
   * sent them all. Returns how many were known already.
   */
  insertMany(ids: number, madeBits: number, count: number): number {
    return Number(this.#kernel("dedupInsertMany")(ids, madeBits, count)) >>> 0;
  }

  /** Ids held now, at most `capacity`. */
  held(): number {
    return Number(this.#kernel("dedupHeld")()) >>> 0;
  }

  /** Ids pushed out by newer ones since the region was formatted. */
  evicted(): bigint {
    return BigInt.asUintN(64, BigInt(this.#kernel("dedupEvicted")()));
  }

  #kernel(name: string): (...values: (number | bigint)[]) => number | bigint {
    const kernel = this.#core.exports[name];
    assert(kernel, `the core exports ${name}`);
    return kernel;
  }
}
