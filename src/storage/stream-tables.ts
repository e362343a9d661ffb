import type { Database, RootDatabase } from "lmdb";
import type { TableReader } from "../rollup/store.ts";
import type { StreamTable, StreamWrite } from "../stream/messages.ts";
import { duplicatesKey, duplicatesKeyParts } from "./keys.ts";

type Table = Database<Buffer, Buffer>;

const names: readonly StreamTable[] = [
  "rules",
  "stream",
  "windows",
  "groups",
  "finals",
  "duplicates",
];

/** The tables of the stream thread. The engine thread writes them, without looking into what it is given. */
export class StreamTables {
  readonly tables: Readonly<Record<StreamTable, Table>>;

  constructor(
    root: RootDatabase<Buffer, Buffer>,
    options: { readonly keyEncoding: "binary"; readonly encoding: "binary" },
  ) {
    const opened = names.map((name) => [name, root.openDB<Buffer, Buffer>(name, options)]);
    this.tables = Object.fromEntries(opened) as Record<StreamTable, Table>;
  }

  /** Within a transaction. What is written must be private memory. */
  write(writes: readonly StreamWrite[]): void {
    for (const { table, key, value } of writes) {
      if (value === null) this.tables[table].remove(asBuffer(key));
      else this.tables[table].put(asBuffer(key), asBuffer(value));
    }
  }

  /** Within a transaction: forgets the duplicates of records before `sequence`. */
  dropDuplicates(sequence: bigint): void {
    const { duplicates } = this.tables;
    const keys = duplicates.getKeys({ end: duplicatesKey(sequence, 0) });
    for (const key of [...keys]) duplicates.remove(key);
  }

  /** How many entries of duplicates there are for a record that begins at `sequence`. */
  duplicatesAt(sequence: bigint): number {
    const range = {
      start: duplicatesKey(sequence, 0xffffffff),
      // Backwards, and without the end itself: it is right before the first key of the sequence.
      end: duplicatesKey(sequence, 0).subarray(0, 8),
      reverse: true,
      limit: 1,
    };
    for (const key of this.tables.duplicates.getKeys(range)) {
      const parts = duplicatesKeyParts(key);
      if (parts.sequence === sequence) return parts.index + 1;
    }
    return 0;
  }

  /** Answers copies, and no Buffers: a slice of those shares their memory. */
  reader(name: StreamTable): TableReader {
    const table = this.tables[name];
    return {
      get: (key) => {
        const value = table.getBinary(asBuffer(key));
        return value && new Uint8Array(value);
      },
      range: (from, to) => table.getRange({ start: asBuffer(from), end: asBuffer(to) }).map(copied),
      keys: (from, to) => table.getKeys({ start: asBuffer(from), end: asBuffer(to) }),
      last: (from, to) => {
        // Backwards, the start is within the range: a key that is `to` itself is stepped over.
        const range = { start: asBuffer(to), reverse: true, limit: 2 };
        for (const { key, value } of table.getRange(range)) {
          if (Buffer.compare(key, to) >= 0) continue;
          return Buffer.compare(key, from) < 0 ? undefined : copied({ key, value });
        }
        return undefined;
      },
    };
  }
}

function copied({ key, value }: { key: Buffer; value: Buffer }) {
  return { key: new Uint8Array(key), value: new Uint8Array(value) };
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
