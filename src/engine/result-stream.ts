import { MillraceError, TimeoutError } from "../errors.ts";
import type { ResultRest } from "./engine.ts";
import type { TextChunk } from "./kept-results.ts";

/** How the pool is asked for more, and told that no more is wanted. */
export interface StreamSource {
  more(): void;
  /** Called once, when all was sent or the stream was given up. */
  ended(): void;
}

/** The rest of a large result on its way from a worker to a client: a chunk is made when it is asked for. */
export class ResultStream implements ResultRest {
  readonly #source: StreamSource;
  readonly #stallMs: number;
  #waiting: { resolve(pieces: readonly Uint8Array[]): void; reject(error: Error): void } | null =
    null;
  #stall: NodeJS.Timeout | undefined;
  #failure: Error | null = null;
  #ended = false;
  #onFailure: (error: Error) => void = () => {};

  /** A client that asks for nothing during `stallMs` is given up. */
  constructor(source: StreamSource, stallMs: number) {
    this.#source = source;
    this.#stallMs = stallMs;
    this.#watch();
  }

  next(): Promise<readonly Uint8Array[]> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.resolve([]);
    clearTimeout(this.#stall);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#source.more();
    });
  }

  cancel(): void {
    this.#onFailure = () => {};
    this.#waiting?.resolve([]);
    this.#waiting = null;
    this.fail(new MillraceError("query_cancelled", "the client went away"));
  }

  onFailure(listener: (error: Error) => void): void {
    this.#onFailure = listener;
  }

  /** What `more` has brought; null: the worker has nothing of it. */
  take(chunk: TextChunk | null): void {
    if (chunk === null) return this.fail(new MillraceError("result_lost", "the result is gone"));
    if (chunk.done) this.#end();
    else this.#watch();
    this.#waiting?.resolve(chunk.pieces);
    this.#waiting = null;
  }

  /** Ends it before its end. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#failure = error;
    this.#end();
    if (this.#waiting) this.#waiting.reject(error);
    else this.#onFailure(error);
    this.#waiting = null;
  }

  #end(): void {
    this.#ended = true;
    clearTimeout(this.#stall);
    this.#source.ended();
  }

  #watch(): void {
    this.#stall = setTimeout(() => {
      const message = `the client has read nothing of its result for ${this.#stallMs} ms`;
      this.fail(new TimeoutError("result_timeout", message));
    }, this.#stallMs);
    this.#stall.unref();
  }
}
