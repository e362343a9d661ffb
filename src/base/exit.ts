/**
 * Ends the process with `code`, whatever is open; code after it doesn't run.
 *
 * `process.exit` waits for the compiler's threads, and one of those may itself wait for a garbage collection by
 * this thread, which then never comes: the process hangs (Node issue 54918; one start in a hundred that is refused
 * at once, on Node 24). JavaScript that runs can be interrupted by the collection, so a moment of it lets them end.
 */
export function endProcess(code: number): never {
  const endMs = performance.now() + settleMs;
  while (performance.now() < endMs);
  process.exit(code);
}

/** The compiler's threads need a few milliseconds for what they have begun; nothing is answered meanwhile. */
const settleMs = 50;
