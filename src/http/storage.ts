import { z } from "zod";
import type { Front } from "../api/front.ts";
import type { ColumnSummary, CompactionStats, SegmentSummary } from "../engine/engine.ts";
import { parseShape, strictShape } from "../query/form/shape.ts";
import { formatTime } from "../query/time.ts";

/** Segments that are listed where the request doesn't say. */
const segmentsDefault = 1000;

/** The parameters of `GET /storage`, as the text that they arrive as. */
export const storageParamsSchema = strictShape({
  segments: z.coerce
    .number()
    .int()
    .min(0)
    .max(1_000_000)
    .optional()
    .meta({ description: `segments to list, the newest; ${segmentsDefault} by default` }),
});

const sequence = z.string().describe("a sequence, as text");

export const storageSchema = z.object({
  next_sequence: sequence,
  events: z.int().describe("all that can be read, those not sealed yet included"),
  sealed_events: z.int(),
  file_bytes: z.int().describe("the data file, free pages included"),
  live_bytes: z.int().describe("pages of the file that hold something"),
  table_bytes: z.record(z.string(), z.int()),
  journal_records: z.int().describe("records with events that are not sealed yet"),
  bytes_per_event: z.number().nullable().describe("of sealed events: columns and filters"),
  compaction: z.object({
    compactions: z.int().describe("merges of small segments since the start"),
    segments: z.int().describe("segments that were merged"),
    rows: z.int().describe("rows that were written again"),
    read_bytes: z.int(),
    written_bytes: z.int(),
    failures: z.int(),
    running: z.array(z.int()).describe("ids of the segments that are being merged now"),
  }),
  columns: z.array(
    z.object({
      path: z.string(),
      lane: z.enum(["number", "string", "boolean", "json", "null", "id"]),
      segments: z.int().describe("segments that have it"),
      rows: z.int().describe("rows that have a value"),
      bytes: z.int(),
      filter_bytes: z.int(),
      bytes_per_event: z.number().describe("columns and filters, over all sealed events"),
      dictionary_entries_max: z.int().describe("of one segment"),
      encodings: z.record(z.string(), z.int()).describe("segments by encoding"),
    }),
  ),
  segment_count: z.int(),
  segments: z.array(
    z.object({
      id: z.int(),
      first_sequence: sequence,
      last_sequence: sequence,
      rows: z.int(),
      bytes: z.int(),
      bytes_per_event: z.number(),
      columns: z.int(),
      from: z.string().describe("the earliest timestamp"),
      to: z.string().describe("the latest timestamp"),
      received_from: z.string().nullable(),
      received_to: z.string().nullable(),
      records: z.int().describe("journal records that its events came in"),
      duplicates: z.int(),
      rejected: z.int(),
    }),
  ),
});

type StorageDocument = z.output<typeof storageSchema>;

/** What `GET /storage` answers. */
export function storageDocument(
  { engine }: Front,
  parameters: Readonly<Record<string, string>>,
): StorageDocument {
  const { segments: listed = segmentsDefault } = parseShape(
    storageParamsSchema,
    parameters,
    "invalid_parameter",
  );
  const stats = engine.stats();
  const segments = engine.storedSegments();
  const rows = segments.reduce((sum, segment) => sum + segment.rows, 0);
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const { file = 0, ...tables } = stats.storeBytes;
  return {
    next_sequence: stats.nextSequence,
    events: stats.storedRows,
    sealed_events: rows,
    file_bytes: file,
    live_bytes: stats.storedBytes,
    table_bytes: tables,
    journal_records: stats.journalRecords,
    bytes_per_event: rows === 0 ? null : perEvent(bytes, rows),
    compaction: compactionDocument(stats.compaction),
    columns: columnDocuments(segments, rows),
    segment_count: segments.length,
    segments: (listed === 0 ? [] : segments.slice(-listed)).map(segmentDocument),
  };
}

function perEvent(bytes: number, rows: number): number {
  return Math.round((bytes / rows) * 1000) / 1000;
}

function compactionDocument(stats: CompactionStats): StorageDocument["compaction"] {
  const { bytesBefore, bytesAfter, running, ...rest } = stats;
  return { ...rest, read_bytes: bytesBefore, written_bytes: bytesAfter, running: [...running] };
}

/** Columns over all segments, the largest first. */
function columnDocuments(
  segments: readonly SegmentSummary[],
  rows: number,
): StorageDocument["columns"] {
  const groups = new Map<string, ColumnSummary[]>();
  for (const column of segments.flatMap(({ columns }) => columns)) {
    const key = `${column.lane} ${column.path}`;
    const group = groups.get(key);
    if (group) group.push(column);
    else groups.set(key, [column]);
  }
  return [...groups.values()]
    .map((group) => columnDocument(group, rows))
    .sort((a, b) => b.bytes + b.filter_bytes - a.bytes - a.filter_bytes);
}

function columnDocument(
  group: readonly ColumnSummary[],
  rows: number,
): StorageDocument["columns"][number] {
  const { path, lane } = group[0] as ColumnSummary;
  const sum = (of: (column: ColumnSummary) => number) =>
    group.reduce((total, column) => total + of(column), 0);
  const encodings: Record<string, number> = {};
  for (const { encoding } of group) encodings[encoding] = (encodings[encoding] ?? 0) + 1;
  const bytes = sum((column) => column.bytes);
  const filterBytes = sum((column) => column.filterBytes);
  return {
    path,
    lane: lane as StorageDocument["columns"][number]["lane"],
    segments: group.length,
    rows: sum(({ count }) => count),
    bytes,
    filter_bytes: filterBytes,
    bytes_per_event: perEvent(bytes + filterBytes, rows),
    dictionary_entries_max: group.reduce((most, { entries }) => Math.max(most, entries), 0),
    encodings,
  };
}

function segmentDocument(segment: SegmentSummary): StorageDocument["segments"][number] {
  const { id, firstSequence, rows, bytes, records, duplicates, rejected } = segment;
  const time = (us: bigint | null) => (us === null ? null : formatTime(us));
  return {
    id,
    first_sequence: String(firstSequence),
    last_sequence: String(firstSequence + BigInt(rows - 1)),
    rows,
    bytes,
    bytes_per_event: perEvent(bytes, rows),
    columns: segment.columns.length,
    from: formatTime(segment.timeMinUs),
    to: formatTime(segment.timeMaxUs),
    received_from: time(segment.receivedFromUs),
    received_to: time(segment.receivedToUs),
    records,
    duplicates,
    rejected,
  };
}
