// The keys of groups, in two forms. In partials: the distinct values of each key, then pairs (group-table.ts). Of a
// group alone, so that equal values are equal bytes: of each key its kind u8 and
//   NULL nothing │ boolean u8 │ integer i64 │ double f64 │ string, id, JSON: length u32 and bytes

import { integer } from "../../base/integer.ts";
import {
  GROUP_KEY_KIND,
  GROUP_KEY_SIZE,
  GROUP_PAIR_SIZE,
  KEY_BOOLEAN,
  KEY_F64,
  KEY_I64,
  KEY_ID,
  KEY_JSON,
  KEY_NULL,
  KEY_STRING,
} from "../../core/layout.ts";
import { CorruptionError } from "../../errors.ts";
import { idText } from "../aggregate/extremes.ts";
import { JsonText, type Value } from "../result.ts";
import { copyBytes, GrowingBytes, StateBytes } from "./state-bytes.ts";

/** Where the values of a key are in a partial. */
interface KeyTable {
  readonly count: number;
  readonly entries: number;
  readonly texts: number;
  readonly textBytes: number;
}

/** Steps over the keys of all groups; answers each group's. Without keys there is one group. */
export function splitKeys(from: StateBytes, keys: number): Uint8Array[] {
  if (keys === 0) return [new Uint8Array(0)];
  const tables = Array.from({ length: keys }, () => readTable(from));
  const pairs = Array.from({ length: keys - 1 }, () => readPairs(from));
  const count = pairs.at(-1)?.count ?? (tables[0] as KeyTable).count;
  const out = new GrowingBytes(count * keys * 16);
  const ends = new Float64Array(count);
  const indexes = new Uint32Array(keys);
  for (let group = 0; group < count; group++) {
    let index = group;
    for (let key = keys - 1; key > 0; key--) {
      const { count: known, at } = pairs[key - 1] as { count: number; at: number };
      if (index >= known) throw outside("pair", index, known);
      indexes[key] = from.view.getUint32(at + index * GROUP_PAIR_SIZE + 4, true);
      index = from.view.getUint32(at + index * GROUP_PAIR_SIZE, true);
    }
    indexes[0] = index;
    for (let key = 0; key < keys; key++) {
      writeKey(from, tables[key] as KeyTable, indexes[key] as number, out);
    }
    ends[group] = out.length;
  }
  const bytes = out.bytes();
  const split: Uint8Array[] = [];
  for (let group = 0, start = 0; group < count; group++) {
    const end = ends[group] as number;
    split.push(bytes.subarray(start, end));
    start = end;
  }
  return split;
}

function readTable(from: StateBytes): KeyTable {
  const count = from.u32();
  const textBytes = from.u32();
  const entries = from.skip(count * GROUP_KEY_SIZE);
  return { count, entries, textBytes, texts: from.skip(textBytes) };
}

function readPairs(from: StateBytes): { count: number; at: number } {
  const count = from.u32();
  return { count, at: from.skip(count * GROUP_PAIR_SIZE) };
}

function writeKey(from: StateBytes, table: KeyTable, index: number, out: GrowingBytes): void {
  if (index >= table.count) throw outside("value", index, table.count);
  const entry = table.entries + index * GROUP_KEY_SIZE;
  const kind = from.view.getUint32(entry + GROUP_KEY_KIND, true);
  if (kind > KEY_JSON) throw outside("kind", kind, KEY_JSON + 1);
  out.byte(kind);
  if (kind === KEY_NULL) return;
  const low = from.view.getUint32(entry, true);
  if (kind === KEY_BOOLEAN) out.byte(low === 0 ? 0 : 1);
  else if (kind < KEY_STRING) out.copy(from, entry, 8);
  else {
    const length = from.view.getUint32(entry + 4, true);
    if (low + length > table.textBytes) throw outside("text", low + length, table.textBytes + 1);
    out.u32(length);
    out.copy(from, table.texts + low, length);
  }
}

