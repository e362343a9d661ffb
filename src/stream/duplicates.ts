import { CorruptionError } from "../errors.ts";
import type { TableReader } from "../rollup/store.ts";
import { duplicatesKey, duplicatesKeyParts } from "../storage/keys.ts";

/** A place in the stream: before row `next`, after so many entries of duplicates that were left out there. */
export interface Position {
  readonly next: bigint;
  readonly duplicates: number;
}

/** Events that a record has left out as duplicates; they come before row `sequence`. */
export interface LeftOut {
  readonly sequence: bigint;
  readonly index: number;
  /** Of their record. */
  readonly receivedAtUs: bigint;
  readonly timestampsUs: readonly bigint[];
}

export const indexMax = 0xffffffff;

/** What was left out from one position up to another, in order. @throws CorruptionError */
export function leftOut(table: TableReader, from: Position, to: Position): LeftOut[] {
  const list: LeftOut[] = [];
  const start = duplicatesKey(from.next, from.duplicates);
  for (const { key, value } of table.range(start, duplicatesKey(to.next, to.duplicates))) {
    const { sequence, index } = duplicatesKeyParts(key);
    if (value.length % 8 !== 0 || value.length === 0) {
      const message = `duplicates of sequence ${sequence}, entry ${index}, have ${value.length} bytes`;
      throw new CorruptionError("duplicates_corrupt", message);
    }
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    const receivedAtUs = view.getBigInt64(0, true);
    const timestampsUs = Array.from({ length: value.length / 8 - 1 }, (_, i) =>
      view.getBigInt64(8 + i * 8, true),
    );
    list.push({ sequence, index, receivedAtUs, timestampsUs });
  }
  return list;
}
