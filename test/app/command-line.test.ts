import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { postBatch, sql } from "../support/api.ts";
import { dataFolder, main, spawnServer, startServer, until } from "../support/server.ts";

// `millrace import` and `millrace tail` as a person runs them, while the server is killed and comes back.

interface Command {
  readonly process: ChildProcess;
  readonly output: () => string;
  readonly code: Promise<number | null>;
}

function command(...args: string[]): Command {
  const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const keep = (chunk: Buffer) => {
    output += String(chunk);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return {
    process: child,
    output: () => output,
    code: once(child, "close").then(([code]) => code),
  };
}

async function countOf(url: string): Promise<number> {
  return Number((await sql(url, "SELECT count(*) FROM events")).rows[0]?.[0]);
}

test("an import that the server's death interrupts counts every event once", async () => {
  const data = dataFolder();
  const file = join(dataFolder(), "events.ndjson");
  const lines = Array.from(
    { length: 60_000 },
    (_, n) => `{"event_type":"e","properties":{"n":${n}}}\n`,
  );
  writeFileSync(file, lines.join(""));
  const first = await startServer(data);
  const port = new URL(first.url).port;
  const importing = command(
    "import",
    "--url",
    first.url,
    "--batch-events",
    "100",
    "--strict",
    file,
  );
  await until("some events", async () => (await countOf(first.url)) > 2000);
  await first.kill();
  const second = await startServer(data, "--port", port);
  expect(await importing.code, importing.output()).toBe(0);
  expect(importing.output()).toMatch(/^accepted {4}60,000$/m);
  expect(importing.output()).toMatch(/waiting .* before another try/);
  const { rows } = await sql(
    second.url,
    "SELECT count(*), min(properties.n), max(properties.n), sum(properties.n) FROM events",
  );
  expect(rows).toEqual([[60_000, 0, 59_999, (60_000 * 59_999) / 2]]);
}, 60_000);

test("a tail goes on after the server's death, without a gap and without a repetition", async () => {
  const data = dataFolder();
  const first = await startServer(data);
  const port = new URL(first.url).port;
  const send = (url: string, from: number) =>
    postBatch(
      url,
      Array.from({ length: 50 }, (_, i) => ({ event_type: "e", properties: { n: from + i } })),
    );
  await send(first.url, 0);
  const tail = command(
    "tail",
    "--url",
    first.url,
    "--from",
    "earliest",
    "--format",
    "json",
    "--limit",
    "150",
  );
  const numbers = () => [...tail.output().matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n));
  await until("stored events", () => numbers().length === 50);
  await send(first.url, 50);
  await until("live events", () => numbers().length === 100);
  await first.kill();
  const second = await startServer(data, "--port", port);
  await send(second.url, 100);
  expect(await tail.code, tail.output()).toBe(0);
  expect(numbers()).toEqual(Array.from({ length: 150 }, (_, n) => n));
}, 60_000);

test("a tail ends in peace when it is interrupted, and when its reader has had enough", async () => {
  const server = await startServer(dataFolder());
  const tail = command("tail", "--url", server.url, "--format", "json");
  // There is nothing to see of a tail without events, so some are sent until one is shown.
  await until("an event", async () => {
    await postBatch(server.url, [{ event_type: "e" }]);
    return tail.output().includes('"event_type":"e"');
  });
  tail.process.kill("SIGINT");
  expect(await tail.code).toBe(0);
  const cut = command("tail", "--url", server.url, "--from", "earliest", "--format", "json");
  cut.process.stdout?.destroy();
  await until("the end", async () => {
    await postBatch(server.url, [{ event_type: "e" }]);
    return cut.process.exitCode !== null;
  });
  expect(cut.process.exitCode).toBe(0);
});

test("import says when nobody answers", async () => {
  const file = join(dataFolder(), "one.json");
  writeFileSync(file, '[{"event_type":"e"}]');
  const importing = command("import", "--url", "http://127.0.0.1:4", "--retry-for", "0", file);
  expect(await importing.code).toBe(1);
  expect(importing.output()).toMatch(/ECONNREFUSED/);
});

test("a data folder that can't be one is a sentence, not a stack", async () => {
  const file = join(dataFolder(), "file");
  writeFileSync(file, "");
  for (const folder of [file, join(file, "data")]) {
    const server = spawnServer(folder);
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(server.output).toMatch(/"msg":"the engine did not start: --data: can't keep data in /);
    expect(server.output).not.toMatch(/at .*\.js:\d+/);
  }
});