function outside(what: string, got: number, count: number): CorruptionError {
  return new CorruptionError("partial_bounds", `a group's key has ${what} ${got} of ${count}`);
}

/** As `GroupTable.merge` reads them: every group has values of its own, which are made one there. */
export function joinKeys(groupKeys: readonly Uint8Array[], keys: number, out: GrowingBytes): void {
  const count = groupKeys.length;
  let total = 0;
  for (const { length } of groupKeys) total += length;
  const all = new StateBytes(new Uint8Array(total));
  const at = new Float64Array(count);
  const ends = new Float64Array(count);
  let end = 0;
  for (let g = 0; g < count; g++) {
    const bytes = groupKeys[g] as Uint8Array;
    all.u8.set(bytes, end);
    at[g] = end;
    end += bytes.length;
    ends[g] = end;
  }
  for (let key = 0; key < keys; key++) joinKey(all, at, out);
  for (let g = 0; g < count; g++) {
    if (at[g] !== ends[g]) {
      throw new CorruptionError(
        "partial_bounds",
        `the key of group ${g} has other than ${keys} values`,
      );
    }
  }
  for (let key = 1; key < keys; key++) {
    out.u32(count);
    let to = out.room(count * GROUP_PAIR_SIZE);
    for (let g = 0; g < count; g++, to += GROUP_PAIR_SIZE) {
      out.view.setUint32(to, g, true);
      out.view.setUint32(to + 4, g, true);
    }
  }
}

/** One key of all groups. */
function joinKey(all: StateBytes, at: Float64Array, out: GrowingBytes): void {
  const count = at.length;
  const head = out.room(8 + count * GROUP_KEY_SIZE);
  const texts = out.length;
  out.view.setUint32(head, count, true);
  for (let g = 0, entry = head + 8; g < count; g++, entry += GROUP_KEY_SIZE) {
    let own = at[g] as number;
    const kind = all.byte(own++);
    if (kind > KEY_JSON) throw outside("kind", kind, KEY_JSON + 1);
    if (kind === KEY_BOOLEAN) out.view.setUint32(entry, all.byte(own++), true);
    else if (kind === KEY_I64 || kind === KEY_F64) {
      all.check(own, 8);
      copyBytes(all, own, out, entry, 8);
      own += 8;
    } else if (kind >= KEY_STRING) {
      const length = all.word(own);
      own += 4;
      // Copying may move the bytes that `entry` is in: both are addressed from the start.
      const text = out.length - texts;
      out.copy(all, own, length);
      out.view.setUint32(entry, text, true);
      out.view.setUint32(entry + 4, length, true);
      own += length;
    }
    out.view.setUint32(entry + GROUP_KEY_KIND, kind, true);
    at[g] = own;
  }
  out.view.setUint32(head + 4, out.length - texts, true);
}

/** The values in the key of a group alone. Throws CorruptionError. */
export function groupKeyValues(key: Uint8Array): Value[] {
  const from = new StateBytes(key);
  const values: Value[] = [];
  while (from.at < from.length) values.push(readValue(from));
  return values;
}

function readValue(from: StateBytes): Value {
  const kind = from.byte(from.skip(1));
  switch (kind) {
    case KEY_NULL:
      return null;
    case KEY_BOOLEAN:
      return from.byte(from.skip(1)) !== 0;
    case KEY_I64:
      return integer(from.view.getBigInt64(from.skip(8), true));
    case KEY_F64:
      return from.view.getFloat64(from.skip(8), true);
  }
  if (kind > KEY_JSON) throw outside("kind", kind, KEY_JSON + 1);
  const length = from.u32();
  const at = from.skip(length);
  const bytes = from.u8.subarray(at, at + length);
  if (kind === KEY_ID) return idText(bytes);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, length).toString("utf8");
  return kind === KEY_JSON ? new JsonText(text) : text;
}
