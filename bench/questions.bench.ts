// Whole questions over segments with dictionaries of their own, sorted and unsorted in turn, against loops over arrays.
// Nearly every text of the large column is in every segment.

import * as layout from "../src/core/layout.ts";
import { executeQuery } from "../src/query/run/execute.ts";
import type { Segment, Snapshot } from "../src/query/segments/source.ts";
import { parseSql } from "../src/query/sql/statement.ts";
import { QueryBed, writeColumn } from "../test/support/query-rows.ts";
import { mulberry32 } from "../test/support/random.ts";
import type { Comparison } from "./harness.ts";

const mib = 1024 * 1024;
const startUs = 1_790_000_000_000_000n;
const rowUs = 3600;

/** The rows as arrays, for the plain way. */
interface Rows {
  readonly count: number;
  readonly times: Float64Array;
  readonly types: string[];
  readonly countries: string[];
  readonly users: string[];
  readonly durations: Float64Array;
}

function makeRows(count: number): Rows {
  const random = mulberry32(7);
  const below = (n: number): number => Math.floor(random() * n);
  const users = Math.max(10, count / 10);
  return {
    count,
    times: Float64Array.from({ length: count }, (_, i) => i * rowUs + below(2_000_000)),
    types: Array.from({ length: count }, () => `type ${below(20)}`),
    countries: Array.from({ length: count }, () => `country ${below(200)}`),
    users: Array.from({ length: count }, () => `user_${below(users)}`),
    durations: Float64Array.from({ length: count }, () => below(2000)),
  };
}

function segmentOf(bed: QueryBed, rows: Rows, id: number, first: number, end: number): Segment {
  const stored = id % 2 === 0;
  const columns = new Map<string, number>();
  const add = (path: string, lane: number, cell: (row: number) => string | bigint): void => {
    const cells = Array.from({ length: end - first }, (_, i) => cell(first + i));
    columns.set(`${lane} ${path}`, writeColumn(bed, lane, cells, { stored }));
  };
  add("timestamp", layout.LANE_NUMBER, (row) => startUs + BigInt(rows.times[row] as number));
  add("event_type", layout.LANE_STRING, (row) => rows.types[row] as string);
  add("properties.country", layout.LANE_STRING, (row) => rows.countries[row] as string);
  add("user_id", layout.LANE_STRING, (row) => rows.users[row] as string);
  add("properties.duration_ms", layout.LANE_NUMBER, (row) => BigInt(rows.durations[row] as number));
  return {
    id,
    hot: !stored,
    rows: end - first,
    firstSequence: BigInt(first),
    timeMinUs: startUs + BigInt(first * rowUs),
    timeMaxUs: startUs + BigInt(end * rowUs + 2_000_000),
    enter: () => {},
    column: (path, lane) => columns.get(`${lane} ${path}`) ?? 0,
    has: (path, lane) => columns.has(`${lane} ${path}`),
    zone: () => null,
    mayHaveText: () => true,
    columns: () => [],
    received: () => [{ firstRow: 0, receivedAtUs: 0n }],
  };
}

interface Question {
  readonly name: string;
  readonly sql: string;
  readonly plain: (rows: Rows) => (string | number)[][];
}

/** Counts by key, or by none where `key` answers undefined. */
function counts<K>(rows: Rows, key: (row: number) => K | undefined): Map<K, number> {
  const found = new Map<K, number>();
  for (let row = 0; row < rows.count; row++) {
    const own = key(row);
    if (own !== undefined) found.set(own, (found.get(own) ?? 0) + 1);
  }
  return found;
}

/** The ten largest, equal ones by their text. */
function topTen(found: Map<string, number>): (string | number)[][] {
  const ordered = [...found].sort(
    (a, b) => b[1] - a[1] || Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0])),
  );
  return ordered.slice(0, 10);
}

const minuteUs = 60_000_000;

const questions: readonly Question[] = [
  {
    name: "questions: count by minute",
    sql: "SELECT time_bucket('1m', timestamp) AS m, count(*) FROM events GROUP BY m ORDER BY m",
    plain: (rows) => {
      const offset = Number(startUs % BigInt(minuteUs));
      const minute = (row: number): number =>
        Math.floor((offset + (rows.times[row] as number)) / minuteUs);
      const first = Number(startUs) - offset;
      return [...counts(rows, minute)]
        .sort((a, b) => a[0] - b[0])
        .map(([m, n]) => [new Date((first + m * minuteUs) / 1000).toISOString(), n]);
    },
  },
  {
    name: "questions: count by two texts",
    sql: `SELECT event_type, properties.country, count(*) FROM events
      GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 10`,
    plain: (rows) => {
      const found = counts(rows, (row) => `${rows.types[row]}\0${rows.countries[row]}`);
      return topTen(found).map(([key, n]) => [...String(key).split("\0"), n as number]);
    },
  },
  {
    name: "questions: top 10 of 200 texts where a number matches",
    sql: `SELECT properties.country, count(*) AS n FROM events WHERE properties.duration_ms > 500
      GROUP BY 1 ORDER BY n DESC LIMIT 10`,
    plain: (rows) =>
      topTen(
        counts(rows, (row) =>
          (rows.durations[row] as number) > 500 ? rows.countries[row] : undefined,
        ),
      ),
  },
  {
    name: "questions: top 10 of a tenth as many texts as rows",
    sql: "SELECT user_id, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC LIMIT 10",
    plain: (rows) => topTen(counts(rows, (row) => rows.users[row])),
  },
  {
    name: "questions: 10 newest of one user",
    sql: `SELECT properties.duration_ms FROM events WHERE user_id = 'user_7'
      ORDER BY timestamp DESC LIMIT 10`,
    plain: (rows) => {
      const found: number[] = [];
      for (let row = 0; row < rows.count; row++) if (rows.users[row] === "user_7") found.push(row);
      found.sort((a, b) => (rows.times[b] as number) - (rows.times[a] as number) || b - a);
      return found.slice(0, 10).map((row) => [rows.durations[row] as number]);
    },
  },
];

export function questionComparisons(segmentRows: number, segmentCount: number): Comparison[] {
  const rows = makeRows(segmentRows * segmentCount);
  const bed = new QueryBed(rows.count * 160 + 64 * mib, 256 * mib);
  const segments = Array.from({ length: segmentCount }, (_, id) =>
    segmentOf(bed, rows, id, id * segmentRows, (id + 1) * segmentRows),
  );
  const snapshot: Snapshot = { segments, asOf: BigInt(rows.count), release: () => {} };
  return questions.map(({ name, sql, plain }) => {
    const query = parseSql(sql);
    const ask = () => executeQuery(query, snapshot, bed.state).rows;
    return {
      name,
      units: rows.count,
      unit: "rows",
      reference: { name: "arrays", run: () => plain(rows).length, result: () => plain(rows) },
      candidate: {
        name: "kernels",
        run: () => ask().length,
        result: () => ask().map((row) => [...row]),
      },
    };
  });
}
