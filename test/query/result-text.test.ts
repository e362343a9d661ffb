import { describe, expect, test } from "vitest";
import { JsonText } from "../../src/query/result.ts";
import {
  intervalText,
  pageBytes,
  type ResultFormat,
  type ResultSource,
  resultBytes,
  uniqueNames,
} from "../../src/query/result-text.ts";
import { mulberry32 } from "../support/random.ts";

const stats = {
  rowsScanned: 5,
  rowsMatched: 4,
  segmentsScanned: 1,
  segmentsPruned: 0,
  executionUs: 7,
};
const columns = [
  { name: "a", type: "variant" },
  { name: 'b "q", x', type: "string" },
] as const;

function source(rows: ResultSource["rows"]): ResultSource {
  return { columns, rows, asOf: "9", stats };
}

function written(format: ResultFormat, of: ResultSource): string {
  return Buffer.concat([...resultBytes(format, of)]).toString();
}

const rows: ResultSource["rows"] & readonly unknown[] = [
  [9007199254740993n, "text"],
  [-0.5, ""],
  [null, null],
  [true, 'say "hi", 東京\r\n'],
  [new JsonText('{"n":12345678901234567890,"s":"x,y"}'), "2026-11-23T12:00:00.000001Z"],
  [Number.NaN, " "],
  [{ months: 14, days: 3, us: 3_661_500_000n }, "\u2028"],
];

describe("results", () => {
  test("JSON has all digits", () => {
    const text = written("json", source(rows));
    expect(text).toContain("[[9007199254740993,");
    expect(text).toContain('{"n":12345678901234567890,"s":"x,y"}');
    expect(JSON.parse(text)).toMatchObject({
      columns,
      as_of: "9",
      stats: { rows_scanned: 5, execution_us: 7 },
    });
    const cells = (JSON.parse(text) as { rows: unknown[][] }).rows;
    expect(cells.slice(1, 4)).toEqual([
      [-0.5, ""],
      [null, null],
      [true, 'say "hi", 東京\r\n'],
    ]);
    expect(cells[5]).toEqual([null, " "]);
    expect(cells[6]).toEqual(["P1Y2M3DT1H1M1.5S", "\u2028"]);
  });

  test("NDJSON has an object a line", () => {
    const lines = written("ndjson", source(rows)).trimEnd().split("\n");
    expect(lines).toHaveLength(7);
    expect(lines[0]).toBe('{"a":9007199254740993,"b \\"q\\", x":"text"}');
    expect(lines.map((line) => Object.keys(JSON.parse(line)).length)).toEqual(Array(7).fill(2));
    expect(written("ndjson", source([]))).toBe("");
  });

  test("CSV tells NULL from an empty text", () => {
    expect(written("csv", source(rows)).split("\r\n")).toEqual([
      'a,"b ""q"", x"',
      "9007199254740993,text",
      '-0.5,""',
      ",",
      'true,"say ""hi"", 東京',
      '"',
      '"{""n"":12345678901234567890,""s"":""x,y""}",2026-11-23T12:00:00.000001Z',
      ", ",
      "P1Y2M3DT1H1M1.5S,\u2028",
      "",
    ]);
  });

  test.each([1, 2, 3])("pieces add up to the whole, whatever their size (seed %i)", (seed) => {
    const random = mulberry32(seed);
    const many = Array.from({ length: 5_000 }, () => [
      Math.floor(random() * 1e6),
      "ü".repeat(Math.floor(random() * 60)),
    ]);
    const pieces = [...resultBytes("json", source(many))];
    expect(pieces.length).toBeGreaterThan(1);
    const { rows: parsed } = JSON.parse(Buffer.concat(pieces).toString()) as { rows: unknown };
    expect(parsed).toEqual(many);
  });

  test("rows are taken as they are written", () => {
    let made = 0;
    const endless = (function* () {
      for (;;) yield [made++, "x".repeat(1000)];
    })();
    const pieces = resultBytes("csv", source(endless));
    pieces.next();
    expect(made).toBeLessThan(100);
    pieces.return(undefined);
  });

  test("stages and memory are told where they are known", () => {
    const stages = { prune: 1, columns: 2, filter: 3, group: 4, aggregate: 5, merge: 6, finish: 7 };
    const full = { ...source([]), stats: { ...stats, stages, memoryBytes: 10, groups: 2 } };
    expect((JSON.parse(written("json", full)) as { stats: unknown }).stats).toMatchObject({
      groups: 2,
      memory_bytes: 10,
      stages_us: stages,
    });
  });
});

test.each([
  [0, 0, 0n, "PT0S"],
  [12, 0, 0n, "P1Y"],
  [-1, 1, 0n, "P-1M1D"],
  [0, 0, -1n, "PT-0.000001S"],
  [0, 0, 90_000_000n, "PT1M30S"],
  [0, 7, 3_600_000_000n * 30n, "P7DT30H"],
] as const)("%i months, %i days, %i µs are %s", (months, days, us, text) => {
  expect(intervalText({ months, days, us })).toBe(text);
});

test("columns with one name are told apart as keys", () => {
  const names = ["count", "n", "count", "count_2", "count"].map((name) => ({ name }));
  expect(uniqueNames(names)).toEqual(["count", "n", "count_2", "count_2_2", "count_3"]);
});

test("pages of events", () => {
  const page = { events: ['{"n":1}', '{"n":2}'], nextCursor: "c", asOf: "3" };
  const text = (format: "json" | "ndjson") =>
    Buffer.concat([...pageBytes(format, page)]).toString();
  expect(text("json")).toBe('{"events":[{"n":1},{"n":2}],"next_cursor":"c","as_of":"3"}');
  expect(text("ndjson")).toBe('{"n":1}\n{"n":2}\n');
});
