// A block of stored windows of one group, by start, then end. Little-endian:
//
//   0  magic u32, 'MRWB' │ 4 version u16, 1 │ 6 windows u16 │ 8 CRC-32C u32 of the windows │ 12 length u32
//   16 windows × { 0 start i64 µs │ 8 end i64 µs │ 16 final at i64
//                  24 count │ 32 late │ 40 revised │ 48 too late │ 56 duplicate │ 64 revision: f64 each
//                  72 length u32 of what follows │ 76 the group's states }

import { crc32c } from "../base/crc32c.ts";
import { CorruptionError } from "../errors.ts";
import type { StoredGroup } from "./store.ts";

const magic = 0x4257524d;
const version = 1;
const headSize = 16;
const entrySize = 76;
/** A block that has so many windows, or so many bytes, is full. */
export const windowsMax = 64;
export const blockBytesMax = 16_384;

/** Whose windows they are, and the start of the first that was put into the block: its key. */
export interface BlockPlace {
  readonly rule: number;
  readonly tier: number;
  readonly groupId: number;
  readonly startUs: bigint;
}

/** Where a window is in a block, or would be. */
interface Position {
  readonly at: number;
  readonly found: boolean;
}

export class WindowBlock {
  readonly place: BlockPlace;
  count = 0;
  /** Another one after each change. */
  version = 0;
  #bytes: Uint8Array;
  #view: DataView;
  #length = headSize;
  #lastStart = 0n;
  #lastEnd = 0n;
  /** Checksum of the windows up to `#checkedTo`: of what is appended alone it need be made. */
  #checksum = 0;
  #checkedTo = headSize;

  constructor(place: BlockPlace, bytes: Uint8Array = new Uint8Array(512)) {
    this.place = place;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Keeps `stored`, which is not changed. Throws CorruptionError, which names the rule, the group and the block. */
  static read(place: BlockPlace, stored: Uint8Array): WindowBlock {
    const fail = (what: string): never => {
      const { rule, tier, groupId, startUs } = place;
      throw new CorruptionError(
        "windows_corrupt",
        `the block of windows of rule ${rule}, tier ${tier}, group ${groupId} that begins at ${startUs} µs ${what}`,
        { rule, tier, group: groupId, start: String(startUs) },
      );
    };
    if (stored.length < headSize) fail(`has ${stored.length} bytes, want ${headSize} at least`);
    const block = new WindowBlock(place, stored);
    const view = block.#view;
    if (view.getUint32(0, true) !== magic) fail("has another magic number");
    const got = view.getUint16(4, true);
    if (got !== version) fail(`has version ${got}, want ${version}`);
    if (view.getUint32(12, true) !== stored.length) {
      fail(`has ${stored.length} bytes, and says ${view.getUint32(12, true)}`);
    }
    if (view.getUint32(8, true) !== block.#sum(stored.length)) {
      fail("does not have its checksum");
    }
    block.count = view.getUint16(6, true);
    if (block.count === 0) fail("has no windows");
    block.#length = stored.length;
    let at = headSize;
    let last = at;
    for (let i = 0; i < block.count; i++) {
      if (at + entrySize > stored.length) fail(`ends within window ${i} of ${block.count}`);
      last = at;
      at += entrySize + view.getUint32(at + 72, true);
    }
    if (at !== stored.length) fail(`has windows up to byte ${at} of ${stored.length}`);
    if (block.count > 0) block.#setLast(last);
    return block;
  }

  #sum(length: number): number {
    const more = this.#bytes.subarray(this.#checkedTo, length);
    this.#checksum = crc32c(more, this.#checksum);
    this.#checkedTo = length;
    return this.#checksum;
  }

  /** What it takes in memory. */
  get memory(): number {
    return this.#bytes.length + 200;
  }

  isAfter(startUs: bigint, endUs: bigint): boolean {
    if (this.count === 0 || startUs > this.#lastStart) return true;
    return startUs === this.#lastStart && endUs > this.#lastEnd;
  }

  /** Whether another window goes into a block of its own, where its start allows it. */
  isFull(size: number): boolean {
    if (this.count === 0) return false;
    return this.count >= windowsMax || this.#length + entrySize + size > blockBytesMax;
  }

  get lastStartUs(): bigint {
    return this.#lastStart;
  }

  #setLast(at: number): void {
    this.#lastStart = this.#view.getBigInt64(at, true);
    this.#lastEnd = this.#view.getBigInt64(at + 8, true);
  }

