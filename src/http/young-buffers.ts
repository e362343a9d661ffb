import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Bytes of body chunks after which their buffers are collected: fewer than V8 lets gather before it starts a
 * full collection (some 25 MB with a heap as small as ours), and enough that a young one is worth its 0.3 ms.
 */
const BYTES_BETWEEN = 16 * 1024 * 1024;

/** A collection of the young generation, or null where V8 does not offer it. */
function youngCollection(): (() => void) | null {
  // The function exists only in contexts that are made while the flag is set; nobody else gets to see it.
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("typeof gc === 'function' ? gc : null");
  setFlagsFromString("--no-expose-gc");
  return typeof collect === "function" ? () => collect({ type: "minor" }) : null;
}

/**
 * Collects the buffers of body chunks while they are young.
 *
 * They lie outside of V8's heap and are dead as soon as they are copied, but V8 counts them as growth of a heap
 * of 15 MB and answers with full collections, several a second at full speed. A young collection in time makes
 * those needless.
 */
export class YoungBuffers {
  readonly #collect = youngCollection();
  #bytes = 0;

  /** A chunk of this many bytes has been copied and is not needed any more. */
  dropped(byteLength: number): void {
    this.#bytes += byteLength;
    if (this.#bytes < BYTES_BETWEEN) return;
    this.#bytes = 0;
    this.#collect?.();
  }
}
