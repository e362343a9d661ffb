// Which windows became final at which sequence, with their groups. An entry lists the numbers of its groups, ascending,
// each as what it is more than the one before, 7 bits a byte, the lowest first, the top bit set where more follow. The
// last entry that retention has dropped leaves a mark, so that who resumes from before it can be told of the hole.

import { CorruptionError } from "../errors.ts";
import type { FinalPlace } from "../stream/window-row.ts";
import { finalKey, finalKeyParts, tierRange, timeMin } from "./keys.ts";
import type { PendingTable } from "./pending-table.ts";
import type { FinalGroups } from "./store.ts";

/** The value of a mark; no list of groups ends with its top bit. */
const mark = Uint8Array.of(255);

export class FinalList {
  readonly #table: PendingTable;

  constructor(table: PendingTable) {
    this.#table = table;
  }

  add(rule: number, tier: number, window: FinalGroups): void {
    const { finalAt, startUs, endUs } = window;
    const key = finalKey(rule, tier, finalAt, startUs, endUs);
    const known = this.#table.get(key);
    const ids = known && !isMark(known) ? [...unpack(known), ...window.groupIds] : window.groupIds;
    this.#table.set(key, pack(Uint32Array.from(ids).sort()));
  }

  *since(rule: number, tier: number, since: bigint): Generator<FinalGroups> {
    const { to } = tierRange(rule, tier);
    const from = finalKey(rule, tier, since, timeMin, timeMin);
    for (const { key, value } of this.#table.range(from, to)) {
      if (!isMark(value)) yield read(key, value);
    }
  }

  newest(rule: number, tier: number, before: bigint | null): FinalGroups | null {
    const { from, to } = tierRange(rule, tier);
    const end = before === null ? to : finalKey(rule, tier, before, timeMin, timeMin);
    const last = this.#table.last(from, end);
    return last === undefined || isMark(last.value) ? null : read(last.key, last.value);
  }

  /** The last of those that were forgotten, and the latest end of them. */
  dropped(rule: number, tier: number): FinalPlace | null {
    const { from, to } = tierRange(rule, tier);
    for (const { key, value } of this.#table.range(from, to)) {
      return isMark(value) ? finalKeyParts(key) : null;
    }
    return null;
  }

  /** Forgets what ended by `endUs`, the oldest first, at most `limit`; answers how many those were. */
  expire(rule: number, tier: number, endUs: bigint, limit: number): number {
    const { from, to } = tierRange(rule, tier);
    const gone: Uint8Array[] = [];
    let marked: Uint8Array | null = null;
    let lastUs = timeMin;
    // Windows become final in the order of their ends.
    for (const { key, value } of this.#table.range(from, to)) {
      const ended = finalKeyParts(key).endUs;
      if (gone.length === limit || ended > endUs) break;
      if (ended > lastUs) lastUs = ended;
      if (isMark(value)) marked = Uint8Array.from(key);
      else gone.push(Uint8Array.from(key));
    }
    const newest = gone.at(-1);
    if (newest === undefined) return 0;
    for (const key of gone) this.#table.set(key, null);
    if (marked !== null) this.#table.set(marked, null);
    const { finalAt, startUs } = finalKeyParts(newest);
    this.#table.set(finalKey(rule, tier, finalAt, startUs, lastUs), mark);
    return gone.length;
  }
}

function isMark(value: Uint8Array): boolean {
  return value.length === 1 && value[0] === mark[0];
}

function read(key: Uint8Array, value: Uint8Array): FinalGroups {
  return { ...finalKeyParts(key), groupIds: unpack(value) };
}

function pack(ids: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(ids.length * 5);
  let at = 0;
  let before = -1;
  for (const id of ids) {
    if (id === before) continue;
    let more = id - Math.max(before, 0);
    for (; more > 127; more = Math.floor(more / 128)) bytes[at++] = (more & 127) | 128;
    bytes[at++] = more;
    before = id;
  }
  return bytes.slice(0, at);
}

function unpack(bytes: Uint8Array): Uint32Array {
  const ids = new Uint32Array(bytes.length);
  let count = 0;
  let id = 0;
  for (let at = 0; at < bytes.length; ) {
    let more = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) {
        throw new CorruptionError(
          "windows_corrupt",
          "a list of the groups of a final window is cut off",
        );
      }
      more += (byte & 127) * scale;
      if (byte < 128) break;
    }
    id += more;
    ids[count++] = id;
  }
  return ids.slice(0, count);
}
