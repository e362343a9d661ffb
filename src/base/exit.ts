import { getEnvironmentData, isMainThread, setEnvironmentData } from "node:worker_threads";

// Words that all threads share: 1 once the process ends, and how many threads are within `uncut`.
const ENDING = 0;
const UNCUT = 1;

const words = sharedWords("millrace.exit");

function sharedWords(name: string): Int32Array {
  const known = getEnvironmentData(name);
  if (known instanceof SharedArrayBuffer) return new Int32Array(known);
  const memory = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  if (isMainThread) setEnvironmentData(name, memory);
  return new Int32Array(memory);
}

/** The compiler's threads need a few milliseconds for what they have begun. */
const settleMs = 50;
/** How long a call of `uncut` may take, milliseconds. */
const uncutMsMax = 2000;

/**
 * Ends the process with `code`, whatever is open; code after it doesn't run, and nothing is answered meanwhile.
 *
 * `process.exit` waits for the compiler's threads, and one of those may itself wait for a garbage collection by
 * this thread, which then never comes: the process hangs (Node issue 54918; one start in a hundred that is refused
 * at once, on Node 24). JavaScript that runs can be interrupted by the collection, so a moment of it lets them end.
 */
export function endProcess(code: number): never {
  Atomics.store(words, ENDING, 1);
  const startMs = performance.now();
  for (;;) {
    const ms = performance.now() - startMs;
    if (ms > uncutMsMax || (ms > settleMs && Atomics.load(words, UNCUT) === 0)) break;
  }
  process.exit(code);
}

/**
 * What `call` answers. A native call that can't bear that its thread is stopped meanwhile takes the process with it
 * (SIGABRT), so `endProcess` waits for it, and it does not begin once the process ends.
 */
export function uncut<T>(call: () => T): T {
  Atomics.add(words, UNCUT, 1);
  try {
    if (!isMainThread && Atomics.load(words, ENDING) === 1) {
      Atomics.sub(words, UNCUT, 1);
      Atomics.wait(words, ENDING, 1);
    }
    return call();
  } finally {
    Atomics.sub(words, UNCUT, 1);
  }
}
