// Bytes of states that are cut and joined: read from one place, written to another, in pieces that are mostly short.

import { CorruptionError } from "../../errors.ts";

/** Up to here a loop over words is quicker than making two views. */
const shortSize = 96;

/** Reads by address. Throws CorruptionError where the bytes end too soon. */
export class StateBytes {
  readonly u8: Uint8Array;
  readonly view: DataView;
  /** Where whoever reads on is. */
  at = 0;

  constructor(u8: Uint8Array) {
    this.u8 = u8;
    this.view = new DataView(u8.buffer, u8.byteOffset, u8.byteLength);
  }

  get length(): number {
    return this.u8.length;
  }

  /** Throws unless `size` bytes are there at `at`. */
  check(at: number, size: number): void {
    if (at + size <= this.u8.length) return;
    throw new CorruptionError(
      "partial_truncated",
      `a partial of groups ends at byte ${this.u8.length}, want ${size} more at ${at}`,
    );
  }

  byte(at: number): number {
    this.check(at, 1);
    return this.u8[at] as number;
  }

  word(at: number): number {
    this.check(at, 4);
    return this.view.getUint32(at, true);
  }

  /** Steps over `size` bytes; answers where they begin. */
  skip(size: number): number {
    const { at } = this;
    this.check(at, size);
    this.at = at + size;
    return at;
  }

  u32(): number {
    return this.view.getUint32(this.skip(4), true);
  }
}

/** Both sides have the room. */
export function copyBytes(
  from: StateBytes,
  fromAt: number,
  to: { readonly u8: Uint8Array; readonly view: DataView },
  toAt: number,
  size: number,
): void {
  if (size > shortSize) {
    to.u8.set(from.u8.subarray(fromAt, fromAt + size), toAt);
    return;
  }
  let i = 0;
  for (; i + 4 <= size; i += 4)
    to.view.setUint32(toAt + i, from.view.getUint32(fromAt + i, true), true);
  for (; i < size; i++) to.u8[toAt + i] = from.u8[fromAt + i] as number;
}

/** Bytes that are written one after the other. */
export class GrowingBytes {
  u8: Uint8Array<ArrayBuffer>;
  view: DataView;
  length = 0;

  constructor(size: number) {
    this.u8 = new Uint8Array(Math.max(64, size));
    this.view = new DataView(this.u8.buffer);
  }

  bytes(): Uint8Array {
    return this.u8.subarray(0, this.length);
  }

  /** Zeros of `size` bytes; answers where they begin. */
  room(size: number): number {
    const at = this.length;
    this.length += size;
    if (this.length > this.u8.length) {
      const larger = new Uint8Array(Math.max(this.length, this.u8.length * 2));
      larger.set(this.u8.subarray(0, at));
      this.u8 = larger;
      this.view = new DataView(larger.buffer);
    }
    return at;
  }

  byte(value: number): void {
    const at = this.room(1);
    this.u8[at] = value;
  }

  u32(value: number): void {
    const at = this.room(4);
    this.view.setUint32(at, value, true);
  }

  copy(from: StateBytes, at: number, size: number): void {
    from.check(at, size);
    const to = this.room(size);
    copyBytes(from, at, this, to, size);
  }
}
