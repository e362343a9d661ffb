import { tableText } from "./query-table.ts";

/** What `GET /api/v1/storage` answers, as far as it is shown. */
export interface Storage {
  readonly next_sequence: string;
  readonly events: number;
  readonly sealed_events: number;
  readonly file_bytes: number;
  readonly live_bytes: number;
  readonly table_bytes: Readonly<Record<string, number>>;
  readonly journal_records: number;
  readonly bytes_per_event: number | null;
  readonly compaction: {
    readonly compactions: number;
    readonly segments: number;
    readonly rows: number;
    readonly read_bytes: number;
    readonly written_bytes: number;
    readonly failures: number;
    readonly running: readonly number[];
  };
  readonly columns: readonly {
    readonly path: string;
    readonly lane: string;
    readonly segments: number;
    readonly rows: number;
    readonly bytes: number;
    readonly filter_bytes: number;
    readonly bytes_per_event: number;
    readonly dictionary_entries_max: number;
    readonly encodings: Readonly<Record<string, number>>;
  }[];
  readonly segment_count: number;
  readonly segments: readonly {
    readonly id: number;
    readonly first_sequence: string;
    readonly last_sequence: string;
    readonly rows: number;
    readonly bytes: number;
    readonly bytes_per_event: number;
    readonly columns: number;
    readonly from: string;
    readonly to: string;
    readonly records: number;
  }[];
}

/** Totals, columns and segments for people, in lines of at most `width`. */
export function storageText(storage: Storage, width: number): string {
  const parts = [totals(storage)];
  if (storage.columns.length > 0) parts.push(columnsTable(storage, width));
  if (storage.segments.length > 0) parts.push(segmentsTable(storage, width));
  return parts.join("\n\n");
}

function totals(storage: Storage): string {
  const { events, sealed_events: sealed, segment_count: segments, table_bytes: tables } = storage;
  const perEvent = storage.bytes_per_event;
  const each = perEvent === null ? "" : `, ${perEvent.toFixed(2)} bytes an event`;
  const lines: [string, string][] = [
    ["events", `${count(events)}, the next one gets sequence ${storage.next_sequence}`],
    ["sealed", `${count(sealed)} in ${count(segments)} segments${each}`],
    [
      "journal",
      `${count(events - sealed)} events in ${count(storage.journal_records)} records, ${bytes(tables.journal ?? 0)}`,
    ],
    ["on disk", `${bytes(storage.live_bytes)} in use of a file of ${bytes(storage.file_bytes)}`],
    ["merged", merged(storage.compaction)],
  ];
  return lines.map(([name, text]) => `${name.padEnd(8)} ${text}`).join("\n");
}

function merged(compaction: Storage["compaction"]): string {
  const { compactions, segments, rows, failures, running } = compaction;
  const { read_bytes: read, written_bytes: written } = compaction;
  const done =
    compactions === 0
      ? "no segments since the start"
      : `${count(segments)} segments into ${count(compactions)} since the start: ${count(rows)} rows, ` +
        `${bytes(read)} became ${bytes(written)}`;
  const failed = failures === 0 ? "" : `; ${count(failures)} failures`;
  const now = running.length === 0 ? "" : `; ${count(running.length)} are being merged now`;
  return `${done}${failed}${now}`;
}

type Row = readonly unknown[];

function table(names: readonly string[], rows: readonly Row[], width: number): string {
  const columns = names.map((name, i) => ({
    name,
    type: rows.every((row) => /^[\d,.]*(?: [KMG]iB| B)?$/.test(String(row[i])))
      ? "number"
      : "string",
  }));
  return tableText({ columns, rows }, { width, colors: false });
}

function columnsTable({ columns, bytes_per_event: all }: Storage, width: number): string {
  const share = (value: number) => (all ? `${((value / all) * 100).toFixed(1)} %` : "");
  const rows = columns.map((column): Row => {
    const encodings = Object.entries(column.encodings);
    return [
      column.path,
      column.lane,
      column.bytes_per_event.toFixed(3),
      share(column.bytes_per_event),
      bytes(column.bytes),
      column.filter_bytes === 0 ? "" : bytes(column.filter_bytes),
      count(column.rows),
      column.dictionary_entries_max === 0 ? "" : count(column.dictionary_entries_max),
      encodings.length === 1
        ? (encodings[0]?.[0] ?? "")
        : encodings.map(([name, segments]) => `${name} ×${segments}`).join(", "),
    ];
  });
  const names = ["column", "lane", "B/event", "share", "bytes", "filter", "values", "dictionary"];
  return table([...names, "encoding"], rows, width);
}

function segmentsTable(storage: Storage, width: number): string {
  const { segments, segment_count: all } = storage;
  const rows = segments.map((segment): Row => {
    const { id, first_sequence: first, last_sequence: last } = segment;
    return [
      id,
      count(segment.rows),
      bytes(segment.bytes),
      segment.bytes_per_event.toFixed(2),
      `${first}–${last}`,
      shortTime(segment.from),
      shortTime(segment.to),
      count(segment.records),
      count(segment.columns),
    ];
  });
  const names = ["segment", "rows", "bytes", "B/event", "sequences", "from", "to", "records"];
  const text = table([...names, "columns"], rows, width);
  const rest = all - segments.length;
  return rest > 0 ? `${text}\n… and ${count(rest)} older ones; --segments N shows more` : text;
}

/** Seconds are enough to find a segment. */
function shortTime(time: string): string {
  return time.replace(/(?:\.\d+)?Z$/, "Z");
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let scaled = value;
  for (; scaled >= 1024 && unit < units.length - 1; unit++) scaled /= 1024;
  return `${unit === 0 ? scaled : scaled.toFixed(1)} ${units[unit]}`;
}
