// What an expression over one dictionary yields for each of its texts: computed once, kept for the queries to come.
// A dashboard that asks the same again runs no regular expression again.

import type { Core } from "../../core/core.ts";
import { PAGE_F64, PAGE_I64 } from "../../core/layout.ts";
import { InputError, LimitError } from "../../errors.ts";
import type { ValueType } from "../expression/expression.ts";
import type { Value } from "../result.ts";
import { JsonText } from "../result.ts";
import { isDouble } from "./derived-writer.ts";

/** Bytes of results that a thread keeps. */
const keptBytesMax = 32 * 1024 * 1024;

/** A code for no value. */
export const noCode = 0xffff_ffff;

/**
 * The results for codes [0, count) of one dictionary, and for rows without a code. Dictionaries of hot segments
 * grow, and this with them.
 */
export class CodeValues {
  /** Of a row whose text is NULL. */
  absent: Value;
  /** Numbers by code. */
  readonly values: Value[] = [];
  /** Booleans by code: 0 false, 1 true, 2 NULL. */
  #truths = new Uint8Array(0);
  #truthCount = 0;
  /** Strings and JSON by code: their index among the result texts, NULL as `noCode`. */
  readonly textCodes: number[] = [];
  /** Where the different result texts end, encoded one after the other. */
  readonly ends: number[] = [];
  #bytes = Buffer.alloc(0);
  #size = 0;
  #numbers: { readonly count: number; readonly table: NumberTable | null } | undefined;
  readonly #indexes = new Map<string, number>();
  /** Whether a text's result can't be told; perhaps no row has it. */
  failed = false;

  constructor(absent: Value) {
    this.absent = absent;
  }

  /** With what `valueOfNull` says, if it can be told. */
  static of(valueOfNull: () => Value): CodeValues {
    const values = new CodeValues(null);
    const known = values.#attempt(() => {
      values.absent = valueOfNull();
    });
    values.failed = !known;
    return values;
  }

  get count(): number {
    return Math.max(this.values.length, this.textCodes.length, this.#truthCount);
  }

  /** Bytes that this holds, about. */
  get size(): number {
    return (
      256 +
      this.values.length * 24 +
      this.textCodes.length * 8 +
      this.#size * 2 +
      this.ends.length * 60
    );
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /**
   * Adds the results of the codes up to `count`; answers false when one of them can't be told. `watch` is called now
   * and then with the bytes of all result texts, and ends the work by throwing: what it throws comes out of here.
   */
  extend(
    count: number,
    type: ValueType,
    valueOf: (code: number) => Value,
    watch: (bytes: number) => void,
  ): boolean {
    const isText = type === "string" || type === "json";
    const truths = type === "boolean" ? this.#roomForTruths(count) : null;
    this.failed = !this.#attempt(() => {
      for (let code = this.count; code < count; code++) {
        if ((code & 255) === 0) watch(this.#size);
        const value = valueOf(code);
        if (truths) truths[this.#truthCount++] = value === null ? 2 : Number(value);
        else if (isText) this.textCodes.push(value === null ? noCode : this.textCode(value));
        else this.values.push(value);
      }
    });
    return !this.failed;
  }

  /** Adds booleans, none of them NULL. */
  extendTruths(bytes: Uint8Array): void {
    const end = this.#truthCount + bytes.length;
    this.#roomForTruths(end).set(bytes, this.#truthCount);
    this.#truthCount = end;
  }

  /** Booleans by code: 0 false, 1 true, 2 NULL. */
  get truths(): Uint8Array {
    return this.#truths.subarray(0, this.#truthCount);
  }

  #roomForTruths(count: number): Uint8Array {
    if (count > this.#truths.length) {
      const larger = new Uint8Array(Math.max(count, this.#truths.length * 2));
      larger.set(this.truths);
      this.#truths = larger;
    }
    return this.#truths;
  }

  /** False where a value can't be told. */
  #attempt(compute: () => void): boolean {
    try {
      compute();
      return true;
    } catch (error) {
      const isOfValue = error instanceof InputError || error instanceof LimitError;
      // That the query has no memory left is not for another way of computing the same to find out.
      if (!isOfValue || error.code === "query_memory") throw error;
      return false;
    }
  }

  /** The numbers of the first `count` codes and of NULL as pages hold them; null: no page holds them all. */
  numbers(count: number): NumberTable | null {
    if (this.#numbers?.count === count) return this.#numbers.table;
    const table = numberTable([...this.values.slice(0, count), this.absent] as Numbers);
    this.#numbers = { count, table };
    return table;
  }

  /** Index of a result text, which is added when it is new. */
  textCode(value: NonNullable<Value>): number {
    const text = value instanceof JsonText ? value.text : (value as string);
    const known = this.#indexes.get(text);
    if (known !== undefined) return known;
    const size = Buffer.byteLength(text);
    if (this.#size + size > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(1024, (this.#size + size) * 2));
      larger.set(this.bytes);
      this.#bytes = larger;
    }
    this.#bytes.write(text, this.#size);
    this.#size += size;
    this.#indexes.set(text, this.ends.length);
    return this.ends.push(this.#size) - 1;
  }
}

type Numbers = readonly (number | bigint | null)[];

export interface NumberTable {
  readonly encoding: number;
  /** 64 bits a number. */
  readonly bytes: Uint8Array;
  /** 1 where there is one. */
  readonly has: Uint8Array;
}

function numberTable(all: Numbers): NumberTable | null {
  const hasDoubles = all.some((value) => value !== null && isDouble(value));
  if (hasDoubles && all.some((value) => typeof value === "bigint")) return null;
  const bytes = new Uint8Array(all.length * 8);
  const view = new DataView(bytes.buffer);
  const has = new Uint8Array(all.length);
  all.forEach((value, i) => {
    if (value === null) return;
    has[i] = 1;
    if (hasDoubles) view.setFloat64(i * 8, value as number, true);
    else view.setBigInt64(i * 8, BigInt(value), true);
  });
  return { encoding: hasDoubles ? PAGE_F64 : PAGE_I64, bytes, has };
}

/** The results that one thread keeps, the least recently used go first. */
export class KeptCodeValues {
  readonly #kept = new Map<string, CodeValues>();
  readonly #sizes = new Map<string, number>();
  #size = 0;

  /** `make` says what NULL yields. Call `settle` when the result has grown. */
  of(key: string, make: () => CodeValues): CodeValues {
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known;
    }
    const made = make();
    this.#kept.set(key, made);
    return made;
  }

  /** Counts what `key` has grown by, and forgets others to keep within bounds. */
  settle(key: string, values: CodeValues): void {
    this.#size += values.size - (this.#sizes.get(key) ?? 0);
    this.#sizes.set(key, values.size);
    for (const oldest of this.#kept.keys()) {
      if (this.#size <= keptBytesMax) return;
      this.#size -= this.#sizes.get(oldest) ?? 0;
      this.#sizes.delete(oldest);
      this.#kept.delete(oldest);
    }
  }
}

const byThread = new WeakMap<Core, KeptCodeValues>();

/** A thread attaches one core: what it keeps goes with that. */
export function keptCodeValues(core: Core): KeptCodeValues {
  let kept = byThread.get(core);
  if (kept === undefined) {
    kept = new KeptCodeValues();
    byThread.set(core, kept);
  }
  return kept;
}
