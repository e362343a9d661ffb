// Random queries over random events, against DuckDB. MILLRACE_DIFFERENTIAL_SEED runs one seed alone,
// MILLRACE_DIFFERENTIAL_RUNS so many seeds, MILLRACE_DIFFERENTIAL_QUERIES so many queries over each dataset,
// MILLRACE_DIFFERENTIAL_SKIP leaves operators and aggregates out, by their names.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DuckDb } from "../oracle/duckdb.ts";
import { mulberry32 } from "../support/random.ts";
import { root } from "../support/sources.ts";
import { checkOnce, type Outcome, Pair } from "./check.ts";
import { type Dataset, datasetFrom, int, makeDataset, storeDataset } from "./dataset.ts";
import { Grammar, type Pending } from "./grammar.ts";
import { findPending } from "./pending.ts";
import { querySql } from "./render.ts";
import { shrink } from "./shrink.ts";
import type { QueryTree } from "./tree.ts";

const { env } = process;
const runs = Number(env.MILLRACE_DIFFERENTIAL_RUNS ?? 30);
const queries = Number(env.MILLRACE_DIFFERENTIAL_QUERIES ?? 100);
const seeds = env.MILLRACE_DIFFERENTIAL_SEED
  ? [Number(env.MILLRACE_DIFFERENTIAL_SEED)]
  : Array.from({ length: runs }, (_, i) => i + 1);

const folder = join(root, "test/differential/cases");
const kept = readdirSync(folder).filter((name) => name.endsWith(".json"));

let duck: DuckDb;
let refused: Map<string, string>;
let pending: Pending;

beforeAll(async () => {
  duck = await DuckDb.open();
  const empty = await Pair.of({ fields: [], rows: [], chunks: [] }, duck);
  refused = findPending(empty.bed);
  const skipped = env.MILLRACE_DIFFERENTIAL_SKIP?.split(",") ?? [];
  pending = new Set([...refused.keys(), ...skipped]);
  await empty.close();
});

afterAll(() => duck.close());

describe("cases that failed once", () => {
  test("are read", () => expect(kept.every((name) => name.length > 5)).toBe(true));

  test.each(kept)("%s", async (name) => {
    const { dataset, query } = JSON.parse(readFileSync(join(folder, name), "utf8"));
    const outcome = await checkOnce(datasetFrom(dataset), query as QueryTree, duck);
    expect(outcome.message, querySql(query as QueryTree)).toBe("");
  });
});

const counts: Record<Outcome["kind"], number> = { same: 0, range: 0, refused: 0, differs: 0 };

describe("random queries", () => {
  test.each(seeds)(
    "seed %i",
    async (seed) => {
      const random = mulberry32(seed);
      // Now and then rows for several pages.
      const large = seed % 10 === 0;
      const most = large ? 20_000 : random() < 0.2 ? 3000 : 300;
      const dataset = makeDataset(random, 1 + int(random, most));
      const pair = await Pair.of(dataset, duck);
      const grammar = new Grammar(random, dataset, pending);
      try {
        for (let i = 0; i < (large ? queries / 3 : queries); i++) {
          const query = grammar.query();
          const outcome = await pair.check(query);
          counts[outcome.kind]++;
          if (outcome.kind === "differs") await report(seed, dataset, query, outcome);
          // What isn't implemented was found out before: a part of it in some context only is a hole.
          expect(outcome.kind === "refused" ? outcome.message : "", querySql(query)).toBe("");
        }
      } finally {
        await pair.close();
      }
    },
    60_000,
  );

  test("none of them was refused, and few met a range", () => {
    const total = counts.same + counts.range + counts.refused + counts.differs;
    console.log(`${total} queries from ${seeds.length} seeds: ${JSON.stringify(counts)}`);
    if (refused.size > 0) {
      const shown = env.MILLRACE_DIFFERENTIAL_PENDING ? refused.values() : refused.keys();
      console.log(`${refused.size} parts are not implemented: ${[...shown].join(", ")}`);
    }
    expect([...refused.keys()]).toEqual([]);
    expect(counts.refused).toBe(0);
    expect(counts.range).toBeLessThanOrEqual(total / 10);
  });
});

/** Shrinks the case, writes it beside the build, and fails. */
async function report(
  seed: number,
  dataset: Dataset,
  query: QueryTree,
  { message }: Outcome,
): Promise<void> {
  const duckWords = message.startsWith("DuckDB:") ? message.slice(0, 40) : "";
  const small = await shrink({ dataset, query }, async (one) => {
    const { kind, message: found } = await checkOnce(one.dataset, one.query, duck);
    // A smaller query that DuckDB can't read is another failure.
    return (
      kind === "differs" &&
      (duckWords === "" ? !found.startsWith("DuckDB:") : found.startsWith(duckWords))
    );
  });
  const outcome = await checkOnce(small.dataset, small.query, duck);
  const text = JSON.stringify(
    { query: small.query, dataset: storeDataset(small.dataset) },
    null,
    1,
  );
  const path = join(root, "build", `differential-${seed}.json`);
  writeFileSync(path, `${text}\n`);
  const rows = JSON.stringify(storeDataset(small.dataset).rows.slice(0, 5));
  throw new Error(
    `seed ${seed}: ${outcome.message || message}\n${querySql(small.query)}\n${rows}\n` +
      `${small.dataset.chunks.map(({ rows: n, then }) => `${n} ${then}`).join(", ")}\n` +
      `kept in ${path}: copy it to test/differential/cases. Before: ${querySql(query)}`,
  );
}
