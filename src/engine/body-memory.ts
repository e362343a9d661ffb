import { assert } from "../base/assert.ts";
import * as layout from "../core/layout.ts";
import { region } from "../core/memory.ts";
import type { BodyPlace } from "./ingest.ts";

// Where bodies of more than a chunk or two are put together while they are received: chunks are copied as they
// come, so that none outlives the event that brought it. A chunk that is kept until its body is complete is
// promoted, and then only full garbage collections, several a second at full speed, free it.
//
// The HTTP thread alone gives places out and takes them back; the engine thread reads one between the ring frame
// that names it and the answer. The lowest free address comes first, so that little of the region is ever touched.

const ALIGNMENT = 64;
/** Kernels may read this many bytes past a body. */
const SLACK = 64;

interface Extent {
  base: number;
  size: number;
}

/** The memory of one body that is being received. */
export class ReservedPlace implements BodyPlace {
  readonly base: number;
  readonly #memory: BodyMemory;
  readonly #size: number;
  #length = 0;
  #state: "filling" | "queued" | "free" = "filling";

  constructor(memory: BodyMemory, base: number, size: number) {
    this.#memory = memory;
    this.base = base;
    this.#size = size;
  }

  get length(): number {
    return this.#length;
  }

  write(chunk: Uint8Array): void {
    assert(this.#state === "filling", "a place is filled before it is queued");
    assert(this.#length + chunk.length <= this.#size, "a body is as long as was announced");
    this.#memory.u8.set(chunk, this.base + this.#length);
    this.#length += chunk.length;
  }

  /** From now on the engine reads it, until `answered`. */
  queued(): void {
    this.#state = "queued";
  }

  /** The engine is done with it. */
  answered(): void {
    this.#free();
  }

  release(): void {
    if (this.#state === "filling") this.#free();
  }

  #free(): void {
    if (this.#state === "free") return;
    this.#state = "free";
    this.#memory.free(this.base, this.#size);
  }
}

/** Gives out contiguous places in the region of bodies, first fit by address. */
export class BodyMemory {
  readonly u8: Uint8Array;
  /** Free extents by address; neighbours are joined. As many as there are bodies on their way, at most. */
  readonly #extents: Extent[];
  readonly #size: number;
  #free: number;

  constructor(memory: WebAssembly.Memory) {
    const { base, size } = region(memory, layout.REGION_BODIES);
    this.u8 = new Uint8Array(memory.buffer);
    this.#size = Math.max(0, size - SLACK);
    this.#free = this.#size;
    this.#extents = this.#size > 0 ? [{ base, size: this.#size }] : [];
  }

  /** Bytes that are given out. */
  get used(): number {
    return this.#size - this.#free;
  }

  /** A place for a body of `length` bytes, or null when no extent is as large as that. */
  reserve(length: number): ReservedPlace | null {
    const size = align(length);
    const index = this.#extents.findIndex((one) => one.size >= size);
    const extent = this.#extents[index];
    if (extent === undefined) return null;
    const { base } = extent;
    extent.base += size;
    extent.size -= size;
    if (extent.size === 0) this.#extents.splice(index, 1);
    this.#free -= size;
    return new ReservedPlace(this, base, length);
  }

  /** Takes back what `reserve` gave out. */
  free(base: number, length: number): void {
    const size = align(length);
    this.#free += size;
    const extents = this.#extents;
    let index = extents.findIndex((one) => one.base > base);
    if (index < 0) index = extents.length;
    const before = extents[index - 1];
    const after = extents[index];
    const joinsBefore = before !== undefined && before.base + before.size === base;
    const joinsAfter = after !== undefined && base + size === after.base;
    if (joinsBefore && joinsAfter) {
      before.size += size + after.size;
      extents.splice(index, 1);
    } else if (joinsBefore) {
      before.size += size;
    } else if (joinsAfter) {
      after.base = base;
      after.size += size;
    } else {
      extents.splice(index, 0, { base, size });
    }
  }
}

function align(length: number): number {
  return Math.max(ALIGNMENT, Math.ceil(length / ALIGNMENT) * ALIGNMENT);
}
