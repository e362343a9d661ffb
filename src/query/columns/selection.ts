// A selection: a bit a row of a segment, in words of 64 rows, on 16 bytes. See assembly/filter/selection.ts.

/** Bytes of a selection of `rows` rows. */
export function selectionSize(rows: number): number {
  return ((rows + 127) >>> 7) << 4;
}

/** Words of 64 rows. */
export function selectionWords(rows: number): number {
  return (rows + 63) >>> 6;
}
