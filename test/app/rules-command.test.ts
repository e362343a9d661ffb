import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { postBatch } from "../support/api.ts";
import { dataFolder, main, sharedServer, startServer, until } from "../support/server.ts";

// `millrace rules` and `millrace tail --rule` as a person runs them, against the built server.

const shared = sharedServer();

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function millrace(args: readonly string[], input = ""): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
    child.stdin?.end(input);
  });
}

const rules = (...args: string[]) => millrace(["rules", "--url", shared.url, ...args]);
const table = (...args: string[]) => rules("--format", "table", ...args);

test("a rule's life", async () => {
  expect(await table()).toMatchObject({ code: 0, out: expect.stringMatching(/^no rules;/) });
  const sql =
    "SELECT time_bucket('1 day', timestamp, 'Europe/Berlin'), count(*) AS n FROM events GROUP BY 1";
  const made = await table("create", "--name", "days", "--allowed-lateness", "10s", sql);
  expect(made.out).toBe('days@1 is made; its windows: millrace query "SELECT * FROM days"\n');
  expect(made.err).toMatch(/^warning: /);
  const path = join(dataFolder(), "rule.json");
  writeFileSync(path, JSON.stringify({ time_window: "5m", aggregation_type: { fn: "count" } }));
  const named = await rules("create", "--name", "counted", "--backfill", path);
  expect(JSON.parse(named.out)).toMatchObject({ name: "counted", definition: { backfill: true } });
  const list = await table();
  expect(list.out).toMatch(/^ counted@1 │ tumbling 5m/m);
  expect(list.out).toMatch(/^ days@1 +│ tumbling 1 day in Europe\/Berlin │ live +│ +0 │/m);
  expect(list.out).toMatch(/^no watermark yet: no event has come$/m);
  const lines = (await rules()).out.trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).name)).toEqual(["counted", "days"]);

  const next = await millrace(
    ["rules", "--url", shared.url, "--format", "table", "replace", "days", "-"],
    "SELECT count(*) AS n\nFROM events GROUP BY SESSION(timestamp, INTERVAL '5 minutes');\n",
  );
  expect(next.out).toMatch(/^days@2 is the version from now on/);
  const shown = await table("show", "days");
  expect(shown.out).toMatch(/^window +session, gap 5m$/m);
  expect(shown.out).toMatch(/^versions +1, 2$/m);
  expect((await table("pause", "days")).out).toBe("days@2 is paused\n");
  expect((await table()).out).toMatch(/ days@2 +│ session, gap 5m │ paused +│/);
  expect((await table("resume", "days")).out).toBe("days@2 goes on\n");
  expect((await table("show", "days")).out).toMatch(/^state +live, was paused$/m);
  const again = ["--from", "2026-11-23T12:00:00Z", "--to", "2026-11-23T13:00:00Z"];
  expect((await table("recompute", "counted", ...again)).out).toBe(
    "0 windows computed again, with 0 events that had been too late\n",
  );
  expect((await table("delete", "days")).out).toBe("days is deleted, with its windows\n");
  await rules("delete", "counted");
  expect((await rules()).out).toBe("");
});

