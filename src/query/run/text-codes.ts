import { assert } from "../../base/assert.ts";
import type { QueryRun } from "../columns/kernels.ts";
import type { Filter } from "../plan/filter.ts";
import type { CompareOp } from "../query.ts";

/** A dictionary as it was when the query looked. */
export interface Dictionary {
  /** Names it among all that a thread ever sees: a segment has other codes once it is stored. */
  readonly name: number;
  readonly entries: number;
  readonly count: number;
}

const segmentsMax = 4096;
const textsMax = 4096;
/** So many texts of a list are looked up one by one, and what was found is kept for the next query. */
const fewTexts = 16;

/**
 * Codes that texts were found to have in dictionaries that only grow. A thread keeps one for all its queries,
 * because dashboards ask the same again and a scan of a large unsorted dictionary costs more than the filter.
 */
export class FoundCodes {
  /** By path and text, then by segment: a code, or minus one minus the entries that were looked through in vain. */
  readonly #found = new Map<string, Map<number, number>>();

  of(path: string, text: Uint8Array): Map<number, number> {
    const key = `${path}\0${Buffer.from(text.buffer, text.byteOffset, text.length).toString("latin1")}`;
    let codes = this.#found.get(key);
    if (!codes) {
      if (this.#found.size >= textsMax) this.#found.clear();
      codes = new Map();
      this.#found.set(key, codes);
    }
    if (codes.size > segmentsMax) codes.clear();
    return codes;
  }
}

/** Looks up the texts of one query's literals in dictionaries. */
export class TextCodes {
  readonly #run: QueryRun;
  readonly #found: FoundCodes;
  readonly #room: (size: number) => number;
  readonly #literals = new Map<Uint8Array, number>();
  readonly #codes = new Map<Uint8Array, Map<number, number>>();
  readonly #sorted = new Map<readonly Uint8Array[], readonly Uint8Array[]>();

  /** `room`: memory for the texts of filters; without it scratch is taken, which is not released while this is used. */
  constructor(
    run: QueryRun,
    found: FoundCodes,
    room: (size: number) => number = (size) => run.scratch.take(size),
  ) {
    this.#run = run;
    this.#found = found;
    this.#room = room;
  }

  /** Writes the texts of a filter into memory, once, before anything that is released between segments. */
  prepare(filter: Filter): void {
    if (filter.kind === "and" || filter.kind === "or")
      for (const one of filter.of) this.prepare(one);
    else if (filter.kind === "text" || filter.kind === "prefix") this.#write(filter.text);
    else if (filter.kind === "texts") for (const text of filter.texts) this.#write(text);
    else if (filter.kind === "id") {
      this.#write(filter.low);
      this.#write(filter.high);
    }
  }

  /** 0xff stands in no UTF-8 text: with it, a prefix is followed by the end of the texts that begin so. */
  #write(text: Uint8Array): void {
    const address = this.#room(text.length + 1);
    this.#run.core.u8.set(text, address);
    this.#run.core.u8[address + text.length] = 0xff;
    this.#literals.set(text, address);
  }

  /** Address of the bytes of a text that `prepare` has seen. */
  literal(text: Uint8Array): number {
    const address = this.#literals.get(text);
    assert(address !== undefined, "the filter's texts are in memory before it runs");
    return address;
  }

  /** The code of `text` in an unsorted dictionary, or -1. */
  find(dictionary: Dictionary, path: string, text: Uint8Array): number {
    let codes = this.#codes.get(text);
    if (!codes) {
      codes = this.#found.of(path, text);
      this.#codes.set(text, codes);
    }
    const known = codes.get(dictionary.name) ?? -1;
    if (known >= 0) return known < dictionary.count ? known : -1;
    const from = -1 - known;
    if (from >= dictionary.count) return -1;
    const { entries, count } = dictionary;
    const code = this.#run.kernels.findText(entries, from, count, this.literal(text), text.length);
    codes.set(dictionary.name, code >= 0 ? code : -1 - count);
    return code;
  }

  /** The code of `text` in a sorted dictionary, or -1. */
  findSorted(dictionary: Dictionary, text: Uint8Array): number {
    const code = this.#bound(dictionary, text, false);
    return code < this.#bound(dictionary, text, true) ? code : -1;
  }

  /**
   * Sets a byte of `table` for each code: 1 where its text is one of `texts`, or, negated, where it is none of them.
   * `hot` is the column of a hot slot, which has a hash table, or 0.
   */
  members(
    texts: readonly Uint8Array[],
    dictionary: Dictionary & { readonly sorted: boolean; readonly hot: number },
    path: string,
    negated: boolean,
    table: number,
  ): void {
    const { kernels, core } = this.#run;
    const { entries, count, sorted, hot } = dictionary;
    // Looking up a text costs about as much as looking up some entries among the texts.
    if (texts.length > fewTexts && hot === 0 && (!sorted || texts.length * 4 > count)) {
      const list = this.#list(texts);
      kernels.matchMembers(entries, count, list, texts.length, negated ? 1 : 0, table);
      return;
    }
    core.u8.fill(negated ? 1 : 0, table, table + count);
    for (const text of texts) {
      let code: number;
      if (sorted) code = this.findSorted(dictionary, text);
      else if (hot === 0 || texts.length <= fewTexts) code = this.find(dictionary, path, text);
      else code = kernels.dictionaryFind(hot, this.literal(text), text.length) | 0;
      if (code >= 0 && code < count) core.u8[table + code] = negated ? 0 : 1;
    }
  }

  /** Address and length of each text, in the order of their bytes; in scratch. */
  #list(texts: readonly Uint8Array[]): number {
    const { scratch, core } = this.#run;
    let sorted = this.#sorted.get(texts);
    if (sorted === undefined) {
      sorted = [...texts].sort((a, b) => Buffer.compare(a, b));
      this.#sorted.set(texts, sorted);
    }
    const list = scratch.take(sorted.length * 8);
    sorted.forEach((text, i) => {
      core.u32[(list >>> 2) + i * 2] = this.literal(text);
      core.u32[(list >>> 2) + i * 2 + 1] = text.length;
    });
    return list;
  }

  /** Codes of a sorted dictionary whose texts stand so to `text`. */
  orderRange(dictionary: Dictionary, op: Exclude<CompareOp, "!=">, text: Uint8Array) {
    const end = dictionary.count - 1;
    if (op === "<") return closed(0, this.#bound(dictionary, text, false) - 1);
    if (op === "<=") return closed(0, this.#bound(dictionary, text, true) - 1);
    if (op === ">") return closed(this.#bound(dictionary, text, true), end);
    return closed(this.#bound(dictionary, text, false), end);
  }

  /** Codes of a sorted dictionary whose texts begin so. */
  prefixRange(dictionary: Dictionary, prefix: Uint8Array) {
    const low = this.#bound(dictionary, prefix, false);
    const { kernels } = this.#run;
    const { entries, count } = dictionary;
    const end = kernels.boundText(entries, count, this.literal(prefix), prefix.length + 1, 0);
    return closed(low, end - 1);
  }

  #bound(dictionary: Dictionary, text: Uint8Array, after: boolean): number {
    const { kernels } = this.#run;
    const { entries, count } = dictionary;
    return kernels.boundText(entries, count, this.literal(text), text.length, after ? 1 : 0);
  }
}

/** Kernels take no negative ends, so an empty range is written as 1 … 0. */
function closed(low: number, high: number): { low: number; high: number } {
  return low > high ? { low: 1, high: 0 } : { low, high };
}
