// What a checkpoint is made of, in the table `stream`. See docs/formats/checkpoint.md.
//
// Keys: kind u8, the rule's number u32, big-endian, then of kind 2 the part's own key.
//   1 how far the live rules are (number 0), or a rule that is still behind, with their event time
//   2 part of a rule's state
//   3 a rule of which something is still to be removed
//
// Values, little-endian: magic 'MRCK' u32 │ version u16 │ kind u16 │ CRC-32C of the content u32 │ its length u32, then
// the content.

import { crc32c } from "../base/crc32c.ts";
import { CorruptionError } from "../errors.ts";
import type { Position } from "./duplicates.ts";
import type { StatePart } from "./rule-state.ts";

const magic = 0x4b43524d;
const version = 1;
const headerSize = 16;

const TIME = 1;
const PART = 2;
const FORGOTTEN = 3;

function keyOf(kind: number, rule: number, rest: Uint8Array = new Uint8Array(0)): Uint8Array {
  const key = new Uint8Array(5 + rest.length);
  key[0] = kind;
  new DataView(key.buffer).setUint32(1, rule);
  key.set(rest, 5);
  return key;
}

/** Event time of the live follower has number 0. */
export function timeKey(rule: number): Uint8Array {
  return keyOf(TIME, rule);
}

export function partKey(rule: number, part: Uint8Array): Uint8Array {
  return keyOf(PART, rule, part);
}

/** Where the keys of a rule's parts begin and where they end. */
export function partRange(rule: number): { readonly from: Uint8Array; readonly to: Uint8Array } {
  return { from: keyOf(PART, rule), to: keyOf(PART, rule + 1) };
}

/** Of a rule that is gone, or replaced, as long as not everything of it is removed. */
export function forgottenKey(rule: number): Uint8Array {
  return keyOf(FORGOTTEN, rule);
}

export function forgottenRange(): { readonly from: Uint8Array; readonly to: Uint8Array } {
  return { from: Uint8Array.of(FORGOTTEN), to: Uint8Array.of(FORGOTTEN + 1) };
}

/** The bytes of a value that has `content`. */
function framed(kind: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerSize + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint16(4, version, true);
  view.setUint16(6, kind, true);
  view.setUint32(8, crc32c(content), true);
  view.setUint32(12, content.length, true);
  bytes.set(content, headerSize);
  return bytes;
}

/** A private copy of what `framed` was given. @throws CorruptionError naming the key. */
function unframed(kind: number, key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const fail = (what: string): never => {
    const name = Buffer.from(key).toString("hex");
    throw new CorruptionError("checkpoint_corrupt", `checkpoint key ${name} ${what}`);
  };
  if (bytes.length < headerSize) fail(`has ${bytes.length} bytes, want ${headerSize} at least`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic) fail("has another magic number");
  const got = view.getUint16(4, true);
  if (got !== version) fail(`has version ${got}, want ${version}`);
  if (view.getUint16(6, true) !== kind) fail(`has kind ${view.getUint16(6, true)}, want ${kind}`);
  const length = view.getUint32(12, true);
  if (bytes.length !== headerSize + length) {
    fail(`has ${bytes.length - headerSize} bytes of content, want ${length}`);
  }
  const content = bytes.slice(headerSize);
  if (view.getUint32(8, true) !== crc32c(content)) fail("has another checksum");
  return content;
}

/** How far a follower has come, and its event time. */
export interface StoredTime {
  readonly position: Position;
  readonly time: Uint8Array;
  /** Of the live rules: above every number that a stored rule ever had. */
  readonly nextNumber: number;
}

/** Content: next sequence i64, entries of duplicates counted at it u32, next rule number u32, then the time. */
export function encodeTime({ position, time, nextNumber }: StoredTime): Uint8Array {
  const content = new Uint8Array(16 + time.length);
  const view = new DataView(content.buffer);
  view.setBigInt64(0, position.next, true);
  view.setUint32(8, position.duplicates, true);
  view.setUint32(12, nextNumber, true);
  content.set(time, 16);
  return framed(TIME, content);
}

/** @throws CorruptionError naming the key. */
export function decodeTime(key: Uint8Array, value: Uint8Array): StoredTime {
  const content = unframed(TIME, key, value);
  if (content.length < 16) {
    throw new CorruptionError(
      "checkpoint_corrupt",
      `a time has ${content.length} bytes of content`,
    );
  }
  const view = new DataView(content.buffer);
  return {
    position: { next: view.getBigInt64(0, true), duplicates: view.getUint32(8, true) },
    time: content.slice(16),
    nextNumber: view.getUint32(12, true),
  };
}

/** Content: 1 u8 where everything of the rule goes, 0 where its windows stay and only the open ones go. */
export function encodeForgotten(all: boolean): Uint8Array {
  return framed(FORGOTTEN, Uint8Array.of(all ? 1 : 0));
}

/** @throws CorruptionError naming the key. */
export function decodeForgotten(
  key: Uint8Array,
  value: Uint8Array,
): { readonly rule: number; readonly all: boolean } {
  const [all] = unframed(FORGOTTEN, key, value);
  const rule = new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(1);
  return { rule, all: all !== 0 };
}

export function encodePart({ bytes }: StatePart): Uint8Array | null {
  return bytes && framed(PART, bytes);
}

/** A part as it is read from its entry. @throws CorruptionError naming the key. */
export function decodePart(key: Uint8Array, value: Uint8Array): StatePart {
  return { key: key.slice(5), bytes: unframed(PART, key, value) };
}
