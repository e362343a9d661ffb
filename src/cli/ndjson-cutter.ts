import {
  BatchBuilder,
  type BatchCutter,
  type BatchLimits,
  type EventBatch,
} from "./batch-cutter.ts";

const NEWLINE = 0x0a;
const WHITE_SPACE = new Set([0x09, 0x0d, 0x20]);

/** Cuts at newlines. Blank lines are not events; a last line without a newline is one. */
export function ndjsonCutter(limits: BatchLimits): BatchCutter {
  const builder = new BatchBuilder({ open: "", between: "\n", close: "\n" }, limits);
  /** The line being read has more than white space so far. */
  let filled = false;

  function append(bytes: Uint8Array): void {
    // White space before a line's first character is dropped, so that a blank line leaves nothing behind.
    const start = filled ? 0 : bytes.findIndex((byte) => !WHITE_SPACE.has(byte));
    if (start < 0 || bytes.length === 0) return;
    filled = true;
    builder.append(bytes.subarray(start));
  }

  function endLine(): void {
    if (filled) builder.endEvent();
    filled = false;
  }

  return {
    push(chunk: Uint8Array): EventBatch[] {
      let start = 0;
      for (;;) {
        const end = chunk.indexOf(NEWLINE, start);
        append(chunk.subarray(start, end < 0 ? chunk.length : end));
        if (end < 0) break;
        endLine();
        start = end + 1;
      }
      return builder.take();
    },
    end(): EventBatch[] {
      endLine();
      builder.flush();
      return builder.take();
    },
  };
}
