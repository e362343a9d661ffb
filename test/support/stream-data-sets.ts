// Streams that others published, with the windows that they say there are, and rules that ask for them.

import { createHash } from "node:crypto";
import type { OracleCell } from "../oracle/query.ts";
import { readData } from "./conformance.ts";
import type { Random } from "./random-queries.ts";

/** As it is sent. */
export interface DataEvent {
  readonly id: string;
  readonly timestamp: string;
  readonly event_type: string;
  readonly source?: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** A rule, and a line for each group of each of its windows, sorted: start, keys, values. */
export interface Question {
  readonly name: string;
  readonly definition: Readonly<Record<string, unknown>>;
  readonly want: readonly string[];
}

export interface DataSet {
  readonly name: string;
  readonly events: readonly DataEvent[];
  readonly questions: readonly Question[];
  /** Events may come so much after later ones. */
  readonly latenessMs: number;
}

function lines(path: string): Record<string, unknown>[] {
  return readData(path)
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

function idOf(name: string, index: number): string {
  const hex = createHash("sha256").update(`${name} ${index}`).digest("hex").slice(0, 32);
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})/, "$1-$2-4$3-8$4-$5");
}

/** What a key or a value is in a line: numbers to three digits, times as ISO 8601. */
export function dataText(value: unknown): string {
  if (typeof value === "bigint") return dataText(Number(value));
  if (typeof value === "number") {
    if (Math.abs(value) > 1e15) return new Date(value / 1000).toISOString();
    return Number(value.toFixed(3)).toString();
  }
  const text = String(value);
  return /^\d{4}-\d\d-\d\dT/.test(text) ? new Date(text).toISOString() : text;
}

export function dataLine(
  start: string,
  keys: readonly unknown[],
  values: readonly unknown[],
): string {
  return [new Date(start).toISOString(), ...keys.map(dataText), ...values.map(dataText)].join(" ");
}

function cars(): DataSet {
  const events = lines("streaming/cars/cars.ndjson").map((line, i): DataEvent => {
    const { timestamp, event_type, ...properties } = line;
    const id = idOf("cars", i);
    return { id, timestamp: String(timestamp), event_type: String(event_type), properties };
  });
  const want = lines("streaming/cars/tumble-1h-by-event-type.ndjson").map((line) =>
    dataLine(`${line.hour}Z`, [line.event_type], [line.count]),
  );
  const sql = `SELECT TUMBLE_START(timestamp, INTERVAL '1 hour') AS hour, event_type, count(*) AS n FROM events
    WHERE event_type IN ('pickup', 'dropoff') GROUP BY TUMBLE(timestamp, INTERVAL '1 hour'), event_type`;
  const definition = { name: "cars_by_hour", sql, allowed_lateness: "10m" };
  const questions = [{ name: "events by hour", definition, want: want.sort() }];
  return { name: "cars", events, questions, latenessMs: 300_000 };
}

function impulse(): DataSet {
  const events = lines("streaming/impulse/impulse.ndjson").map((line, i): DataEvent => {
    const { timestamp, ...properties } = line;
    return {
      id: idOf("impulse", i),
      timestamp: String(timestamp),
      event_type: "impulse",
      properties,
    };
  });
  const want = lines("streaming/impulse/hop-2s-10s-count-min-max.ndjson").map((line) =>
    dataLine(`${line.start}Z`, [], [line.count, line.min, line.max]),
  );
  const definition = {
    name: "impulse_hops",
    event_filter: "event_type = 'impulse'",
    window: { type: "hopping", size: "10s", slide: "2s" },
    aggregations: [
      { fn: "count", as: "n" },
      { fn: "min", field: "properties.counter", as: "least" },
      { fn: "max", field: "properties.counter", as: "most" },
    ],
    allowed_lateness: "3s",
  };
  const questions = [{ name: "hops of 2 s over 10 s", definition, want: want.sort() }];
  return { name: "impulse", events, questions, latenessMs: 2000 };
}

