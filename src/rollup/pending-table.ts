// A table with what is to be written to it: seen at once, handed over for a commit, forgotten when that is on disk.

import type { StreamTable, StreamWrite } from "../stream/messages.ts";
import type { TableReader } from "./store.ts";

interface Entry {
  readonly key: Uint8Array;
  /** Null: it is removed. */
  value: Uint8Array | null;
  dirty: boolean;
  /** Commits on their way that have it. */
  commits: number;
}

export interface TableEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export class PendingTable {
  readonly #name: StreamTable;
  readonly #table: TableReader;
  readonly #pending = new Map<string, Entry>();
  readonly #commits: Entry[][] = [];

  constructor(name: StreamTable, table: TableReader) {
    this.#name = name;
    this.#table = table;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const entry = this.#pending.get(textOf(key));
    if (entry === undefined) return this.#table.get(key);
    return entry.value ?? undefined;
  }

  /** `key` and `value` are kept. Null removes. */
  set(key: Uint8Array, value: Uint8Array | null): void {
    const text = textOf(key);
    const entry = this.#pending.get(text);
    if (entry === undefined) this.#pending.set(text, { key, value, dirty: true, commits: 0 });
    else {
      entry.value = value;
      entry.dirty = true;
    }
  }

  /** Entries with `from` ≤ key < `to`, ascending. */
  *range(from: Uint8Array, to: Uint8Array): Generator<TableEntry> {
    const pending = [...this.#pending.values()]
      .filter(({ key }) => Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0)
      .sort((a, b) => Buffer.compare(a.key, b.key));
    let next = 0;
    for (const entry of this.#table.range(from, to)) {
      for (; next < pending.length; next++) {
        const { key, value } = pending[next] as Entry;
        const order = Buffer.compare(key, entry.key);
        if (order > 0) break;
        if (order < 0 && value !== null) yield { key, value };
        if (order === 0) break;
      }
      const own = pending[next];
      if (own === undefined || Buffer.compare(own.key, entry.key) !== 0) yield entry;
      else {
        next++;
        if (own.value !== null) yield { key: own.key, value: own.value };
      }
    }
    for (; next < pending.length; next++) {
      const { key, value } = pending[next] as Entry;
      if (value !== null) yield { key, value };
    }
  }

  /** The last entry with `from` ≤ key < `to`. */
  last(from: Uint8Array, to: Uint8Array): TableEntry | undefined {
    let stored: TableEntry | undefined;
    for (let end = to; ; end = stored.key) {
      stored = this.#table.last(from, end);
      if (stored === undefined) break;
      const own = this.#pending.get(textOf(stored.key));
      if (own === undefined) break;
      if (own.value !== null) {
        stored = { key: own.key, value: own.value };
        break;
      }
    }
    let best = stored;
    for (const { key, value } of this.#pending.values()) {
      if (value === null || Buffer.compare(key, from) < 0 || Buffer.compare(key, to) >= 0) continue;
      if (best === undefined || Buffer.compare(key, best.key) > 0) best = { key, value };
    }
    return best;
  }

  writes(): StreamWrite[] {
    const written: Entry[] = [];
    for (const entry of this.#pending.values()) {
      if (!entry.dirty) continue;
      entry.dirty = false;
      entry.commits++;
      written.push(entry);
    }
    this.#commits.push(written);
    return written.map(({ key, value }) => ({ table: this.#name, key, value }));
  }

  /** The oldest of the commits that `writes` was called for is on disk. */
  committed(): void {
    for (const entry of this.#commits.shift() ?? []) {
      entry.commits--;
      if (entry.commits === 0 && !entry.dirty) this.#pending.delete(textOf(entry.key));
    }
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
