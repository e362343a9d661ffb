import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareAnswers } from "../../bench/peers-answers.ts";
import { DuckDb } from "../oracle/duckdb.ts";
import { sql } from "../support/api.ts";
import { absent, dataPath, reason } from "../support/conformance.ts";
import { main, sharedServer } from "../support/server.ts";

// Questions that one would ask of a day of Wikipedia edits, against what DuckDB answers over the same file. The
// answers that were published are in conformance.test.ts.

const file = "events/wikiticker/wikiticker-2015-09-12-sampled.json.gz";

/** Millrace's words; DuckDB's are the same but for what `translated` changes, unless they are here too. */
type Question = string | readonly [millrace: string, duckdb: string];

const questions: readonly Question[] = [
  `SELECT count(*), count(DISTINCT properties.user), count(DISTINCT properties.page), count(properties.cityName),
     sum(properties.added), sum(properties.deleted), min(properties.delta), max(properties.delta), avg(properties.delta)
   FROM events`,
  `SELECT properties.isRobot, properties.isNew, count(*), avg(properties.delta), stddev(properties.delta),
     median(properties.delta) FROM events GROUP BY 1, 2 ORDER BY 1, 2`,
  `SELECT properties.user, sum(properties.added) AS added, count(*) FROM events WHERE NOT properties.isRobot
   GROUP BY properties.user ORDER BY added DESC, properties.user LIMIT 10`,
  `SELECT extract(hour FROM timestamp) AS h, count(*), sum(properties.added) - sum(properties.deleted)
   FROM events GROUP BY h ORDER BY h`,
  `SELECT properties.countryName AS country, count(*) AS n FROM events WHERE properties.countryName IS NOT NULL
   GROUP BY country HAVING count(*) > 20 ORDER BY n DESC, country`,
  `SELECT split_part(properties.page, ':', 1) AS place, count(*) AS n FROM events WHERE properties.page LIKE '%:%'
   GROUP BY place ORDER BY n DESC, place LIMIT 15`,
  [
    `SELECT source, count(*) FROM events WHERE properties.page ~ '^User( talk)?:' GROUP BY source ORDER BY 2 DESC, 1`,
    `SELECT channel, count(*) FROM wiki WHERE regexp_matches(page, '^User( talk)?:')
     GROUP BY channel ORDER BY 2 DESC, 1`,
  ],
  [
    `SELECT date_trunc('hour', timestamp, 'America/New_York') AS h, count(*) FROM events GROUP BY h ORDER BY h`,
    `SELECT date_trunc('hour', time) AS h, count(*) FROM wiki GROUP BY h ORDER BY h`,
  ],
  [
    `SELECT time_bucket('1 day', timestamp, 'Asia/Kolkata') AS d, count(*) FROM events GROUP BY d ORDER BY d`,
    `SELECT timezone('UTC', timezone('Asia/Kolkata', time_bucket(INTERVAL '1 day', timezone('Asia/Kolkata',
       timezone('UTC', time))))) AS d, count(*) FROM wiki GROUP BY d ORDER BY d`,
  ],
  `SELECT CASE WHEN properties.delta > 1000 THEN 'large' WHEN properties.delta < 0 THEN 'less' ELSE 'small' END AS kind,
     count(*) FROM events GROUP BY kind ORDER BY kind`,
  `SELECT coalesce(properties.cityName, 'nowhere') AS city, count(*) AS n FROM events
   GROUP BY city ORDER BY n DESC, city LIMIT 12`,
  `SELECT source, avg(length(properties.comment)) AS letters FROM events GROUP BY source ORDER BY source`,
  `SELECT properties.namespace, min(properties.page), max(properties.page) FROM events GROUP BY 1 ORDER BY 1`,
  `SELECT properties.user, properties.page, properties.added FROM events
   WHERE timestamp >= '2015-09-12T06:00:00Z' AND timestamp < '2015-09-12T07:00:00Z' AND properties.added > 2000
   ORDER BY properties.added DESC, properties.page`,
  `SELECT time_bucket('15 minutes', timestamp) AS q, count(*) FILTER (WHERE properties.isMinor) AS minor, count(*) AS n
   FROM events GROUP BY q HAVING count(*) > 420 ORDER BY q`,
  `SELECT upper(substring(properties.user, 1, 1)) AS letter, count(DISTINCT properties.user) AS n FROM events
   WHERE properties.isAnonymous IS FALSE GROUP BY letter ORDER BY n DESC, letter LIMIT 20`,
  `SELECT count(*) FROM events WHERE lower(properties.comment) LIKE '%revert%'
     AND properties.deleted > properties.added`,
  `SELECT source, round(avg(properties.added) / nullif(avg(properties.deleted), 0), 6) AS ratio FROM events
   GROUP BY source ORDER BY source`,
  `SELECT properties.metroCode, count(*) FROM events WHERE properties.metroCode BETWEEN 500 AND 600
   GROUP BY 1 ORDER BY 1`,
  `SELECT max(timestamp), min(timestamp), extract(epoch FROM max(timestamp) - min(timestamp)) FROM events`,
  `SELECT properties.page FROM events WHERE properties.page IN ('Jeremy Corbyn', 'Flavia Pennetta', 'nothing')
   ORDER BY properties.page LIMIT 40`,
  `SELECT source, properties.namespace, sum(properties.delta) AS d FROM events GROUP BY 1, 2
   HAVING sum(properties.delta) < 0
   ORDER BY d, 1, 2 LIMIT 25`,
];

function translated(text: string): string {
  return text
    .replaceAll("properties.user", 'wiki."user"')
    .replaceAll("properties.", "")
    .replace(/\bsource\b/g, "channel")
    .replace(/\btimestamp\b/g, "time")
    .replaceAll("Z'", "'")
    .replace("time_bucket('15 minutes'", "time_bucket(INTERVAL '15 minutes'")
    .replace("FROM events", "FROM wiki");
}

describe.skipIf(absent)(`wikiticker: questions that DuckDB answers too${reason}`, () => {
  const server = sharedServer();
  let duck: DuckDb;

  beforeAll(async () => {
    const mapping = ["--timestamp", "time", "--event-type", "'edit'", "--source", "channel"];
    const flags = ["import", "--url", server.url, ...mapping, "--strict", dataPath(file)];
    await promisify(execFile)(process.execPath, [main, ...flags]);
    duck = await DuckDb.open();
    await duck.rows(
      `CREATE TABLE wiki AS SELECT * REPLACE (CAST(time AS TIMESTAMP) AS time)
       FROM read_json('${dataPath(file)}', format = 'newline_delimited')`,
    );
  });

  afterAll(() => duck?.close());

  test.each(questions.map((one) => (typeof one === "string" ? [one, translated(one)] : one)))(
    "%s",
    async (own, theirs) => {
      const { rows } = await sql(server.url, own);
      const want = await duck.raw(theirs);
      expect(want.length).toBeGreaterThan(0);
      // Means and deviations differ in their last bits.
      const within = Object.fromEntries((want[0] ?? []).map((_, i) => [i, 1e-9]));
      expect(compareAnswers(rows, want, within)).toBeNull();
    },
  );
});
