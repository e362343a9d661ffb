// The numbers of groups. A rule's keys are too many to be all in memory: those that were asked for last are; others are
// found by a hash of theirs.

import type { StreamWrite } from "../stream/messages.ts";
import { groupCountKey, groupHashKey, groupKey, ruleRange } from "./keys.ts";
import { PendingTable } from "./pending-table.ts";
import type { GroupDirectories, GroupDirectory, TableReader } from "./store.ts";

/** Groups of a rule that are kept in memory. */
const heldMax = 65_536;
const noKey = new Uint8Array(0);

export function openGroupDirectories(table: TableReader): GroupDirectories {
  return new Directories(new PendingTable("groups", table));
}

class Directories implements GroupDirectories {
  readonly #table: PendingTable;
  readonly #rules = new Map<number, Directory>();

  constructor(table: PendingTable) {
    this.#table = table;
  }

  of(rule: number): GroupDirectory {
    const known = this.#rules.get(rule);
    if (known) return known;
    const directory = new Directory(this.#table, rule);
    this.#rules.set(rule, directory);
    return directory;
  }

  drop(rule: number, limit: number): number {
    this.#rules.delete(rule);
    return dropRule(this.#table, rule, limit);
  }

  writes(): StreamWrite[] {
    return this.#table.writes();
  }

  committed(): void {
    this.#table.committed();
  }
}

/** Removes at most `limit` keys that begin with the rule's number; answers how many. */
export function dropRule(table: PendingTable, rule: number, limit: number): number {
  const { from, to } = ruleRange(rule);
  const gone: Uint8Array[] = [];
  for (const { key } of table.range(from, to)) {
    if (gone.length === limit) break;
    gone.push(Uint8Array.from(key));
  }
  for (const key of gone) table.set(key, null);
  return gone.length;
}

class Directory implements GroupDirectory {
  readonly #table: PendingTable;
  readonly #rule: number;
  /** Numbers by the text of the key, the one asked for longest ago first. */
  readonly #ids = new Map<string, number>();
  #count: number;

  constructor(table: PendingTable, rule: number) {
    this.#table = table;
    this.#rule = rule;
    const stored = table.get(groupCountKey(rule));
    this.#count = stored === undefined ? 0 : wordAt(stored, 0);
  }

  get count(): number {
    return this.#count;
  }

  idOf(key: Uint8Array): number {
    const text = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
    return this.#ids.get(text) ?? (this.#found(key, text) || this.#add(key, text));
  }

  find(key: Uint8Array): number {
    const text = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
    return this.#ids.get(text) ?? this.#found(key, text);
  }

  #found(key: Uint8Array, text: string): number {
    const { high, low } = hashOf(key);
    const ids = this.#table.get(groupHashKey(this.#rule, high, low));
    if (ids === undefined) return 0;
    for (let at = 0; at < ids.length; at += 4) {
      const id = wordAt(ids, at);
      if (Buffer.compare(this.keyOf(id), key) !== 0) continue;
      this.#hold(text, id);
      return id;
    }
    return 0;
  }

  #hold(text: string, id: number): void {
    if (this.#ids.size >= heldMax) {
      let left = heldMax >> 3;
      for (const oldest of this.#ids.keys()) {
        if (left-- === 0) break;
        this.#ids.delete(oldest);
      }
    }
    this.#ids.set(text, id);
  }

  #add(key: Uint8Array, text: string): number {
    const id = ++this.#count;
    const { high, low } = hashOf(key);
    const hashKey = groupHashKey(this.#rule, high, low);
    this.#table.set(groupKey(this.#rule, id), Uint8Array.from(key));
    this.#table.set(hashKey, Buffer.concat([this.#table.get(hashKey) ?? noKey, word(id)]));
    this.#table.set(groupCountKey(this.#rule), word(id));
    this.#hold(text, id);
    return id;
  }

  keyOf(groupId: number): Uint8Array {
    if (groupId === 0) return noKey;
    return this.#table.get(groupKey(this.#rule, groupId)) ?? noKey;
  }

  *all(): Generator<{ groupId: number; key: Uint8Array }> {
    const from = groupKey(this.#rule, 1);
    const to = groupKey(this.#rule, this.#count + 1);
    for (const { key, value } of this.#table.range(from, to)) {
      yield { groupId: Buffer.from(key).readUInt32BE(5), key: Uint8Array.from(value) };
    }
  }
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
}

/** FNV-1a with two primes and starts; which keys meet only costs time. */
function hashOf(key: Uint8Array): { high: number; low: number } {
  let high = 0x811c9dc5;
  let low = 0x050c5d1f;
  for (let i = 0; i < key.length; i++) {
    const byte = key[i] as number;
    high = Math.imul(high ^ byte, 0x01000193);
    low = Math.imul(low ^ byte, 0x5bd1e995);
  }
  return { high: high >>> 0, low: (low ^ (low >>> 15)) >>> 0 };
}
