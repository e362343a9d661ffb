// Bytes of partial aggregates, little-endian. What holds them (magic, version, checksum) is its owner's matter.

import { CorruptionError } from "../../errors.ts";

export class PartialWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written, as a view of memory that goes on growing. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #room(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      bytes.set(this.#bytes.subarray(0, at));
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    return at;
  }

  u8(value: number): void {
    const at = this.#room(1);
    this.#bytes[at] = value;
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
  }

  i64(value: bigint): void {
    const at = this.#room(8);
    this.#view.setBigInt64(at, value, true);
  }

  f64(value: number): void {
    const at = this.#room(8);
    this.#view.setFloat64(at, value, true);
  }

  /** A u32 length, then UTF-8. */
  text(value: string): void {
    const bytes = encoder.encode(value);
    this.u32(bytes.length);
    this.raw(bytes);
  }

  /** Bytes whose number the reader knows. They may lie in shared memory. */
  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }
}

/** Throws CorruptionError where the bytes end too soon. */
export class PartialReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes that are not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #next(size: number): number {
    const at = this.#at;
    if (size > this.left) {
      throw new CorruptionError(
        "partial_truncated",
        `a partial aggregate ends at byte ${this.#bytes.length}, want ${size} more at ${at}`,
      );
    }
    this.#at += size;
    return at;
  }

  u8(): number {
    return this.#bytes[this.#next(1)] as number;
  }

  u32(): number {
    return this.#view.getUint32(this.#next(4), true);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#next(8), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#next(8), true);
  }

  text(): string {
    return decoder.decode(this.raw(this.u32()));
  }

  /** A view of the next `size` bytes. */
  raw(size: number): Uint8Array {
    const at = this.#next(size);
    return this.#bytes.subarray(at, at + size);
  }
}

/** The first byte of an aggregate's partials says what they are and in which version. Throws CorruptionError. */
export function expectTag(partials: PartialReader, tag: number, name: string): void {
  const got = partials.u8();
  if (got === tag) return;
  throw new CorruptionError(
    "partial_tag",
    `partials of ${name} begin with byte ${got}, want ${tag}`,
  );
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
