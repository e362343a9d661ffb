// What is asked, in the words of each engine, and what the answers must have in common.

export type EngineName = "millrace" | "duckdb" | "chdb";

export type Dataset = "events" | "nested";

export interface Question {
  /** For `--only`. */
  readonly key: string;
  readonly name: string;
  readonly dataset: Dataset;
  readonly sql: Readonly<Record<EngineName, string>>;
  /** How far a sketch may be off, by the number of the column; other columns are equal. */
  readonly within?: Readonly<Record<number, number>>;
  /** What the sketched columns are exactly, asked of DuckDB. */
  readonly exact?: string;
  /** Against the quicker of the peers, or against chDB alone. */
  readonly must: number;
  readonly aim: number;
  readonly against?: "chdb";
}

/** Two events a millisecond from 12:00 on: see events.ts. */
const startMs = Date.UTC(2026, 10, 23, 12);

function at(ms: number): string {
  return new Date(ms).toISOString();
}

const dataset = "events";
const user = "user_12345";

const eventQuestions: readonly Question[] = [
  {
    key: "count",
    name: "count with a string and a number predicate",
    dataset,
    sql: {
      millrace: `SELECT count(*) FROM events
        WHERE event_type = 'purchase' AND properties.duration_ms > 500`,
      duckdb: "SELECT count(*) FROM events WHERE event_type = 'purchase' AND duration_ms > 500",
      chdb: "SELECT count() FROM events WHERE event_type = 'purchase' AND duration_ms > 500",
    },
    must: 5,
    aim: 20,
  },
  {
    key: "minute",
    name: "count and avg by minute",
    dataset,
    sql: {
      millrace: `SELECT time_bucket('1 minute', timestamp) AS minute, count(*), avg(properties.duration_ms)
        FROM events GROUP BY minute ORDER BY minute`,
      duckdb: `SELECT time_bucket(INTERVAL '1 minute', timestamp) AS minute, count(*), avg(duration_ms)
        FROM events GROUP BY minute ORDER BY minute`,
      chdb: `SELECT toStartOfMinute(timestamp) AS minute, count(), avg(duration_ms)
        FROM events GROUP BY minute ORDER BY minute`,
    },
    within: { 2: 1e-9 },
    must: 5,
    aim: 15,
  },
  {
    key: "p95",
    name: "count, sum, p95 by two string columns",
    dataset,
    sql: {
      millrace: `SELECT event_type, properties.country, count(*), sum(properties.amount),
          approx_percentile(properties.duration_ms, 0.95)
        FROM events GROUP BY 1, 2 ORDER BY 1, 2`,
      duckdb: `SELECT event_type, country, count(*), sum(amount), approx_quantile(duration_ms, 0.95)
        FROM events GROUP BY 1, 2 ORDER BY 1, 2`,
      chdb: `SELECT event_type, country, count(), sum(amount), quantile(0.95)(duration_ms)
        FROM events GROUP BY 1, 2 ORDER BY 1, 2`,
    },
    // The value that the sketch states its error of: few values of a small run may lie far from what lies between them.
    exact: `SELECT event_type, country, count(*), sum(amount),
        list_sort(list(duration_ms))[1 + CAST(floor(0.95 * (count(duration_ms) - 1)) AS INTEGER)]
      FROM events GROUP BY 1, 2 ORDER BY 1, 2`,
    within: { 3: 1e-9, 4: 0.0078 },
    must: 3,
    aim: 10,
  },
  {
    key: "users",
    name: "approximate distinct users by type",
    dataset,
    sql: {
      millrace: `SELECT event_type, approx_count_distinct(user_id) FROM events
        GROUP BY event_type ORDER BY event_type`,
      duckdb: `SELECT event_type, approx_count_distinct(user_id) FROM events
        GROUP BY event_type ORDER BY event_type`,
      chdb: "SELECT event_type, uniq(user_id) FROM events GROUP BY event_type ORDER BY event_type",
    },
    exact: `SELECT event_type, count(DISTINCT user_id) FROM events
      GROUP BY event_type ORDER BY event_type`,
    within: { 1: 0.05 },
    must: 3,
    aim: 10,
  },
  {
    key: "top200",
    name: "top 10 of a 200-value string column where a number matches",
    dataset,
    sql: {
      millrace: `SELECT properties.path AS path, count(*) AS n FROM events WHERE properties.status = 500
        GROUP BY path ORDER BY n DESC, path LIMIT 10`,
      duckdb: `SELECT path, count(*) AS n FROM events WHERE status = 500
        GROUP BY path ORDER BY n DESC, path LIMIT 10`,
      chdb: `SELECT path, count() AS n FROM events WHERE status = 500
        GROUP BY path ORDER BY n DESC, path LIMIT 10`,
    },
    must: 2,
    aim: 5,
  },
  {
    key: "top100k",
    name: "top 10 of a 100,000-value string column",
    dataset,
    sql: {
      millrace: `SELECT properties.item AS item, count(*) AS n FROM events
        GROUP BY item ORDER BY n DESC, item LIMIT 10`,
      duckdb: `SELECT item, count(*) AS n FROM events GROUP BY item ORDER BY n DESC, item LIMIT 10`,
      chdb: `SELECT item, count() AS n FROM events GROUP BY item ORDER BY n DESC, item LIMIT 10`,
    },
    must: 1,
    aim: 2,
  },
  {
    key: "newest",
    name: "10 newest events of one user",
    dataset,
    sql: {
      millrace: `SELECT timestamp, id, event_type, properties.path, properties.amount FROM events
        WHERE user_id = '${user}' ORDER BY timestamp DESC, id LIMIT 10`,
      duckdb: `SELECT timestamp, id, event_type, path, amount FROM events
        WHERE user_id = '${user}' ORDER BY timestamp DESC, id LIMIT 10`,
      chdb: `SELECT timestamp, id, event_type, path, amount FROM events
        WHERE user_id = '${user}' ORDER BY timestamp DESC, id LIMIT 10`,
    },
    must: 3,
    aim: 10,
  },
];

