// A table as a sorted list, and one of LMDB, with writes that become visible when they are committed.

import type { TableReader } from "../../src/rollup/store.ts";
import type { StreamTable, StreamWrite } from "../../src/stream/messages.ts";

export interface TestTables {
  reader(name: StreamTable): TableReader;
  commit(writes: readonly StreamWrite[]): Promise<void> | void;
}

interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export class PlainTables implements TestTables {
  readonly #tables = new Map<StreamTable, Entry[]>();

  #entries(name: StreamTable): Entry[] {
    const known = this.#tables.get(name);
    if (known) return known;
    const entries: Entry[] = [];
    this.#tables.set(name, entries);
    return entries;
  }

  reader(name: StreamTable): TableReader {
    const entries = this.#entries(name);
    return {
      get: (key) => valueAt(entries, key),
      *range(from, to) {
        for (let i = firstFrom(entries, from); i < entries.length; i++) {
          const { key, value } = entries[i] as Entry;
          if (Buffer.compare(key, to) >= 0) return;
          yield { key: key.slice(), value: value.slice() };
        }
      },
      last: (from, to) => {
        const entry = entries[firstFrom(entries, to) - 1];
        return entry && Buffer.compare(entry.key, from) >= 0 ? entry : undefined;
      },
    };
  }

  commit(writes: readonly StreamWrite[]): void {
    for (const { table, key, value } of writes) {
      const entries = this.#entries(table);
      const at = firstFrom(entries, key);
      const isThere = at < entries.length && Buffer.compare((entries[at] as Entry).key, key) === 0;
      if (value === null) entries.splice(at, isThere ? 1 : 0);
      else entries.splice(at, isThere ? 1 : 0, { key: key.slice(), value: value.slice() });
    }
  }

  /** All values of a table, which a test may damage. */
  values(name: StreamTable): Uint8Array[] {
    return this.#entries(name).map(({ value }) => value);
  }
}

function valueAt(entries: readonly Entry[], key: Uint8Array): Uint8Array | undefined {
  const entry = entries[firstFrom(entries, key)];
  return entry && Buffer.compare(entry.key, key) === 0 ? entry.value.slice() : undefined;
}

function firstFrom(entries: readonly Entry[], key: Uint8Array): number {
  let [from, to] = [0, entries.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (Buffer.compare((entries[middle] as Entry).key, key) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}