test("what is wrong is said, with its place", async () => {
  const sql = "SELECT time_bucket('1m', timestamp), count(*)\nFROM evnts GROUP BY 1";
  expect(await rules("create", "--name", "slip", sql)).toEqual({
    code: 1,
    out: "",
    err:
      'millrace rules: there is no table "evnts"; did you mean "events"?\n' +
      "LINE 2: FROM evnts GROUP BY 1\n             ^\n",
  });
  const form =
    '{"name":"slip","window":{"type":"tumblin","size":"1m"},"aggregations":[{"fn":"count"}]}';
  expect((await rules("create", form)).err).toMatch(/#\/window/);
  const wrong: [string[], number, RegExp][] = [
    [["create", sql], 2, /--name: want a name/],
    [["create", "{"], 1, /the rule is no JSON/],
    [["create", "/nowhere.json"], 1, /no such file/],
    [["create"], 2, /rules create: want a FILE/],
    [["show", "nothing"], 1, /there is no rule "nothing"/],
    [["shw", "x"], 2, /there is no "rules shw"; did you mean "show"\?/],
    [["pause", "x", "y"], 2, /got 'y'/],
    [["list", "--backfill"], 2, /--backfill: "rules list" has no such flag/],
    [["recompute", "x"], 2, /--from: want a time/],
    [["recompute", "x", "--from", "now", "--to", "later"], 1, /#\/from/],
  ];
  for (const [args, code, err] of wrong) {
    expect(await rules(...args), args.join(" ")).toMatchObject({
      code,
      out: "",
      err: expect.stringMatching(err),
    });
  }
}, 30_000);

test("every client says in one line that nobody, or somebody else, is there", async () => {
  const stranger = await startStranger();
  const commands = [["rules"], ["stats"], ["query", "SELECT 1"], ["tail"], ["tail", "--rule", "x"]];
  for (const [command = "", ...rest] of commands) {
    const away = await millrace([command, "--url", "127.0.0.1:4", ...rest]);
    const one = `millrace ${command}: can't reach 127.0.0.1:4: connect ECONNREFUSED 127.0.0.1:4; `;
    expect(away).toMatchObject({ code: 1, err: `${one}is millrace serve running there?\n` });
    const other = await millrace([command, "--url", stranger, ...rest]);
    const message = `${stranger} answered 404, and not as Millrace does; is --url right?\n`;
    expect(other).toMatchObject({ code: 1, err: `millrace ${command}: ${message}` });
  }
}, 30_000);

/** A server of something else; its `host:port`. */
async function startStranger(): Promise<string> {
  const code =
    "const s = require('node:http').createServer((_, res) => res.writeHead(404).end('<html>\\n'));" +
    "s.listen(0, '127.0.0.1', () => console.log(s.address().port));";
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const [port] = (await once(child.stdout, "data")) as [Buffer];
  return `127.0.0.1:${String(port).trim()}`;
}

test("a reader that has gone before anything was written is no failure", async () => {
  const commands = [["query", "--format", "table", "SHOW TABLES"], ["stats"], ["rules"], ["help"]];
  for (const [command = "", ...rest] of commands) {
    const address = command === "help" ? [] : ["--url", shared.url];
    const child = spawn(process.execPath, [main, command, ...address, ...rest], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.destroy();
    let errors = "";
    child.stderr.on("data", (text) => {
      errors += text;
    });
    expect([command, (await once(child, "close"))[0], errors]).toEqual([command, 0, ""]);
  }
});

test("windows go on after the server's death, and a deleted rule ends them", async () => {
  const data = dataFolder();
  const first = await startServer(data);
  const port = new URL(first.url).port;
  const sql =
    "SELECT time_bucket('1 minute', timestamp), source, sum(properties.n) AS n FROM events GROUP BY 1, source";
  await millrace(["rules", "--url", first.url, "create", "--name", "sums", sql]);
  const child = spawn(process.execPath, [main, "tail", "--url", first.url, "--rule", "sums"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (text) => {
    output += text;
  });
  child.stderr.on("data", (text) => {
    errors += text;
  });
  const windows = () =>
    output.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Line]));
  const add = (url: string, time: string, n: number) =>
    postBatch(url, [{ event_type: "e", source: "web", timestamp: time, properties: { n } }]);
  await add(first.url, "2026-11-23T12:00:00Z", 1);
  await until("an early result", () => windows().at(-1)?.values.n === 1);
  await add(first.url, "2026-11-23T12:05:00Z", 2);
  await until("a final one", () => windows().some(({ state }) => state === "final"));
  await first.kill();
  const second = await startServer(data, "--port", port);
  await until("another try", () => errors.includes("trying again"));
  await add(second.url, "2026-11-23T12:05:30Z", 40);
  await until("the window with both", () => windows().at(-1)?.values.n === 42);
  expect(windows()[0]).toMatchObject({ group: { source: "web" }, state: "early", final: false });
  const finals = windows().filter(({ state }) => state === "final");
  expect(finals.map(({ start }) => start)).toEqual(["2026-11-23T12:00:00.000Z"]);
  await millrace(["rules", "--url", second.url, "delete", "sums"]);
  expect((await once(child, "close"))[0]).toBe(1);
  expect(errors).toMatch(/millrace tail: the rule is gone \(deleted\)\n$/);
}, 60_000);

interface Line {
  readonly start: string;
  readonly state: string;
  readonly values: { readonly n: number };
}