/** What was before the last minute is in segments that need no look. */
function lastMinuteQuestion(count: number): Question {
  const lastMinute = at(startMs + Math.floor(count / 2) - 60_000);
  const plain = lastMinute.replace("T", " ").replace("Z", "");
  return {
    key: "last",
    name: "last minute only (pruned)",
    dataset,
    sql: {
      millrace: `SELECT count(*), avg(properties.duration_ms) FROM events
        WHERE timestamp >= '${lastMinute}'`,
      duckdb: `SELECT count(*), avg(duration_ms) FROM events WHERE timestamp >= TIMESTAMP '${plain}'`,
      chdb: `SELECT count(), avg(duration_ms) FROM events
        WHERE timestamp >= toDateTime64('${plain}', 6, 'UTC')`,
    },
    within: { 1: 1e-9 },
    must: 3,
    aim: 10,
  };
}

const shown = "('app.bsky.feed.post', 'app.bsky.feed.repost', 'app.bsky.feed.like')";

const common = { dataset: "nested", must: 1, aim: 3, against: "chdb" } as const;
const where = (prefix: string): string =>
  `${prefix}kind = 'commit' AND ${prefix}commit.operation = 'create'`;
const own = where("properties.").replace("properties.kind", "event_type");
const theirs = where("");
const posts = "commit.collection = 'app.bsky.feed.post'";

