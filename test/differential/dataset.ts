// Random events of a random schema, and how they are spread over batches, hot slots and stored segments.

import { joinKeys } from "../../src/query/paths.ts";
import type { OracleCell, OracleRow } from "../oracle/query.ts";

export type Random = () => number;

/**
 * What the values of a path are. "quarter": doubles whose sums are exact; "mixed": small integers and doubles; "edge":
 * integers and doubles at the ends of what 64 bits hold; "any": values of every type.
 */
export type Kind =
  | "int"
  | "wide"
  | "quarter"
  | "float"
  | "mixed"
  | "edge"
  | "text"
  | "bool"
  | "any";

export interface Field {
  path: string;
  kind: Kind;
}

/** A batch of `rows` rows, and what happens after it: nothing, or what is hot is sealed and its slot freed or not. */
export interface Chunk {
  rows: number;
  then: "hot" | "seal" | "free";
}

export interface Dataset {
  fields: Field[];
  rows: OracleRow[];
  chunks: Chunk[];
}

export const int = (random: Random, below: number): number => Math.floor(random() * below);
export const chance = (random: Random, share: number): boolean => random() < share;

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[int(random, list.length)] as T;
}

export const words: readonly string[] = [
  "",
  "a",
  "A",
  "ab",
  "abc",
  "Abc",
  "b",
  "a%b",
  "a_b",
  "a\\b",
  "it's",
  "/products/1",
  "/products/22",
  "a-b-c",
  "-",
  " x ",
  "12",
  "-7",
  "2.5",
  "true",
  "ü",
  "u\u0308",
  "É",
  "日本語",
  "\u{1f44d}\u{1f3fd}",
  "\u{10000}",
  "\uffff",
  "\ufffd",
  "purchase",
  "view",
  "tab\there",
  "line\nend",
];

const edges: readonly (number | bigint)[] = [
  0n,
  -1n,
  2n ** 53n + 1n,
  2n ** 53n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  0.1,
  -0,
  5e-324,
  1.7976931348623157e308,
  -1.7976931348623157e308,
  1e19,
  9007199254740994,
  2.5,
];

const jsons = ["[]", "{}", "[1]", '["a"]', "[null]"];

function cellOf(random: Random, kind: Kind): OracleCell {
  switch (kind) {
    case "int":
      return BigInt(int(random, 23) - 7);
    case "wide":
      return BigInt(int(random, 2_000_000_000)) * (chance(random, 0.3) ? -1000n : 1000n);
    case "quarter":
      return (int(random, 4000) - 1000) / 4;
    case "float":
      return (random() - 0.5) * 10 ** (int(random, 12) - 4);
    case "mixed":
      return chance(random, 0.5) ? BigInt(int(random, 9) - 3) : (int(random, 40) - 12) / 4;
    case "edge":
      return pick(random, edges);
    case "bool":
      return chance(random, 0.5);
    case "text":
      return chance(random, 0.8) ? pick(random, words) : `word ${int(random, 500)}`;
    case "any": {
      const lane = int(random, 6);
      if (lane === 0) return null;
      if (lane === 1) return { json: pick(random, jsons) };
      return cellOf(random, pick(random, ["int", "quarter", "text", "bool"] as const));
    }
  }
}

const kinds: readonly Kind[] = [
  "int",
  "wide",
  "quarter",
  "float",
  "mixed",
  "edge",
  "text",
  "bool",
  "any",
];

/** Names of properties; keys that need quotes in SQL are among them. */
const keyLists: readonly (readonly string[])[] = [
  ["n"],
  ["a", "b"],
  ["a", "c", "d"],
  ["Upper"],
  ["select"],
  ["with space"],
  ["dotted.key"],
  ["日本"],
  ["deep", "deeper", "deepest"],
  ["x1"],
  ["count"],
  ['quo"te'],
  ["price"],
  ["back\\slash"],
  ["_u"],
  ["timestamp"],
];

const fixedTexts = ["event_type", "source", "user_id", "session_id"];

function fieldsOf(random: Random): Field[] {
  const names = [...keyLists].sort(() => random() - 0.5).slice(0, 8 + int(random, 6));
  const fields = names.map((keys, i): Field => {
    // Each kind once, then whichever.
    const kind = kinds[i] ?? pick(random, kinds);
    return { path: `properties.${joinKeys(keys)}`, kind };
  });
  return [...fixedTexts.map((path): Field => ({ path, kind: "text" })), ...fields];
}

/** How the values of one path are spread: how often none is there, how often a JSON null, and how few there are. */
interface Habit {
  readonly field: Field;
  readonly absent: number;
  readonly nulls: number;
  readonly few: OracleCell[] | null;
  /** Rows from which on and until which the path is there at all. */
  readonly from: number;
  readonly to: number;
}

function habitOf(random: Random, field: Field, count: number): Habit {
  const always = field.path === "event_type";
  const property = field.path.startsWith("properties.");
  const few = Array.from({ length: 1 + int(random, 6) }, () => cellOf(random, field.kind));
  const partly = property && chance(random, 0.2);
  return {
    field,
    absent: always ? 0 : pick(random, [0, 0, 0.1, 0.5, 0.97]),
    nulls: property && chance(random, 0.4) ? 0.1 : 0,
    few: chance(random, 0.4) ? few : null,
    from: partly ? int(random, count) : 0,
    to: partly && chance(random, 0.5) ? int(random, count) : count,
  };
}

