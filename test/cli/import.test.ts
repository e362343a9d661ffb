import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { runImport } from "../../src/cli/import.ts";
import { parseImportOptions } from "../../src/cli/import-options.ts";

interface Seen {
  readonly path: string;
  readonly key: string;
  readonly type: string;
  readonly body: Buffer;
}

/** Answers a request; undefined cuts the connection after the body has been read. */
type Answer = (
  seen: Seen,
  place: number,
) => { status: number; body: unknown; headers?: object } | undefined;

let folder: string;
let server: Server;
let seen: Seen[];
let answer: Answer;
let inFlight: number;
let inFlightMax: number;
let output: string[];

const taken: Answer = ({ body }) => ({
  status: 200,
  body: {
    accepted: body.toString().trimEnd().split("\n").length,
    duplicates: 0,
    rejected: 0,
    errors: [],
  },
});

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  inFlight++;
  inFlightMax = Math.max(inFlightMax, inFlight);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const entry: Seen = {
    path: request.url ?? "",
    key: String(request.headers["idempotency-key"]),
    type: String(request.headers["content-type"]),
    body: Buffer.concat(chunks),
  };
  seen.push(entry);
  const made = answer(entry, seen.length - 1);
  inFlight--;
  if (made === undefined) {
    request.socket.destroy();
    return;
  }
  response.writeHead(made.status, { "content-type": "application/json", ...made.headers });
  response.end(JSON.stringify(made.body));
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-import-"));
  seen = [];
  answer = taken;
  inFlight = 0;
  inFlightMax = 0;
  output = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => void output.push(line));
  vi.spyOn(console, "error").mockImplementation((line: string) => void output.push(line));
  vi.spyOn(process.stderr, "write").mockImplementation((line) => {
    output.push(String(line).trimEnd());
    return true;
  });
  server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function url(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function file(name: string, bytes: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function lines(count: number): string {
  return Array.from({ length: count }, (_, i) => `{"n":${i}}\n`).join("");
}

function run(...flags: string[]): Promise<number> {
  return runImport(["--url", url(), ...flags]);
}

describe("import", () => {
  test("sends every line once, in batches, several at a time, and sums up", async () => {
    const path = file("events.ndjson", lines(1000));
    expect(await run("--batch-events", "50", path)).toBe(0);
    expect(seen).toHaveLength(20);
    expect(new Set(seen.map((request) => request.key)).size).toBe(20);
    expect(seen.every((request) => request.type === "application/x-ndjson")).toBe(true);
    const all = seen.flatMap((request) => request.body.toString().trimEnd().split("\n"));
    expect(all.map((line) => JSON.parse(line).n).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i),
    );
    expect(inFlightMax).toBeLessThanOrEqual(4);
    expect(output[0]).toBe("accepted    1,000");
    expect(output.at(-1)).toMatch(/^1,000 events in [\d.]+ s: [\d,]+ events\/s$/);
  });

  test("unpacks gzip, tells formats from names, and maps fields", async () => {
    const path = file("edits.json.gz", gzipSync('[{"time":1},{"time":2}]'));
    const mapping = ["--timestamp", "time", "--event-type", "'edit'", "--user-id", "who"];
    expect(await run(...mapping, "--timestamp-unit", "ms", "--ack", "memory", path)).toBe(0);
    expect(seen.map((request) => request.body.toString())).toEqual(['[{"time":1},{"time":2}]']);
    expect(seen[0]?.type).toBe("application/json");
    const address = new URL(seen[0]?.path ?? "", url());
    expect(address.pathname).toBe("/api/v1/events/batch");
    expect(Object.fromEntries(address.searchParams)).toEqual({
      timestamp: "time",
      event_type: "'edit'",
      user_id: "who",
      timestamp_unit: "ms",
      ack: "memory",
    });
  });

  test("tries again after 429, an answer lost on its way and 503, with the same key", async () => {
    answer = (request, place) => {
      if (place === 0) return { status: 429, body: {}, headers: { "retry-after": "0" } };
      if (place === 1) return undefined;
      if (place === 2) return { status: 503, body: { detail: "not ready" } };
      return taken(request, place);
    };
    expect(await run(file("a.ndjson", lines(3)))).toBe(0);
    expect(seen).toHaveLength(4);
    expect(new Set(seen.map((request) => request.key)).size).toBe(1);
    expect(output.filter((line) => line.startsWith("waiting"))).toHaveLength(3);
    expect(output).toContain("accepted    3");
  });

  test("gives up after --retry-for", async () => {
    answer = () => ({ status: 503, body: { detail: "the ids are being loaded" } });
    expect(await run("--retry-for", "0", file("a.ndjson", lines(3)))).toBe(1);
    expect(output.at(-1)).toMatch(
      /a\.ndjson: events 0 to 2: gave up after 0 s: 503 the ids are being/,
    );
  });

  test("stops at a body that is refused, and says which events and why", async () => {
    answer = (request, place) =>
      place === 1
        ? { status: 400, body: { title: "Bad Request", detail: "cut off at byte 9" } }
        : taken(request, place);
    const path = file("a.ndjson", lines(100));
    expect(await run("--batch-events", "10", "--connections", "1", path)).toBe(1);
    expect(seen).toHaveLength(2);
    expect(output.at(-1)).toMatch(/a\.ndjson: events 10 to 19: 400 cut off at byte 9/);
  });

  test("shows rejected events by their place in the file; --strict makes them a failure", async () => {
    answer = () => ({
      status: 200,
      body: {
        accepted: 1,
        duplicates: 0,
        rejected: 1,
        errors: [{ index: 1, code: "event_type_missing", message: "no event_type" }],
      },
    });
    const path = file("a.ndjson", lines(4));
    expect(await run("--batch-events", "2", path)).toBe(0);
    expect(output).toContain(`  ${path}: event 3: event_type_missing: no event_type`);
    expect(await run("--batch-events", "2", "--strict", path)).toBe(1);
  });

  test("sends what came before the fault of a file that is cut off", async () => {
    answer = (request) => ({
      status: 200,
      body: {
        accepted: JSON.parse(request.body.toString()).length,
        duplicates: 0,
        rejected: 0,
        errors: [],
      },
    });
    const path = file("a.json", '[{"n":0},{"n":1},{"n":');
    expect(await run("--batch-events", "1", path)).toBe(1);
    expect(seen).toHaveLength(2);
    expect(output).toContain("accepted    2");
    expect(output.at(-1)).toMatch(/a\.json: the file ends inside event 2, at byte 22/);
  });

  test("fails for a file that is absent or not gzip after all", async () => {
    expect(await run(join(folder, "absent.ndjson"))).toBe(1);
    expect(output.at(-1)).toMatch(/absent\.ndjson: there is no such file/);
    expect(await run(file("b.ndjson", Buffer.from([0x1f, 0x8b, 1, 2, 3])))).toBe(1);
    expect(output.at(-1)).toMatch(/b\.ndjson: unknown compression method/);
  });
});

describe("flags", () => {
  test.each([
    [["--nope", "a.json"], /--nope/],
    [["--url"], /--url/],
    [["--url", "ftp://x", "a.json"], /--url: got 'ftp:\/\/x'/],
    [["--connections", "0", "a.json"], /--connections: got '0', want a whole number from 1 to 64/],
    [["--timestamp-unit", "h", "a.json"], /--timestamp-unit: got 'h', want one of s, ms, us, ns/],
    [["a.csv"], /--format: the name of a\.csv does not tell its format/],
    [["--strict=yes", "a.json"], /--strict/],
    [[], /at least one FILE/],
  ])("%j is refused by name", (argv, message) => {
    expect(() => parseImportOptions(argv)).toThrow(message);
  });

  test("a wrong flag is exit code 2, help is 0", async () => {
    expect(await runImport(["--nope"])).toBe(2);
    expect(await runImport(["--help"])).toBe(0);
    expect(output.at(-1)).toMatch(/^Usage: millrace import/);
  });
});
