import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { post } from "../support/api.ts";
import { dataFolder, main, sharedServer } from "../support/server.ts";

// `millrace query` as a person runs it, against the built server.

const rowCount = 120_000;
const shared = sharedServer();

beforeAll(async () => {
  const lines = Array.from(
    { length: rowCount },
    (_, n) => `{"event_type":"e","user_id":"user ${n}","properties":{"n":${n}}}\n`,
  );
  for (let i = 0; i < rowCount; i += 40_000) {
    const body = lines.slice(i, i + 40_000).join("");
    const type = { "content-type": "application/x-ndjson" };
    await post(shared.url, "/api/v1/events/batch", body, type);
  }
});

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function query(args: readonly string[], input = ""): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [main, "query", "--url", shared.url, ...args],
      { maxBuffer: 64 * 1024 * 1024 },
      (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }),
    );
    child.stdin?.end(input);
  });
}

test("a large result comes whole", async () => {
  const statement = "SELECT properties.n AS n, user_id FROM events";
  const { out } = await query(["--format", "csv", statement]);
  const lines = out.split("\r\n");
  expect(lines).toHaveLength(rowCount + 2);
  expect(lines[0]).toBe("n,user_id");
  const numbers = new Set(lines.slice(1, -1).map((line) => Number(line.split(",")[0])));
  expect(numbers.size).toBe(rowCount);
});

test("a reader that has had enough ends it in peace; one that waits is waited for", async () => {
  const args = [main, "query", "--url", shared.url, "SELECT id, user_id FROM events"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let errors = "";
  child.stderr.on("data", (text) => {
    errors += text;
  });
  const [first] = (await once(child.stdout, "data")) as [Buffer];
  expect(String(first)).toMatch(/^\{"id":"/);
  child.stdout.destroy();
  const [code] = await once(child, "close");
  expect([code, errors]).toEqual([0, ""]);
});

test("statements come from a file, from standard input and with parameters", async () => {
  const path = join(dataFolder(), "two.sql");
  writeFileSync(
    path,
    "SELECT count(*) AS n FROM events; -- and\nSELECT max(properties.n) AS m FROM events",
  );
  const both = `{"n":${rowCount}}\n{"m":${rowCount - 1}}\n`;
  expect(await query(["--file", path])).toEqual({ code: 0, out: both, err: "" });
  const counting = "SELECT count(*) AS n FROM events WHERE properties.n < $1 AND user_id <> $2";
  const flags = ["--param", "10", "--param", "user 3"];
  expect((await query([...flags, "-"], counting)).out).toBe('{"n":9}\n');
  expect((await query(flags, counting)).out).toBe('{"n":9}\n');
});

test("a statement that fails ends the rest, with its place", async () => {
  const { code, out, err } = await query([
    "SELECT count(*) FROM events; SELECT nope FROM events; SELECT 1",
  ]);
  expect([code, out]).toEqual([1, `{"count":${rowCount}}\n`]);
  expect(err).toMatch(
    /^ERROR: there is no column "nope".*\nLINE 1: SELECT nope FROM events\n {15}\^\n$/,
  );
});

const hasScript = spawnSync("script", ["--version"]).status === 0;

test.skipIf(!hasScript)("on a terminal it is a table of its width (needs script)", async () => {
  const statement = "SELECT user_id, properties.n, properties.none FROM events LIMIT 1";
  const command = `stty cols 30; "${process.execPath}" "${main}" query --url ${shared.url} "${statement}"`;
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  child.stdout.on("data", (text) => {
    out += text;
  });
  await once(child, "close");
  expect(out.replaceAll("\r", "")).toMatch(
    new RegExp(
      String.raw`^ user_id │ n │ none\n─+┼─+┼─+\n user \d+ +│ +\d+ │ (?:\x1b\[2m)?NULL(?:\x1b\[22m)?\n` +
        String.raw`1 row in [\d.]+ (?:µs|ms)\n$`,
    ),
  );
});

test("nobody there, and wrong flags", async () => {
  expect(await query(["--url", "http://127.0.0.1:9", "SELECT 1"])).toMatchObject({ code: 1 });
  const { code, err } = await query(["--fromat", "csv", "SELECT 1"]);
  expect([code, err]).toEqual([
    2,
    'millrace query: --fromat: no such flag; did you mean "--format"?\n',
  ]);
});