function cellFor(random: Random, habit: Habit): OracleCell | undefined {
  if (chance(random, habit.absent)) return undefined;
  if (chance(random, habit.nulls)) return null;
  // The first few values take most of the rows.
  const { few, field } = habit;
  return few ? few[Math.floor(random() ** 3 * few.length)] : cellOf(random, field.kind);
}

const startUs = 1_795_435_200_000_000n;
const dayUs = 86_400_000_000n;

type MakeTime = (random: Random, i: number) => bigint;

/** Times: in order, out of order, far apart around changes of summer time, many at one instant, at the ends. */
const timeHabits: readonly MakeTime[] = [
  (random, i) => startUs + BigInt(i * 250_000 + int(random, 400_000)),
  (random) => startUs + BigInt(int(random, 3600)) * 1_000_000n,
  (random) => startUs - BigInt(int(random, 900)) * dayUs + BigInt(int(random, 86_400)) * 1_000_000n,
  (random, i) => BigInt(i) * 1000n + BigInt(int(random, 400_000) - 300_000),
  (random, i) =>
    chance(random, 0.95)
      ? startUs + BigInt(i) * 1000n
      : pick(random, [-62_135_596_800_000_000n, 253_402_300_799_999_999n, 0n, -1n]),
];

function chunksOf(random: Random, count: number): Chunk[] {
  const chunks: Chunk[] = [];
  const most = chance(random, 0.3) ? count : Math.max(1, Math.ceil(count / (1 + int(random, 6))));
  // All hot, all stored, or some of both.
  const ends = pick(random, [["hot"], ["free"], ["hot", "seal", "free"], ["free", "free", "hot"]]);
  for (let left = count; left > 0; ) {
    const rows = Math.min(left, 1 + int(random, most));
    chunks.push({ rows, then: pick(random, ends) as Chunk["then"] });
    left -= rows;
    // More segments than the bed has slots would need all of them freed.
    if (chunks.length > 24) {
      chunks.push({ rows: left, then: "hot" });
      break;
    }
  }
  return chunks.filter(({ rows }) => rows > 0);
}

export function makeDataset(random: Random, count: number): Dataset {
  const fields = fieldsOf(random);
  const habits = fields.map((field) => habitOf(random, field, count));
  const timeOf = pick(random, timeHabits);
  let receivedAtUs = startUs;
  const rows = Array.from({ length: count }, (_, i): OracleRow => {
    const cells = new Map<string, OracleCell>();
    for (const habit of habits) {
      if (i < habit.from || i >= habit.to) continue;
      const cell = cellFor(random, habit);
      if (cell !== undefined) cells.set(habit.field.path, cell);
    }
    const hex = Array.from({ length: 32 }, () => int(random, 16).toString(16)).join("");
    return {
      sequence: BigInt(i),
      timestampUs: timeOf(random, i),
      receivedAtUs,
      latenessUs: chance(random, 0.7) ? 0n : BigInt(int(random, 1000)),
      id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
      cells,
    };
  });
  // A batch is received at one instant, and stays a batch in whichever layout.
  const chunks = chunksOf(random, count);
  let next = 0;
  for (const chunk of chunks) {
    receivedAtUs += BigInt(int(random, 5_000_000));
    for (let r = 0; r < chunk.rows; r++, next++) {
      rows[next] = { ...(rows[next] as OracleRow), receivedAtUs };
    }
  }
  return { fields, rows, chunks };
}

/** The same batches, hot and stored as it comes. */
export function rechunked(random: Random, dataset: Dataset): Dataset {
  const chunks = dataset.chunks.map(({ rows }) => ({
    rows,
    then: pick(random, ["hot", "seal", "free"] as const),
  }));
  return { ...dataset, chunks };
}

type StoredCell = null | boolean | string | { i: string } | { f: string } | { json: string };

function storedCell(cell: OracleCell): StoredCell {
  if (typeof cell === "bigint") return { i: String(cell) };
  if (typeof cell === "number") return { f: Object.is(cell, -0) ? "-0" : String(cell) };
  return cell;
}

function cellFrom(cell: StoredCell): OracleCell {
  if (cell === null || typeof cell !== "object" || "json" in cell) return cell;
  return "i" in cell ? BigInt(cell.i) : Number(cell.f);
}

/** A row in the file of a case. */
export interface StoredRow {
  us: string;
  received: string;
  late: string;
  id: string;
  cells: Record<string, StoredCell>;
}

export interface StoredDataset {
  fields: Field[];
  chunks: Chunk[];
  rows: StoredRow[];
}

export function storeDataset({ fields, rows, chunks }: Dataset): StoredDataset {
  const stored = rows.map(
    (row): StoredRow => ({
      us: String(row.timestampUs),
      received: String(row.receivedAtUs),
      late: String(row.latenessUs),
      id: row.id,
      cells: Object.fromEntries([...row.cells].map(([path, cell]) => [path, storedCell(cell)])),
    }),
  );
  return { fields, chunks, rows: stored };
}

export function datasetFrom({ fields, rows, chunks }: StoredDataset): Dataset {
  return {
    fields,
    chunks,
    rows: rows.map((row, i) => ({
      sequence: BigInt(i),
      timestampUs: BigInt(row.us),
      receivedAtUs: BigInt(row.received),
      latenessUs: BigInt(row.late),
      id: row.id,
      cells: new Map(Object.entries(row.cells).map(([path, cell]) => [path, cellFrom(cell)])),
    })),
  };
}
