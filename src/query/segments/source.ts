// What a query reads: a fixed set of segments, each with a fixed number of rows, for as long as it runs.

/** Smallest and largest value of a column in a sealed segment, as far as its zone map knows them. */
export interface Zone {
  readonly min: number | bigint | string;
  readonly max: number | bigint | string;
}

export interface SegmentColumn {
  readonly path: string;
  readonly lane: number;
  /** Where its Column is, see assembly/layout.ts. */
  readonly address: number;
}

/** The rows of a segment that this query sees: the first `rows`, in the order of their sequences. */
export interface Segment {
  readonly id: number;
  /** In a hot slot, where dictionaries grow and are unsorted; otherwise stored. */
  readonly hot: boolean;
  readonly rows: number;
  readonly firstSequence: bigint;
  /** No row's timestamp lies outside; the ends need not be taken. */
  readonly timeMinUs: bigint;
  readonly timeMaxUs: bigint;
  /** From here on a query looks at this segment alone: columns of those before it may go to make room. */
  enter(): void;
  /** Address of a Column, or 0 when no row of the segment has such a value. May read and decode a stored column. */
  column(path: string, lane: number): number;
  /** Whether `column` would answer an address, without reading anything. */
  has(path: string, lane: number): boolean;
  /** Null where nothing is known, as in hot segments. */
  zone(path: string, lane: number): Zone | null;
  /** False: no row has this text there, as UTF-8. Decodes nothing; true where nothing is known. */
  mayHaveText(path: string, text: Uint8Array): boolean;
  /** Entries of a dictionary and how many rows have one, without reading anything; undefined where nothing is known. */
  texts?(
    path: string,
    lane: number,
  ): { readonly entries: number; readonly count: number } | undefined;
  /** Every column that the segment has; reads them all. */
  columns(): readonly SegmentColumn[];
  /**
   * From which row on which `received_at` holds, µs, both ascending; the first begins at row 0. Of rows [first, end),
   * where they are given, it may be only those records that have them: the first begins at `first` or before.
   */
  received(
    first?: number,
    end?: number,
  ): readonly { readonly firstRow: number; readonly receivedAtUs: bigint }[];
}

/**
 * Segments by ascending sequence. Memory behind the addresses is kept until another segment is entered, and until
 * `release` at most.
 */
export interface Snapshot {
  readonly segments: readonly Segment[];
  /** Every row below it is seen, none from it on. */
  readonly asOf: bigint;
  /** The oldest sequence that is kept; what was before it is gone. */
  readonly oldest?: bigint;
  release(): void;
}

export interface SegmentSource {
  snapshot(): Snapshot;
}
