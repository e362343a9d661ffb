// Buckets without rows, against DuckDB's series of times joined with what it counted.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatTime } from "../../src/query/time.ts";
import { DuckDb, duckKey } from "../oracle/duckdb.ts";
import { mulberry32 } from "../support/random.ts";
import { Pair } from "./check.ts";
import { chance, int, makeDataset, pick } from "./dataset.ts";
import { millraceKey } from "./keys.ts";

const seeds = Array.from({ length: 12 }, (_, i) => i + 1);
const widths = ["7 seconds", "1 minute", "1 hour", "1 day"];
const widthsUs = [7_000_000n, 60_000_000n, 3_600_000_000n, 86_400_000_000n];
const fills = ["null", "zero", "previous"] as const;

/** What stands for a value that a bucket hasn't. */
const own = {
  null: (value: string) => value,
  zero: (value: string) => `coalesce(${value}, 0)`,
  previous: (value: string) => `locf(${value})`,
};
const theirs = {
  null: (name: string) => name,
  zero: (name: string) => `CASE WHEN g.b IS NULL THEN 0 ELSE ${name} END`,
  previous: (name: string) =>
    `CASE WHEN g.b IS NULL THEN last_value(CASE WHEN g.b IS NOT NULL THEN struct_pack(x := ${name}) END IGNORE NULLS)
       OVER (ORDER BY s.b).x ELSE ${name} END`,
};

describe("gaps are filled as DuckDB's series has them", () => {
  let duck: DuckDb;

  beforeAll(async () => {
    duck = await DuckDb.open();
  });

  afterAll(() => duck.close());

  test.each(seeds)("seed %i", async (seed) => {
    const random = mulberry32(seed + 90_000);
    const dataset = makeDataset(random, 1 + int(random, 60));
    const pair = await Pair.of(dataset, duck);
    // Ranges end within the years that there are.
    const times = dataset.rows
      .map(({ timestampUs }) => timestampUs)
      .filter((us) => us > -(10n ** 15n) && us < 4n * 10n ** 15n);
    if (times.length === 0) times.push(0n);
    for (let i = 0; i < 12; i++) {
      const at = int(random, widths.length);
      const [width, widthUs] = [widths[at] as string, widthsUs[at] as bigint];
      const fill = pick(random, fills);
      const first = pick(random, times);
      const from = first - (chance(random, 0.5) ? widthUs * 3n + 5n : 0n);
      const to = from + widthUs * BigInt(1 + int(random, 40)) + BigInt(int(random, 1000));
      const where = `timestamp >= timestamptz '${formatTime(from)}' AND timestamp < timestamptz '${formatTime(to)}'`;
      const sql = `SELECT time_bucket_gapfill('${width}', timestamp) AS b, ${own[fill]("count(*)")} AS n,
        ${own[fill]("sum(lateness_us)")} AS s FROM events WHERE ${where} GROUP BY b ORDER BY b`;
      const bucket = (us: bigint): string =>
        `time_bucket(INTERVAL '${width}', make_timestamp(${us}))`;
      const want = await duck.rows(
        `SELECT epoch_us(s.b), ${theirs[fill]("g.n")}, ${theirs[fill]("g.s")}
         FROM (SELECT unnest(generate_series(${bucket(from)}, ${bucket(to - 1n)}, INTERVAL '${width}')) AS b) s
         LEFT JOIN (SELECT time_bucket(INTERVAL '${width}', timestamp) AS b, count(*) AS n, sum(lateness_us) AS s
           FROM events WHERE timestamp >= make_timestamp(${from}) AND timestamp < make_timestamp(${to}) GROUP BY 1) g
         ON s.b = g.b ORDER BY s.b`,
      );
      const got = pair.bed.query(sql).rows;
      expect(
        got.map(([b, n, s]) => [
          millraceKey("time", b),
          millraceKey("int", n),
          millraceKey("int", s),
        ]),
        `seed ${seed}: ${sql}`,
      ).toEqual(want.map((row) => row.map(duckKey)));
    }
    await pair.close();
  });
});
