// Long lists of IN: numbers of every kind of page, texts of every kind of dictionary.

import { describe, expect, test } from "vitest";
import { planFilter } from "../../src/query/plan/filter.ts";
import type { Literal, Predicate } from "../../src/query/query.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import type { OracleRow } from "../oracle/query.ts";
import { compareAnswers } from "../support/compare-answers.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";

const paths = [
  ...["properties.small", "properties.wide", "properties.price", "properties.any"],
  ...["properties.nowhere", "timestamp", "lateness_us", "event_type", "source", "user_id"],
];
const others: readonly Literal[] = [
  ...[0, -0, 0.5, -1, 1e300, 2 ** 53, 9223372036854775807n, -9223372036854775808n],
  ...["", "a", "ab", "ü", "nothing"],
];

function listOf(random: Random, path: string, rows: readonly OracleRow[]): Literal[] {
  const values: Literal[] = [];
  const length = pick(random, [7, 20, 60, 250]);
  for (let i = 0; i < length; i++) {
    const row = pick(random, rows);
    const cell = path === "timestamp" ? row.timestampUs : row.cells.get(path);
    const known = cell != null && typeof cell !== "object" && typeof cell !== "boolean";
    if (known && random() < 0.8) values.push(cell);
    else if (path === "timestamp") values.push(BigInt(Math.floor(random() * 1e6)));
    else values.push(random() < 0.5 ? pick(random, others) : Math.floor(random() * 1000));
  }
  // A boolean makes the list one of two lanes, of which a row has one.
  if (path.startsWith("properties") && random() < 0.2) values.push(true);
  return values;
}

describe("long lists of IN equal the plain way", () => {
  test.each(Array.from({ length: 6 }, (_, i) => i + 1))("seed %i", (seed) => {
    const random = mulberry32(seed + 500);
    compareAnswers(random, seed, 20, (rows) => {
      const path = pick(random, paths);
      const list: Predicate = { kind: "in", path, values: listOf(random, path, rows) };
      const where: Predicate = random() < 0.4 ? { kind: "not", of: list } : list;
      return { ...parseSql("SELECT sequence FROM events"), where };
    });
  });

  test("numbers of a list are one condition, and few are compared one by one", () => {
    const filterOf = (list: string) =>
      planFilter(parseSql(`SELECT id FROM events WHERE properties.n IN (${list})`)).kind;
    expect(filterOf("1, 2.5, 3")).toBe("or");
    expect(filterOf("1, 2, 3, 4, 5, 6, 7.5")).toBe("numbers");
  });
});
