import { decodeSegmentMeta, type SegmentMeta, segmentBytes } from "../storage/segment.ts";
import type { ColumnSummary, SegmentSummary } from "./engine.ts";

/** Names of the lanes and of the encodings, by their numbers in the format. */
const laneNames = ["number", "string", "boolean", "json", "null", "id"];
const encodingNames = [
  "none",
  "packed",
  "dictionary",
  "xor",
  "raw",
  "text-sorted",
  "text-plain",
  "id-bits",
];

/** What is stored, as the threads that read are told of it: for people, and without what only a reader needs. */
export class Catalog {
  readonly #segments = new Map<number, SegmentSummary>();
  /** The same few texts for thousands of segments. */
  readonly #paths = new Map<string, string>();

  /** Takes in encoded metas of segments that are stored now, and ids of those that are gone. */
  change(added: readonly Uint8Array[], dropped: readonly number[]): void {
    for (const bytes of added) {
      const meta = decodeSegmentMeta(bytes);
      this.#segments.set(meta.id, this.#summary(meta));
    }
    for (const id of dropped) this.#segments.delete(id);
  }

  /** By sequence, oldest first. */
  list(): readonly SegmentSummary[] {
    return [...this.#segments.values()].sort((a, b) =>
      a.firstSequence < b.firstSequence ? -1 : 1,
    );
  }

  #summary(meta: SegmentMeta): SegmentSummary {
    const { records } = meta;
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    return {
      id: meta.id,
      firstSequence: meta.firstSequence,
      rows: meta.rows,
      bytes: segmentBytes(meta),
      timeMinUs: meta.timeMinUs,
      timeMaxUs: meta.timeMaxUs,
      receivedFromUs: records[0]?.receivedAtUs ?? null,
      receivedToUs: records.at(-1)?.receivedAtUs ?? null,
      records: records.length,
      duplicates: sum(records.map(({ duplicates }) => duplicates)),
      rejected: sum(records.map(({ rejected }) => rejected)),
      columns: meta.columns.map((column): ColumnSummary => {
        const { count, bytes, filterBytes, entries } = column;
        return {
          path: this.#path(column.path),
          lane: laneNames[column.lane] ?? String(column.lane),
          encoding: encodingNames[column.encoding] ?? String(column.encoding),
          ...{ count, bytes, filterBytes, entries },
        };
      }),
    };
  }

  #path(path: string): string {
    const known = this.#paths.get(path);
    if (known === undefined) this.#paths.set(path, path);
    return known ?? path;
  }
}