  #size(at: number): number {
    return entrySize + this.#view.getUint32(at + 72, true);
  }

  #position(startUs: bigint, endUs: bigint): Position {
    let at = headSize;
    for (; at < this.#length; at += this.#size(at)) {
      const start = this.#view.getBigInt64(at, true);
      if (start < startUs) continue;
      if (start > startUs) return { at, found: false };
      const end = this.#view.getBigInt64(at + 8, true);
      if (end >= endUs) return { at, found: end === endUs };
    }
    return { at, found: false };
  }

  find(startUs: bigint, endUs: bigint): StoredGroup | undefined {
    const { at, found } = this.#position(startUs, endUs);
    return found ? this.#groupAt(at) : undefined;
  }

  /** Opens or closes `difference` bytes at `at`. States that were read lie where they did: they are not moved. */
  #shift(at: number, difference: number): void {
    this.version++;
    const length = this.#length + difference;
    if (at < this.#checkedTo) {
      this.#checksum = 0;
      this.#checkedTo = headSize;
    }
    if (at < this.#length || length > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(length, Math.ceil(this.#length * 1.5)));
      bytes.set(this.#bytes.subarray(0, at));
      const from = difference < 0 ? at - difference : at;
      bytes.set(this.#bytes.subarray(from, this.#length), from + difference);
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    this.#length = length;
  }

  append(window: StoredGroup): void {
    const at = this.#length;
    this.#shift(at, entrySize + window.partial.length);
    this.#write(at, window);
    this.count++;
    this.#lastStart = window.startUs;
    this.#lastEnd = window.endUs;
  }

  /** Puts a window where it belongs, or in the place of the one with its start and end. */
  put(window: StoredGroup): void {
    if (this.isAfter(window.startUs, window.endUs)) {
      this.append(window);
      return;
    }
    const { at, found } = this.#position(window.startUs, window.endUs);
    const before = found ? this.#size(at) : 0;
    this.#shift(at, entrySize + window.partial.length - before);
    this.#write(at, window);
    if (!found) this.count++;
  }

  #write(at: number, window: StoredGroup): void {
    const view = this.#view;
    view.setBigInt64(at, window.startUs, true);
    view.setBigInt64(at + 8, window.endUs, true);
    view.setBigInt64(at + 16, window.finalAt, true);
    view.setFloat64(at + 24, window.count, true);
    view.setFloat64(at + 32, window.late, true);
    view.setFloat64(at + 40, window.revised, true);
    view.setFloat64(at + 48, window.tooLate, true);
    view.setFloat64(at + 56, window.duplicate, true);
    view.setFloat64(at + 64, window.revision, true);
    view.setUint32(at + 72, window.partial.length, true);
    this.#bytes.set(window.partial, at + entrySize);
  }

  /** Whether there was one. */
  remove(startUs: bigint, endUs: bigint): boolean {
    const { at, found } = this.#position(startUs, endUs);
    if (!found) return false;
    this.#shift(at, -this.#size(at));
    this.count--;
    let last = headSize;
    for (let next = last; next < this.#length; next += this.#size(next)) last = next;
    if (this.count > 0) this.#setLast(last);
    return true;
  }

  #groupAt(at: number): StoredGroup {
    const view = this.#view;
    const states = at + entrySize;
    return {
      groupId: this.place.groupId,
      startUs: view.getBigInt64(at, true),
      endUs: view.getBigInt64(at + 8, true),
      finalAt: view.getBigInt64(at + 16, true),
      count: view.getFloat64(at + 24, true),
      late: view.getFloat64(at + 32, true),
      revised: view.getFloat64(at + 40, true),
      tooLate: view.getFloat64(at + 48, true),
      duplicate: view.getFloat64(at + 56, true),
      revision: view.getFloat64(at + 64, true),
      partial: this.#bytes.subarray(states, states + view.getUint32(at + 72, true)),
    };
  }

  /** Windows that overlap [fromUs, toUs), by start; their states lie in the block. */
  overlapping(fromUs: bigint, toUs: bigint): StoredGroup[] {
    const found: StoredGroup[] = [];
    const view = this.#view;
    for (let at = headSize; at < this.#length; at += this.#size(at)) {
      if (view.getBigInt64(at, true) >= toUs) break;
      if (view.getBigInt64(at + 8, true) > fromUs) found.push(this.#groupAt(at));
    }
    return found;
  }

  /** Whether every window ended at `endUs` or before. */
  endsBy(endUs: bigint): boolean {
    for (let at = headSize; at < this.#length; at += this.#size(at)) {
      if (this.#view.getBigInt64(at + 8, true) > endUs) return false;
    }
    return true;
  }

  /** The later half as a block of its own, taken out of this one; undefined where all have one start. */
  split(): WindowBlock | undefined {
    let at = headSize;
    let start = this.#view.getBigInt64(at, true);
    let left = 0;
    for (let previous = headSize; at < this.#length; at += this.#size(at), left++) {
      start = this.#view.getBigInt64(at, true);
      const isNew = start !== this.#view.getBigInt64(previous, true) && start > this.place.startUs;
      if (left >= this.count >> 1 && isNew) break;
      previous = at;
    }
    if (at >= this.#length) return undefined;
    const later = new WindowBlock({ ...this.place, startUs: start });
    later.#shift(headSize, this.#length - at);
    later.#bytes.set(this.#bytes.subarray(at, this.#length), headSize);
    later.count = this.count - left;
    later.#lastStart = this.#lastStart;
    later.#lastEnd = this.#lastEnd;
    this.version++;
    this.#checksum = 0;
    this.#checkedTo = headSize;
    this.#bytes = this.#bytes.slice(0, at);
    this.#view = new DataView(this.#bytes.buffer);
    this.#length = at;
    this.count = left;
    let last = headSize;
    for (let next = last; next < at; next += this.#size(next)) last = next;
    this.#setLast(last);
    return later;
  }

  /** Memory of its own. */
  encode(): Uint8Array {
    const view = this.#view;
    view.setUint32(0, magic, true);
    view.setUint16(4, version, true);
    view.setUint16(6, this.count, true);
    view.setUint32(12, this.#length, true);
    view.setUint32(8, this.#sum(this.#length), true);
    return this.#bytes.slice(0, this.#length);
  }
}
