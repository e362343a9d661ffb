import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { type Answer, allEvents, post, type Receipt, sql } from "../support/api.ts";
import { absent, dataPath, readData, reason } from "../support/conformance.ts";
import { main, sharedServer } from "../support/server.ts";

// The built server on data that others wrote, against the answers that they published.

const run = promisify(execFile);

async function importFile(url: string, ...flags: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [main, "import", "--url", url, ...flags]);
  return stdout;
}

describe.skipIf(absent)(`wikiticker: a day of Wikipedia edits${reason}`, () => {
  const server = sharedServer();
  const answers = () => {
    const { queries } = JSON.parse(
      readData("events/wikiticker/druid-docs-expected.json").toString(),
    );
    return (name: string) =>
      queries.find((query: { name: string }) => query.name === name).expected;
  };
  let expected: (name: string) => [string, number][];

  beforeAll(async () => {
    expected = answers();
    const file = dataPath("events/wikiticker/wikiticker-2015-09-12-sampled.json.gz");
    const mapping = ["--timestamp", "time", "--event-type", "'edit'", "--source", "channel"];
    const summary = await importFile(server.url, ...mapping, "--strict", file);
    expect(summary).toMatch(/^accepted {4}39,244$/m);
  });

  test("the most edited pages", async () => {
    const { rows } = await sql(
      server.url,
      "SELECT properties.page, count(*) AS edits FROM events GROUP BY properties.page ORDER BY edits DESC LIMIT 10",
    );
    const top = expected("top_pages");
    // Ties may stand in any order, and the last group is cut inside a tie.
    expect(rows.map((row) => row[1])).toEqual(top.map((row) => row[1]));
    const certain = (list: unknown[][]) => list.filter((row) => Number(row[1]) > 17).sort();
    expect(certain(rows)).toEqual(certain(top));
  });

  test("lines deleted in each hour", async () => {
    const { rows } = await sql(
      server.url,
      `SELECT time_bucket('1 hour', timestamp) AS hour, sum(properties.deleted) FROM events
       GROUP BY hour ORDER BY hour`,
    );
    expect(rows.map((row) => row[1])).toEqual(expected("hourly_deleted"));
    expect(new Date(String(rows[0]?.[0])).toISOString()).toBe("2015-09-12T00:00:00.000Z");
  });

  test("lines deleted in each hour, as others would write it", async () => {
    const { rows } = await sql(
      server.url,
      `SELECT date_trunc('hour', timestamp), sum(properties.deleted) AS "LinesDeleted" FROM events
       GROUP BY 1 ORDER BY 1`,
    );
    expect(rows.map((row) => row[1])).toEqual(expected("hourly_deleted"));
  });

  test("lines added in each channel", async () => {
    const { rows } = await sql(
      server.url,
      `SELECT source, sum(properties.added) AS added FROM events
       GROUP BY source ORDER BY added DESC LIMIT 5`,
    );
    expect(rows).toEqual(expected("added_by_channel"));
  });

  test("the first edits of an hour", async () => {
    const { rows } = await sql(
      server.url,
      `SELECT properties.user, properties.page FROM events
       WHERE timestamp BETWEEN '2015-09-12T02:00:00Z' AND '2015-09-12T03:00:00Z'
       ORDER BY timestamp LIMIT 5`,
    );
    expect(rows).toEqual(expected("scan_02h"));
  });

  test("every edit comes back as it was sent", async () => {
    const lines = readData("events/wikiticker/wikiticker-2015-09-12-sampled.json.gz")
      .toString()
      .trimEnd();
    const sent = lines.split("\n").map((line) => JSON.parse(line));
    // As text, in an order of their own, since several edits share a millisecond.
    const text = (time: string, source: unknown, rest: object) =>
      `${new Date(time).toISOString()} ${source} ${JSON.stringify(Object.entries(rest).sort())}`;
    const stored = await allEvents(server.url);
    expect(
      stored.map((event) => text(event.timestamp, event.source, event.properties)).sort(),
    ).toEqual(sent.map(({ time, channel, ...rest }) => text(time, channel, rest)).sort());
  });
});