const day = "TUMBLE(timestamp, INTERVAL '1 day')";
const nexmarkKeys: Readonly<Record<string, readonly [keys: readonly string[], where: string]>> = {
  q0: [["properties.auction", "properties.bidder", "properties.price", "timestamp"], ""],
  q1: [["properties.auction", "properties.bidder", "0.908 * properties.price", "timestamp"], ""],
  q2: [
    ["properties.auction", "properties.price"],
    "properties.auction IN (1007, 1020, 2001, 2019, 2087)",
  ],
  q14: [
    [
      "properties.auction",
      "properties.bidder",
      "0.908 * properties.price",
      `CASE WHEN extract(hour FROM timestamp) >= 8 AND extract(hour FROM timestamp) <= 18 THEN 'dayTime'
        WHEN extract(hour FROM timestamp) <= 6 OR extract(hour FROM timestamp) >= 20 THEN 'nightTime'
        ELSE 'otherTime' END`,
      "timestamp",
      "length(properties.extra) - length(replace(properties.extra, 'c', ''))",
    ],
    "0.908 * properties.price > 1000000 AND 0.908 * properties.price < 50000000",
  ],
  q22: [
    [
      "properties.auction",
      "properties.bidder",
      "properties.price",
      "properties.channel",
      ...[4, 5, 6].map((n) => `split_part(properties.url, '/', ${n})`),
    ],
    "",
  ],
};

