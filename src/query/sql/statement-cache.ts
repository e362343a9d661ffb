// Statements that have been read before: dashboards ask the same text again and again.

import type { Parsed, Prepared } from "./prepare.ts";
import { parseText, prepareParsed } from "./prepare.ts";
import type { FindRule } from "./rule-table.ts";

export interface StatementCacheFigures {
  readonly entries: number;
  readonly bytes: number;
  /** A text with the same parameters had been compiled. */
  readonly hits: number;
  /** A text had been parsed, with other parameters. */
  readonly parsedHits: number;
  readonly misses: number;
  readonly evictions: number;
}

interface Entry {
  readonly bytes: number;
  readonly value: { readonly parsed: Parsed } | { readonly prepared: Prepared };
}

/** Roughly what the trees of one byte of SQL take. */
const parsedBytesPerByte = 60;
const preparedBytesPerByte = 30;

/**
 * Compiled statements by text and parameters, and parsed ones by text; the least recently used go first. What comes
 * out is shared: nobody may change it.
 */
export class StatementCache {
  readonly #entries = new Map<string, Entry>();
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  #bytes = 0;
  #hits = 0;
  #parsedHits = 0;
  #misses = 0;
  #evictions = 0;

  constructor(entriesMax = 1000, bytesMax = 16 * 1024 * 1024) {
    this.#entriesMax = entriesMax;
    this.#bytesMax = bytesMax;
  }

  /** As `prepareParsed(parseText(text), params, findRule)`, and throws what they throw. */
  prepare(text: string, params: readonly unknown[] = [], findRule?: FindRule): Prepared {
    const key = `c ${text}\0${JSON.stringify(params, exactly)}`;
    const known = this.#take(key);
    if (known && "prepared" in known) {
      this.#hits++;
      return known.prepared;
    }
    const prepared = prepareParsed(this.#parsed(text), params, findRule);
    // What names a rule means another one when that is replaced.
    if (prepared.kind === "windows" || (prepared.kind === "rows" && prepared.ofRule))
      return prepared;
    this.#put(key, { prepared }, text.length * preparedBytesPerByte + key.length * 2);
    return prepared;
  }

  #parsed(text: string): Parsed {
    const key = `p ${text}`;
    const known = this.#take(key);
    if (known && "parsed" in known) {
      this.#parsedHits++;
      return known.parsed;
    }
    this.#misses++;
    const parsed = parseText(text);
    this.#put(key, { parsed }, text.length * parsedBytesPerByte);
    return parsed;
  }

  #take(key: string): Entry["value"] | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  #put(key: string, value: Entry["value"], bytes: number): void {
    // A text that would push out many others is not kept.
    if (bytes > this.#bytesMax / 8) return;
    this.#entries.set(key, { bytes, value });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= this.#entriesMax && this.#bytes <= this.#bytesMax) break;
      this.#entries.delete(oldest);
      this.#bytes -= entry.bytes;
      this.#evictions++;
    }
  }

  figures(): StatementCacheFigures {
    return {
      entries: this.#entries.size,
      bytes: this.#bytes,
      hits: this.#hits,
      parsedHits: this.#parsedHits,
      misses: this.#misses,
      evictions: this.#evictions,
    };
  }
}

function exactly(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? { bigint: String(value) } : value;
}