describe.skipIf(absent)(`bluesky: ten rows of a public benchmark${reason}`, () => {
  const server = sharedServer();
  const expected = absent
    ? {}
    : JSON.parse(readData("events/bluesky/jsonbench-expected.json").toString()).head10;

  beforeAll(async () => {
    const mapping = [
      "--timestamp",
      "time_us",
      "--event-type",
      "commit.collection",
      "--user-id",
      "did",
    ];
    const file = dataPath("events/bluesky/jsonbench-head-10.ndjson");
    expect(await importFile(server.url, ...mapping, "--strict", file)).toMatch(/^accepted {4}10$/m);
  });

  test("how many of each kind", async () => {
    const { rows } = await sql(
      server.url,
      "SELECT event_type, count(*) AS n FROM events GROUP BY event_type ORDER BY n DESC, event_type",
    );
    expect(rows).toEqual(expected.q1);
  });

  test("how many people of each kind", async () => {
    const { rows } = await sql(
      server.url,
      `SELECT event_type, count(*) AS n, count(DISTINCT user_id) AS users FROM events
       WHERE properties.kind = 'commit' AND properties.commit.operation = 'create'
       GROUP BY event_type ORDER BY n DESC, event_type`,
    );
    expect(rows).toEqual(expected.q2);
  });

  test("when people use it", async () => {
    const { rows } = await sql(
      server.url,
      `SELECT event_type, time_bucket('1 hour', timestamp) AS hour, count(*) AS n FROM events
       WHERE properties.kind = 'commit' AND properties.commit.operation = 'create'
         AND event_type IN ('app.bsky.feed.post', 'app.bsky.feed.repost', 'app.bsky.feed.like')
       GROUP BY event_type, hour ORDER BY hour, event_type`,
    );
    expect(rows.map(([type, hour, n]) => [type, new Date(String(hour)).getUTCHours(), n])).toEqual(
      expected.q3,
    );
  });

  test("the three first to post, to the microsecond", async () => {
    const { rows } = await sql(
      server.url,
      `SELECT user_id, min(timestamp) AS first FROM events
       WHERE properties.kind = 'commit' AND properties.commit.operation = 'create'
         AND event_type = 'app.bsky.feed.post'
       GROUP BY user_id ORDER BY first LIMIT 3`,
    );
    expect(rows.map(([user, first]) => [user, microseconds(String(first))])).toEqual(
      expected.q4_us,
    );
  });

  test("the widest spans of activity", async () => {
    const { rows } = await sql(
      server.url,
      `SELECT user_id, floor(extract(epoch FROM max(timestamp) - min(timestamp)) * 1000) AS span FROM events
       WHERE properties.kind = 'commit' AND properties.commit.operation = 'create'
         AND event_type = 'app.bsky.feed.post'
       GROUP BY user_id ORDER BY span DESC LIMIT 3`,
    );
    // Each has posted once, so all spans are the same and any order of the users is one.
    expect([...rows].sort()).toEqual([...expected.q5_ms].sort());
  });

  test("the hour of the day, as the benchmark asks it", async () => {
    const { rows } = await sql(
      server.url,
      `SELECT event_type, extract(hour FROM timestamp) AS hour, count(*) AS n FROM events
       WHERE properties.kind = 'commit' AND properties.commit.operation = 'create'
         AND event_type IN ('app.bsky.feed.post', 'app.bsky.feed.repost', 'app.bsky.feed.like')
       GROUP BY event_type, hour ORDER BY hour, event_type`,
    );
    expect(rows).toEqual(expected.q3);
  });
});

/** Microseconds since 1970 of RFC 3339 text; Date knows milliseconds only. */
function microseconds(text: string): number {
  const fraction = /\.(\d+)Z$/.exec(text)?.[1] ?? "";
  const seconds = Date.parse(text.replace(/\.\d+Z$/, "Z")) / 1000;
  return seconds * 1e6 + Number(fraction.padEnd(6, "0"));
}

