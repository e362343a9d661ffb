import { describe, expect, test } from "vitest";
import { encodeCursor } from "../../src/query/events/cursor.ts";
import { readEvents } from "../../src/query/events/events.ts";
import { eventsFilter } from "../../src/query/events/events-filter.ts";
import { joinMembers, topMembers } from "../../src/query/events/json-members.ts";
import { splitKeys } from "../../src/query/paths.ts";
import type { EventsPage, EventsRequest } from "../../src/query/result.ts";
import type { Snapshot } from "../../src/query/segments/source.ts";
import { formatTime } from "../../src/query/time.ts";
import type { OracleCell, OracleRow } from "../oracle/query.ts";
import { QueryBed, snapshotOf } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { makeRows, pick } from "../support/random-queries.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

function plainCell(cell: OracleCell): Json {
  if (typeof cell === "bigint") return Number(cell);
  if (typeof cell === "object" && cell !== null) return JSON.parse(cell.json) as Json;
  return cell;
}

/** The event as an object, the plain way. */
function plainEvent(row: OracleRow): Json {
  const event: { [key: string]: Json } = { id: row.id, timestamp: formatTime(row.timestampUs) };
  const properties: { [key: string]: Json } = {};
  for (const [path, cell] of row.cells) {
    if (!path.startsWith("properties.")) {
      event[path] = plainCell(cell);
      continue;
    }
    const keys = splitKeys(path.slice("properties.".length)) as string[];
    let inner = properties;
    for (const key of keys.slice(0, -1)) {
      inner[key] ??= {};
      inner = inner[key] as { [key: string]: Json };
    }
    inner[keys.at(-1) as string] = plainCell(cell);
  }
  return {
    ...event,
    properties,
    sequence: String(row.sequence),
    received_at: formatTime(row.receivedAtUs),
    lateness_us: Number(row.latenessUs),
  };
}

function read(bed: QueryBed, snapshot: Snapshot, request: EventsRequest): EventsPage {
  return readEvents(request, eventsFilter(request, 0n), snapshot, bed.state);
}

function sequences(page: EventsPage): bigint[] {
  return page.events.map((text) => BigInt((JSON.parse(text) as { sequence: string }).sequence));
}

const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

function byTime(rows: readonly OracleRow[]): OracleRow[] {
  return rows.toSorted(
    (a, b) => order(a.timestampUs, b.timestampUs) || order(a.sequence, b.sequence),
  );
}

