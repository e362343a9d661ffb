// Keys of stored windows. Big-endian, times with their sign turned, so that the order of bytes is that of numbers.

import type { TableReader } from "./store.ts";

/** Length of the part of a key that says whose windows these are: rule u32, tier u8, group u32. */
export const groupPrefixSize = 9;
/** Then the block's start, i64. */
export const windowKeySize = 17;

export const timeMin = -(2n ** 63n);
export const timeMax = 2n ** 63n - 1n;

function keyOf(size: number): { bytes: Buffer; view: DataView } {
  // Memory of its own: keys are kept, and sent to another thread.
  const bytes = Buffer.allocUnsafeSlow(size);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, size) };
}

function setTime(view: DataView, at: number, us: bigint): void {
  view.setBigInt64(at, us);
  view.setUint8(at, view.getUint8(at) ^ 0x80);
}

function timeAt(view: DataView, at: number): bigint {
  return BigInt.asIntN(64, view.getBigUint64(at) ^ 0x8000_0000_0000_0000n);
}

/** Table `windows`: a block of one group's windows, under the start of the first that it had. */
export function windowKey(rule: number, tier: number, groupId: number, startUs: bigint): Buffer {
  const { bytes, view } = keyOf(windowKeySize);
  view.setUint32(0, rule);
  view.setUint8(4, tier);
  view.setUint32(5, groupId);
  setTime(view, groupPrefixSize, startUs);
  return bytes;
}

export function windowKeyParts(key: Uint8Array): { groupId: number; startUs: bigint } {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return { groupId: view.getUint32(5), startUs: timeAt(view, groupPrefixSize) };
}

/** What every key of a rule's tier begins with, and the first key after all of them. */
export function tierRange(rule: number, tier: number): { from: Buffer; to: Buffer } {
  const { bytes: from, view } = keyOf(5);
  view.setUint32(0, rule);
  view.setUint8(4, tier);
  return { from, to: following(from) };
}

export function ruleRange(rule: number): { from: Buffer; to: Buffer } {
  const { bytes: from, view } = keyOf(4);
  view.setUint32(0, rule);
  return { from, to: following(from) };
}

/** The first key after all that begin with `prefix`, which has a byte below 255. */
function following(prefix: Buffer): Buffer {
  const next = Buffer.from(prefix);
  let at = next.length - 1;
  while (next[at] === 0xff) at--;
  next[at] = (next[at] as number) + 1;
  return next.subarray(0, at + 1);
}

/** Table `finals`: rule u32, tier u8, the sequence at which the window became final, start and end i64. */
export function finalKey(
  rule: number,
  tier: number,
  finalAt: bigint,
  startUs: bigint,
  endUs: bigint,
): Buffer {
  const { bytes, view } = keyOf(29);
  view.setUint32(0, rule);
  view.setUint8(4, tier);
  setTime(view, 5, finalAt);
  setTime(view, 13, startUs);
  setTime(view, 21, endUs);
  return bytes;
}

export function finalKeyParts(key: Uint8Array): {
  finalAt: bigint;
  startUs: bigint;
  endUs: bigint;
} {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return { finalAt: timeAt(view, 5), startUs: timeAt(view, 13), endUs: timeAt(view, 21) };
}

/** The keys of a range. */
export function* keysOf(
  table: TableReader,
  from: Uint8Array,
  to: Uint8Array,
): Generator<Uint8Array> {
  if (table.keys) yield* table.keys(from, to);
  else for (const { key } of table.range(from, to)) yield key;
}

const keyOfGroup = 0;
const groupsOfHash = 1;
const groupCount = 2;

/** Table `groups`: a group's key under its number. */
export function groupKey(rule: number, groupId: number): Buffer {
  const { bytes, view } = keyOf(9);
  view.setUint32(0, rule);
  view.setUint8(4, keyOfGroup);
  view.setUint32(5, groupId);
  return bytes;
}

/** Table `groups`: the numbers of the groups whose keys have this hash, of 64 bits in two halves. */
export function groupHashKey(rule: number, high: number, low: number): Buffer {
  const { bytes, view } = keyOf(13);
  view.setUint32(0, rule);
  view.setUint8(4, groupsOfHash);
  view.setUint32(5, high);
  view.setUint32(9, low);
  return bytes;
}

/** Table `groups`: how many groups a rule has. */
export function groupCountKey(rule: number): Buffer {
  const { bytes, view } = keyOf(5);
  view.setUint32(0, rule);
  view.setUint8(4, groupCount);
  return bytes;
}