describe.skipIf(absent)(`github webhooks: deep and wide${reason}`, () => {
  const server = sharedServer();

  test("270 payloads come back equal", async () => {
    const file = "events/github-webhooks/payloads.ndjson.gz";
    const lines = readData(file).toString().trimEnd().split("\n");
    const key = (type: string, file: unknown) => `${type} ${file}`;
    const payloads = lines.map((line) => JSON.parse(line));
    const sent = new Map(payloads.map((payload) => [key(payload.event, payload.file), payload]));
    expect(sent.size).toBe(lines.length);
    const summary = await importFile(
      server.url,
      "--event-type",
      "event",
      "--strict",
      dataPath(file),
    );
    expect(summary).toMatch(new RegExp(`^accepted {4}${lines.length}$`, "m"));
    const stored = await allEvents(server.url);
    expect(stored).toHaveLength(lines.length);
    for (const event of stored) {
      const { event: _type, ...rest } = sent.get(key(event.event_type, event.properties.file));
      expect(event.properties).toEqual(rest);
    }
  });
});

describe.skipIf(absent)(`json-parsing: what a parser must accept and refuse${reason}`, () => {
  const server = sharedServer();
  const names = absent
    ? []
    : readdirSync(dataPath("json-parsing")).filter((name) => name.endsWith(".json"));

  /** A body whose value begins at `offset` modulo 64, where SIMD chunks may cut it. */
  function send(name: string, offset: number): Promise<Answer<Receipt>> {
    const head = `[{"event_type":"${name}","properties":{"v":`;
    const padding = " ".repeat((((offset - head.length) % 64) + 64) % 64);
    const bytes = Buffer.concat([
      Buffer.from(padding + head),
      readData(`json-parsing/${name}`),
      Buffer.from("}}]"),
    ]);
    return post(server.url, "/api/v1/events/batch", bytes);
  }

  test.each(names.filter((name) => name.startsWith("y_")))(
    "%s is stored and equal",
    async (name) => {
      const answer = await send(name, names.indexOf(name));
      expect(answer.body, answer.text).toMatchObject({ accepted: 1, rejected: 0 });
      const [stored] = await allEvents(server.url, { event_type: name });
      expect(stored?.properties.v).toEqual(JSON.parse(readData(`json-parsing/${name}`).toString()));
    },
  );

  test.each(names.filter((name) => name.startsWith("n_")))("%s is refused", async (name) => {
    const answer = await send(name, names.indexOf(name));
    expect(answer.status, answer.text).toBe(400);
    expect(await allEvents(server.url, { event_type: name })).toEqual([]);
  });
});

describe.skipIf(absent)(`msgpack: every encoding of a value${reason}`, () => {
  const server = sharedServer();
  const suite: Record<string, Record<string, unknown>[]> = absent
    ? {}
    : JSON.parse(readData("msgpack/msgpack-test-suite.json").toString());
  const cases = Object.entries(suite).flatMap(([file, entries]) =>
    entries.map((entry, i) => [`${file} ${i}`, entry] as const),
  );

  test.each(cases)("%s stores the same value however it is written", async (name, entry) => {
    const { msgpack, ...values } = entry as { msgpack: string[] };
    const [kind, value] = Object.entries(values)[0] as [string, unknown];
    const text = (word: string) => Buffer.from([0xa0 + word.length, ...Buffer.from(word)]);
    const bodies = msgpack.map((hex) =>
      Buffer.concat([
        Buffer.from([0x82]),
        text("event_type"),
        Buffer.from([0xd9, name.length]),
        Buffer.from(name),
        text("properties"),
        Buffer.from([0x81]),
        text("v"),
        Buffer.from(hex.replaceAll("-", ""), "hex"),
      ]),
    );
    const answer = await post(server.url, "/api/v1/events/batch", Buffer.concat(bodies), {
      "content-type": "application/msgpack",
    });
    expect(answer.body, answer.text).toMatchObject({ accepted: bodies.length, rejected: 0 });
    const stored = (await allEvents(server.url, { event_type: name })).map(
      (event) => event.properties.v,
    );
    expect(new Set(stored.map((one) => JSON.stringify(one))).size).toBe(1);
    if (
      ["nil", "bool", "number", "string", "array", "map"].includes(kind) &&
      !("bignum" in values)
    ) {
      expect(stored[0]).toEqual(value);
    }
  });
});