describe("pages of events", () => {
  const seeds = [1, 2, 3, 4, 5, 6];

  test.each(seeds)("seed %i: every event once, in order, while others arrive", (seed) => {
    const random = mulberry32(seed);
    const bed = new QueryBed();
    const rows = makeRows(random, 3000, 77n);
    // Equal times make the sequence decide.
    const coarse = rows.map((row) => ({ ...row, timestampUs: row.timestampUs / 50_000n }));
    const first = 2000 + Math.floor(random() * 500);
    const direction = pick(random, ["asc", "desc"] as const);
    const eventType = pick(random, [undefined, "purchase"]);
    const request: EventsRequest = {
      order: direction,
      limit: 1 + Math.floor(random() * 400),
      ...(eventType !== undefined && { eventType }),
      ...(random() < 0.5 && { where: { field: "properties.small", op: ">=", value: 0 } }),
      // Some pages end early, because they have enough text.
      ...(random() < 0.5 && { charsMax: 30_000 }),
    };
    const wanted = byTime(coarse.slice(0, first)).filter(
      ({ cells }) =>
        (eventType === undefined || cells.get("event_type") === eventType) &&
        (request.where === undefined || (cells.get("properties.small") as bigint) >= 0n),
    );
    if (direction === "desc") wanted.reverse();

    const texts: string[] = [];
    let cursor: string | null = null;
    for (let arrived = first; ; arrived = Math.min(arrived + 100, rows.length)) {
      bed.clear();
      const cuts = [700, 700, 1500, 2000];
      const snapshot = snapshotOf(bed, coarse.slice(0, arrived), cuts, 2);
      const page = read(bed, snapshot, cursor === null ? request : { ...request, cursor });
      expect(page.asOf).toBe(String(77 + first));
      expect(page.events.length).toBeLessThanOrEqual(request.limit);
      texts.push(...page.events);
      cursor = page.nextCursor;
      if (cursor === null) break;
    }
    expect(texts.map((text) => JSON.parse(text) as Json)).toEqual(wanted.map(plainEvent));
  });

  test("by sequence: each page goes on where the last one ended", () => {
    const bed = new QueryBed();
    const rows = makeRows(mulberry32(9), 500, 10n);
    const snapshot = snapshotOf(bed, rows, [100, 300], 1);
    const request: EventsRequest = { order: "sequence", limit: 50, fromSequence: 35n, userId: "" };
    expect(read(bed, snapshot, request)).toEqual({
      events: [],
      asOf: "510",
      nextSequence: 510n,
      nextCursor: encodeCursor({ order: "sequence", asOf: 0n, timeUs: 0n, sequence: 510n }),
    });
    const seen: bigint[] = [];
    let next = 35n;
    while (next < 510n) {
      const charsMax = next % 2n === 0n ? 1 : 20_000;
      const all: EventsRequest = { order: "sequence", limit: 64, fromSequence: next, charsMax };
      const page = read(bed, snapshot, all);
      seen.push(...sequences(page));
      if (charsMax === 1) expect(page.events).toHaveLength(1);
      expect(page.nextSequence).toBe((seen.at(-1) as bigint) + 1n);
      next = page.nextSequence as bigint;
    }
    expect(seen).toEqual(rows.slice(25).map(({ sequence }) => sequence));
    const beyond = read(bed, snapshot, { order: "sequence", limit: 5, fromSequence: 600n });
    expect(beyond.nextSequence).toBe(600n);
  });

  test("values keep their digits, keys their nesting, and what overflowed is back in its place", () => {
    const bed = new QueryBed();
    const cells = new Map<string, OracleCell>([
      ["event_type", 'say "hi"'],
      ["properties.big", 9223372036854775807n],
      ["properties.zero", -0],
      ["properties.nothing", null],
      ["properties.list", { json: "[1.0,9007199254740993]" }],
      ["properties.a.b", 1n],
      ["properties.a\\.b", 2n],
      ["properties.a.c\\\\d", 0.1],
      [
        "overflow",
        {
          json: '{"properties.a.e":12345678901234567890,"properties.x\\\\.y":{"z":[]},"properties.t":"a,\\"}"}',
        },
      ],
    ]);
    const row: OracleRow = {
      sequence: 5n,
      timestampUs: -1n,
      receivedAtUs: 1_500_000n,
      latenessUs: 7n,
      id: "00112233-4455-6677-8899-aabbccddeeff",
      cells,
    };
    const page = read(bed, snapshotOf(bed, [row], [], 0), { order: "asc", limit: 10 });
    expect(page.nextCursor).toBeNull();
    expect(page.events).toEqual([
      '{"id":"00112233-4455-6677-8899-aabbccddeeff","timestamp":"1969-12-31T23:59:59.999999Z",' +
        '"event_type":"say \\"hi\\"","properties":{"big":9223372036854775807,"zero":-0,"nothing":null,' +
        '"list":[1.0,9007199254740993],"a":{"b":1,"c\\\\d":0.1,"e":12345678901234567890},"a.b":2,' +
        '"x.y":{"z":[]},"t":"a,\\"}"},"sequence":"5","received_at":"1970-01-01T00:00:01.500Z",' +
        '"lateness_us":7}',
    ]);
  });

  test("a time range leaves out its end", () => {
    const bed = new QueryBed();
    const rows = makeRows(mulberry32(4), 200);
    const snapshot = snapshotOf(bed, rows, [50], 1);
    const [from, to] = [rows[40]?.timestampUs as bigint, rows[150]?.timestampUs as bigint];
    const page = read(bed, snapshot, { order: "asc", limit: 1000, fromUs: from, toUs: to });
    const want = byTime(rows).filter((row) => row.timestampUs >= from && row.timestampUs < to);
    expect(sequences(page)).toEqual(want.map(({ sequence }) => sequence));
  });
});

test("members of an object are found whatever their values hold", () => {
  const object = '{"a":{"b":[1,{"c":"}"}]},"d\\"":"x\\\\","e":null}';
  expect(topMembers(object)).toEqual([
    { key: "a", value: '{"b":[1,{"c":"}"}]}' },
    { key: 'd"', value: '"x\\\\"' },
    { key: "e", value: "null" },
  ]);
  expect(topMembers("{}")).toEqual([]);
  expect(
    joinMembers([
      { keys: ["a", "b"], value: "1" },
      { keys: ["a", "c"], value: "2" },
      { keys: ["a", "b"], value: "3" },
    ]),
  ).toBe('{"a":{"b":3,"c":2}}');
});
