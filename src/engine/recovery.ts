import type { Core } from "../core/core.ts";
import type { Dedup } from "../core/dedup.ts";
import * as layout from "../core/layout.ts";
import * as status from "../core/status.ts";
import type { Watermarks } from "../core/watermarks.ts";
import { CorruptionError } from "../errors.ts";
import { ColumnCache } from "../storage/column-cache.ts";
import type { SegmentMeta } from "../storage/segment.ts";
import type { Store } from "../storage/store.ts";
import type { BatchAreas } from "./batch-areas.ts";
import type { Segments } from "./segments.ts";

/**
 * Applies the journal's rows that no segment has. Returns the newest time at which a record was received, µs.
 *
 * @throws CorruptionError that names the record; nothing of it or after it is served.
 */
export async function replayJournal(
  core: Core,
  store: Store,
  segments: Segments,
  batches: BatchAreas,
  watermarks: Watermarks,
): Promise<bigint> {
  const last = segments.newest();
  if (last?.watermarks) watermarks.restore(last.watermarks);
  let receivedAtUs = last?.records.at(-1)?.receivedAtUs ?? 0n;
  for (const { firstSequence, batch } of store.journal()) {
    const { address, status: code } = batches.load(batch);
    if (code !== status.OK) {
      throw new CorruptionError(
        "journal_corrupt",
        `journal record ${firstSequence}: its bytes are not what was written (status ${code});` +
          " restore a copy of the data folder",
      );
    }
    const stored = core.view.getBigInt64(address + layout.BATCH_FIRST_SEQUENCE, true);
    const next = segments.nextSequence();
    if (stored !== firstSequence || firstSequence > next) {
      throw new CorruptionError(
        "journal_gap",
        `journal record ${firstSequence}: got first sequence ${stored}, want ${next} or one before`,
      );
    }
    const rows = core.view.getUint32(address + layout.BATCH_ROWS, true);
    receivedAtUs = core.view.getBigInt64(address + layout.BATCH_RECEIVED_AT, true);
    const known = Number(next - firstSequence);
    if (known >= rows) continue;
    watermarks.advance(address);
    await segments.apply(address, known);
  }
  return receivedAtUs;
}

/** The columns of ids of a segment, its rows, and when they came. */
export interface SegmentIds {
  readonly ids: number;
  readonly made: number;
  readonly rows: number;
  readonly records: readonly { readonly firstRow: number; readonly receivedAtUs: bigint }[];
}

/** Enters the newest client-sent ids of the segments and of the hot slots, oldest first. */
export async function loadIds(
  core: Core,
  store: Store,
  metas: readonly SegmentMeta[],
  hotColumns: () => readonly SegmentIds[],
  dedup: Dedup,
  scratch: { base: number; size: number },
  unreadable: (error: CorruptionError) => void,
  /** Called before ids are entered that came in at this time or later. */
  mark: (receivedAtUs: bigint) => void,
): Promise<void> {
  const cache = new ColumnCache(core, scratch, store);
  let wanted = dedup.capacity;
  let first = metas.length;
  while (first > 0 && wanted > 0) wanted -= metas[--first]?.rows ?? 0;
  for (const meta of metas.slice(first)) {
    cache.begin();
    const column = (path: string) => meta.columns.findIndex((one) => one.path === path);
    const made = column("id_made");
    try {
      const madeColumn = made < 0 ? 0 : cache.column(meta, made);
      const ids = { ids: cache.column(meta, column("id")), made: madeColumn, rows: meta.rows };
      insertIds(core, dedup, { ...ids, records: meta.records }, mark);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      // The other segments are sound: their reads and new events go on, without these ids.
      unreadable(error);
    } finally {
      cache.end();
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const hot of hotColumns()) insertIds(core, dedup, hot, mark);
}

function insertIds(
  core: Core,
  dedup: Dedup,
  columns: SegmentIds,
  mark: (us: bigint) => void,
): void {
  const { ids, made, rows, records } = columns;
  let record = 0;
  const page = (column: number, index: number) =>
    column === 0 ? 0 : core.view.getUint32(column + layout.COLUMN_PAGES + index * 4, true);
  for (let index = 0; index * layout.PAGE_ROWS < rows; index++) {
    const first = index * layout.PAGE_ROWS;
    const count = Math.min(layout.PAGE_ROWS, rows - first);
    while ((records[record + 1]?.firstRow ?? rows) <= first) record++;
    const receivedAtUs = records[record]?.receivedAtUs;
    if (receivedAtUs !== undefined) mark(receivedAtUs);
    const madePage = page(made, index);
    const madeBits = madePage === 0 ? 0 : madePage + layout.PAGE_PRESENCE;
    dedup.insertMany(page(ids, index) + layout.PAGE_VALUES, madeBits, count);
  }
}
