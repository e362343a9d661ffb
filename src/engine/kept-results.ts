// Large results on the worker that has made them: their text goes out piece by piece, as fast as clients take it.

import { OverloadError } from "../errors.ts";
import type { QueryResult, Value } from "../query/result.ts";
import { type ResultFormat, resultBytes } from "../query/result-text.ts";

/** The next pieces of a result's text. */
export interface TextChunk {
  readonly pieces: readonly Uint8Array[];
  /** True when there are no more. */
  readonly done: boolean;
}

/** Bytes after which a chunk ends, at the next piece. */
const chunkBytes = 256 * 1024;
/** Values of all results that are kept while their clients read; one result alone may have more. */
const valuesMax = 8_000_000;

interface Kept {
  readonly pieces: Generator<Uint8Array>;
  readonly values: number;
}

export class KeptResults {
  readonly #kept = new Map<number, Kept>();
  #values = 0;

  /**
   * The beginning of the text of the result of run `run`, which is kept until all of it was taken.
   *
   * @throws OverloadError while clients are slow to take what is kept already
   */
  begin(run: number, result: QueryResult, format: ResultFormat): TextChunk {
    const values = result.rows.length * result.columns.length;
    const pieces = resultBytes(format, { ...result, rows: given(result.rows) });
    const chunk = nextChunk(pieces);
    if (chunk.done) return chunk;
    if (this.#kept.size > 0 && this.#values + values > valuesMax) {
      const message = `${this.#kept.size} large results wait for clients that read slowly`;
      throw new OverloadError("results_waiting", message, 5, 503);
    }
    this.#kept.set(run, { pieces, values });
    this.#values += values;
    return chunk;
  }

  /** What follows; null for a result that is not kept any more. */
  next(run: number): TextChunk | null {
    const kept = this.#kept.get(run);
    if (kept === undefined) return null;
    const chunk = nextChunk(kept.pieces);
    if (chunk.done) this.drop(run);
    return chunk;
  }

  drop(run: number): void {
    this.#values -= this.#kept.get(run)?.values ?? 0;
    this.#kept.delete(run);
  }
}

const nothing: readonly Value[] = [];

/** Row after row, each of which is let go of once the next is asked for: text that was written is not held twice. */
function* given(rows: QueryResult["rows"]): Generator<readonly Value[]> {
  const left = rows as (readonly Value[])[];
  for (let i = 0; i < left.length; i++) {
    yield left[i] as readonly Value[];
    left[i] = nothing;
  }
}

/** Pieces up to the size of a chunk. */
export function nextChunk(from: Generator<Uint8Array>): TextChunk {
  const pieces: Uint8Array[] = [];
  for (let bytes = 0; bytes < chunkBytes; ) {
    const { done, value } = from.next();
    if (done) return { pieces, done };
    pieces.push(value);
    bytes += value.byteLength;
  }
  return { pieces, done: false };
}
