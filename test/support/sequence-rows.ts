// Rows whose every cell follows from their sequence, so that a reader knows what it must find.
import type { MadeCell, MadeRow } from "./make-batch.ts";

/** Cells that make pages wider, change their kind of numbers, and let new columns come up to the end. */
export function sequenceCells(sequence: number): Map<string, MadeCell> {
  const cells = new Map<string, MadeCell>();
  cells.set("event_type", `type ${sequence % 5}`);
  cells.set("properties.text", `text ${sequence}`);
  if (sequence % 3 === 0) cells.set("properties.sparse", `sparse ${sequence % 400}`);
  const fraction = sequence % 4096 > 700 && sequence % 11 === 0;
  cells.set("properties.number", fraction ? sequence + 0.5 : BigInt(sequence));
  const large = sequence % 4096 > 1500 && sequence % 13 === 0;
  cells.set("properties.large", large ? 2n ** 60n + BigInt(sequence) : sequence / 4);
  if (sequence % 2 === 0) cells.set(`properties.p${Math.floor(sequence / 400) % 150}`, true);
  return cells;
}

export function sequenceRows(first: number, count: number): MadeRow[] {
  return Array.from({ length: count }, (_, i) => ({
    id: new Uint8Array(16),
    timestampUs: BigInt(first + i),
    cells: sequenceCells(first + i),
  }));
}
