// Rules that are gone: what they had goes piece by piece, each with a commit, so that none of them is long. The first
// commit leaves a mark, by which it goes on after a restart. See docs/formats/checkpoint.md.

import type { TableReader } from "../rollup/store.ts";
import {
  decodeForgotten,
  encodeForgotten,
  forgottenKey,
  forgottenRange,
  partRange,
} from "./checkpoint-bytes.ts";
import type { StreamWrite } from "./messages.ts";

/** Keys that one commit removes: some milliseconds of the thread that commits. */
const KEYS_AT_ONCE = 1024;

export interface ForgettingParts {
  /** The table of checkpoints, as the last commit left it. */
  readonly stream: TableReader;
  /** Forgets at most `limit` keys of the windows and groups of a rule; answers how many. */
  drop(rule: number, limit: number): number;
}

interface Forgotten {
  /** Everything; else the open windows alone, of a version that was replaced. */
  all: boolean;
  /** What its mark on disk says, or on its way there; null: there is none. */
  marked: boolean | null;
}

export class Forgetting {
  readonly #parts: ForgettingParts;
  /** By number of the rule. */
  readonly #rules = new Map<number, Forgotten>();

  /** Goes on with what was begun. @throws CorruptionError */
  constructor(parts: ForgettingParts) {
    this.#parts = parts;
    const { from, to } = forgottenRange();
    for (const { key, value } of parts.stream.range(from, to)) {
      const { rule, all } = decodeForgotten(key, value);
      this.#rules.set(rule, { all, marked: all });
    }
  }

  get isDone(): boolean {
    return this.#rules.size === 0;
  }

  /** Nothing is put for the rule any more; with `all` false no more open windows. */
  begin(rule: number, all: boolean): void {
    const known = this.#rules.get(rule);
    if (known) known.all ||= all;
    else this.#rules.set(rule, { all, marked: null });
  }

  /** The next piece. Everything that was written before is in the tables as they are read. */
  writes(): StreamWrite[] {
    const writes: StreamWrite[] = [];
    let left = KEYS_AT_ONCE;
    for (const [rule, forgotten] of this.#rules) {
      if (left > 0) left -= this.#openWindows(rule, left, writes);
      if (left > 0 && forgotten.all) left -= this.#parts.drop(rule, left);
      const { all, marked } = forgotten;
      const key = forgottenKey(rule);
      if (left > 0) {
        this.#rules.delete(rule);
        if (marked !== null) writes.push({ table: "stream", key, value: null });
      } else if (marked !== all) {
        forgotten.marked = all;
        writes.push({ table: "stream", key, value: encodeForgotten(all) });
      }
    }
    return writes;
  }

  #openWindows(rule: number, limit: number, writes: StreamWrite[]): number {
    const { from, to } = partRange(rule);
    let count = 0;
    for (const { key } of this.#parts.stream.range(from, to)) {
      if (count === limit) break;
      writes.push({ table: "stream", key: Uint8Array.from(key), value: null });
      count++;
    }
    return count;
  }
}