/** A view that lists rows is the groups of a day, each with how often there was such a row. */
function listed(name: string, rows: readonly string[]): Question {
  const [keys, where] = nexmarkKeys[name] ?? [[], ""];
  const counts = new Map<string, number>();
  for (const row of rows) {
    const joined = row.trim().replace(/(\d{4}-\d\d-\d\d) (\d\d:[\d:.]+)/, "$1T$2Z");
    const cells = joined.split(/\s+/).map((one) => (/^[\d.]+$/.test(one) ? Number(one) : one));
    const text = dataLine("2015-07-15T00:00:00Z", cells, []);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const want = [...counts].map(([text, count]) => `${text} ${count}`).sort();
  const condition = where === "" ? "" : ` AND ${where}`;
  const columns = keys.map((key, i) => `${key} AS k${i}`).join(", ");
  const sql = `SELECT ${columns}, count(*) AS n FROM events WHERE event_type = 'bid'${condition}
    GROUP BY ${[day, ...keys].join(", ")}`;
  return { name, definition: { name: `nexmark_${name}`, sql, allowed_lateness: "10s" }, want };
}

function nexmarkDay(rows: readonly string[]): Question {
  const ranks = [
    "",
    "properties.price < 10000",
    "properties.price >= 10000 AND properties.price < 1000000",
    "properties.price >= 1000000",
  ];
  const columns = [
    "count(*)",
    "count(DISTINCT properties.bidder)",
    "count(DISTINCT properties.auction)",
  ]
    .flatMap((fn) => ranks.map((rank) => (rank === "" ? fn : `${fn} FILTER (WHERE ${rank})`)))
    .map((column, i) => `${column} AS c${i}`);
  const sql = `SELECT ${columns.join(", ")} FROM events WHERE event_type = 'bid' GROUP BY ${day}`;
  const want = rows.map((row) => {
    const [date, ...values] = row.trim().split(/\s+/);
    return dataLine(`${date}T00:00:00Z`, [], values.map(Number));
  });
  return { name: "q15", definition: { name: "nexmark_q15", sql, allowed_lateness: "10s" }, want };
}

function nexmark(): DataSet {
  const events = lines("streaming/nexmark-110/events.ndjson").map((line, i): DataEvent => {
    const { event_type, date_time, ...properties } = line;
    const id = idOf("nexmark", i);
    return { id, timestamp: String(date_time), event_type: String(event_type), properties };
  });
  const expected = JSON.parse(readData("streaming/nexmark-110/expected.json").toString());
  const questions = Object.keys(nexmarkKeys).map((name) => listed(name, expected[name].rows));
  questions.push(nexmarkDay(expected.q15.rows));
  return { name: "nexmark", events, questions, latenessMs: 5000 };
}

function wikiticker(): DataSet {
  const file = "events/wikiticker/wikiticker-2015-09-12-sampled.json.gz";
  const events = lines(file).map((line, i): DataEvent => {
    const { time, channel, ...properties } = line;
    const id = idOf("wikiticker", i);
    return { id, timestamp: String(time), event_type: "edit", source: String(channel), properties };
  });
  const { queries } = JSON.parse(readData("events/wikiticker/druid-docs-expected.json").toString());
  const { expected } = queries.find((one: { name: string }) => one.name === "hourly_deleted");
  const want = (expected as number[]).map((deleted, hour) =>
    dataLine(new Date(Date.UTC(2015, 8, 12, hour)).toISOString(), [], [deleted]),
  );
  const sql = `SELECT time_bucket('1 hour', timestamp) AS hour, sum(properties.deleted) AS deleted FROM events
    WHERE event_type = 'edit' GROUP BY hour`;
  const definition = { name: "wiki_hours", sql, allowed_lateness: "10m" };
  const questions = [{ name: "lines deleted by hour", definition, want }];
  return { name: "wikiticker", events, questions, latenessMs: 300_000 };
}

export const dataSets: Readonly<Record<string, () => DataSet>> = {
  cars,
  impulse,
  nexmark,
  wikiticker,
};

/** The events in an order in which each comes at most `latenessMs` after a later one, besides how they came. */
export function shuffled(random: Random, { events, latenessMs }: DataSet): DataEvent[] {
  const keyed = events.map((event) => ({
    event,
    at: Date.parse(event.timestamp) + random() * latenessMs,
  }));
  return keyed.sort((a, b) => a.at - b.at).map(({ event }) => event);
}

/** In batches of `most` events at most; of random sizes where `random` is given. */
export function batched(
  events: readonly DataEvent[],
  most: number,
  random?: Random,
): DataEvent[][] {
  const batches: DataEvent[][] = [];
  for (let from = 0; from < events.length; ) {
    const size = random ? 1 + Math.floor(random() * most) : most;
    batches.push(events.slice(from, from + size));
    from += size;
  }
  return batches;
}

/** After each batch it comes again, and now and then one from before. */
export function sentTwice(batches: readonly (readonly DataEvent[])[]): (readonly DataEvent[])[] {
  return batches.flatMap((batch, i) => [
    batch,
    batch,
    ...(i % 3 === 2 ? [batches[i - 2] ?? []] : []),
  ]);
}

/** One event of each source long after all others, which no rule takes: windows are final after it. */
export function closing({ events, name }: DataSet): DataEvent[] {
  const last = events
    .map(({ timestamp }) => Date.parse(timestamp))
    .reduce((a, b) => Math.max(a, b));
  const timestamp = new Date(last + 5 * 86_400_000).toISOString();
  return [...new Set(events.map(({ source }) => source))].map((source, i) => ({
    id: idOf(`${name} closes`, i),
    timestamp,
    event_type: "close",
    ...(source !== undefined && { source }),
    properties: {},
  }));
}

/** Cells of an event as the engine has them; nested values are not told apart. */
export function cellsOf(event: DataEvent): Map<string, OracleCell> {
  const cells = new Map<string, OracleCell>([["event_type", event.event_type]]);
  if (event.source !== undefined) cells.set("source", event.source);
  for (const [key, value] of Object.entries(event.properties)) {
    const cell =
      typeof value === "number" ? (Number.isInteger(value) ? BigInt(value) : value) : value;
    cells.set(`properties.${key}`, cell as OracleCell);
  }
  return cells;
}