/** The five questions of JSONBench. */
const nestedQuestions: readonly Question[] = [
  {
    ...common,
    key: "json1",
    name: "nested 1: count by kind",
    sql: {
      millrace: `SELECT properties.commit.collection AS event, count(*) AS n FROM events
        GROUP BY event ORDER BY n DESC, event`,
      duckdb: `SELECT commit.collection AS event, count(*) AS n FROM nested
        GROUP BY event ORDER BY n DESC, event`,
      chdb: `SELECT data.commit.collection AS event, count() AS n FROM nested
        GROUP BY event ORDER BY n DESC, event`,
    },
  },
  {
    ...common,
    key: "json2",
    name: "nested 2: distinct users by kind",
    sql: {
      millrace: `SELECT properties.commit.collection AS event, count(*) AS n, count(DISTINCT user_id) AS users
        FROM events WHERE ${own} GROUP BY event ORDER BY n DESC, event`,
      duckdb: `SELECT commit.collection AS event, count(*) AS n, count(DISTINCT did) AS users
        FROM nested WHERE ${theirs} GROUP BY event ORDER BY n DESC, event`,
      chdb: `SELECT data.commit.collection AS event, count() AS n, uniqExact(data.did) AS users
        FROM nested WHERE ${where("data.")} GROUP BY event ORDER BY n DESC, event`,
    },
  },
  {
    ...common,
    key: "json3",
    name: "nested 3: by hour of the day",
    sql: {
      millrace: `SELECT properties.commit.collection AS event, extract(hour FROM timestamp) AS hour, count(*) AS n
        FROM events WHERE ${own} AND properties.commit.collection IN ${shown}
        GROUP BY event, hour ORDER BY hour, event`,
      duckdb: `SELECT commit.collection AS event, extract(hour FROM make_timestamp(time_us)) AS hour, count(*) AS n
        FROM nested WHERE ${theirs} AND commit.collection IN ${shown}
        GROUP BY event, hour ORDER BY hour, event`,
      chdb: `SELECT data.commit.collection AS event,
          toHour(fromUnixTimestamp64Micro(data.time_us, 'UTC')) AS hour, count() AS n
        FROM nested WHERE ${where("data.")} AND data.commit.collection IN ${shown}
        GROUP BY event, hour ORDER BY hour, event`,
    },
  },
  {
    ...common,
    key: "json4",
    name: "nested 4: earliest three to post",
    sql: {
      millrace: `SELECT user_id AS "user", min(timestamp) AS first FROM events
        WHERE ${own} AND properties.${posts} GROUP BY user_id ORDER BY first LIMIT 3`,
      duckdb: `SELECT did, min(make_timestamp(time_us)) AS first FROM nested
        WHERE ${theirs} AND ${posts} GROUP BY did ORDER BY first LIMIT 3`,
      chdb: `SELECT data.did AS user, min(fromUnixTimestamp64Micro(data.time_us, 'UTC')) AS first FROM nested
        WHERE ${where("data.")} AND data.${posts} GROUP BY user ORDER BY first LIMIT 3`,
    },
  },
  {
    ...common,
    key: "json5",
    name: "nested 5: widest span",
    sql: {
      millrace: `SELECT user_id AS "user", extract(epoch FROM max(timestamp) - min(timestamp)) AS span FROM events
        WHERE ${own} AND properties.${posts} GROUP BY user_id ORDER BY span DESC, user_id LIMIT 3`,
      duckdb: `SELECT did, epoch(max(make_timestamp(time_us)) - min(make_timestamp(time_us))) AS span FROM nested
        WHERE ${theirs} AND ${posts} GROUP BY did ORDER BY span DESC, did LIMIT 3`,
      chdb: `SELECT data.did AS user, date_diff('microseconds', min(fromUnixTimestamp64Micro(data.time_us, 'UTC')),
          max(fromUnixTimestamp64Micro(data.time_us, 'UTC'))) / 1e6 AS span FROM nested
        WHERE ${where("data.")} AND data.${posts} GROUP BY user ORDER BY span DESC, user LIMIT 3`,
    },
    within: { 1: 1e-9 },
  },
];

/** The questions of the table, over `count` events. */
export function questionsOf(count: number): Question[] {
  return [...eventQuestions, lastMinuteQuestion(count), ...nestedQuestions];
}
