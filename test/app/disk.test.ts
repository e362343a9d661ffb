import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { get, type Problem, postBatch, sql } from "../support/api.ts";
import { mulberry32 } from "../support/random.ts";
import {
  dataFolder,
  spawnLimited,
  startServer,
  type TestServer,
  until,
} from "../support/server.ts";
import { openSocket } from "../support/socket.ts";

// What happens when the disk is full or a flush fails, and that retention keeps the disk from filling.

const MIB = 1024 * 1024;
/** Text that no encoding makes much smaller. */
const noise = (() => {
  const random = mulberry32(7);
  const words = Uint32Array.from({ length: 1_000_000 }, () => random() * 2 ** 32);
  return Buffer.from(words.buffer).toString("base64url");
})();

function textOf(n: number, length: number): string {
  const at = (n * length) % (noise.length - length);
  return noise.slice(at, at + length);
}

function events(from: number, count: number, textLength = 20): object[] {
  return Array.from({ length: count }, (_, i) => ({
    event_type: "t",
    properties: { n: from + i, text: textOf(from + i, textLength) },
  }));
}

async function rows(url: string): Promise<{ count: number; min: number; max: number }> {
  const { rows: table } = await sql(
    url,
    "SELECT count(*), min(properties.n), max(properties.n) FROM events",
  );
  const [count, min, max] = table[0] as [number, number, number];
  return { count, min, max };
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** A file of `bytes` that takes as many of the disk; written where the file system can't set them aside. */
function fill(path: string, bytes: number): void {
  onTestFinished(() => rmSync(path, { force: true }));
  try {
    execFileSync("fallocate", ["-l", String(bytes), path], { stdio: "ignore" });
  } catch {
    const file = openSync(path, "w");
    const zeros = Buffer.alloc(8 * MIB);
    for (let at = 0; at < bytes; at += zeros.length) writeSync(file, zeros);
    closeSync(file);
  }
}

test("below the reserve ingest answers 507 and reads go on; it recovers by itself", async () => {
  const data = dataFolder();
  const free = freeBytes(data);
  // Others use this disk too: they must not fill or free the margin while the test runs.
  const margin = Math.floor(Math.min(512 * MIB, free / 8));
  const server = await startServer(data, "--disk-reserve", String(free - margin));
  expect((await postBatch(server.url, events(0, 100))).status).toBe(200);
  const ballast = join(dataFolder(), "ballast");
  fill(ballast, 4 * margin);
  let stored = 100;
  const refusal = await until("a refusal", async () => {
    const answer = await postBatch(server.url, events(stored, 10));
    if (answer.status === 200) stored += 10;
    return answer.status === 507 && answer;
  });
  expect(refusal.headers.get("content-type")).toBe("application/problem+json");
  expect(refusal.body as unknown as Problem).toMatchObject({
    code: "disk_full",
    detail: expect.stringMatching(/\d+ bytes free.*reserve of \d+.*reads go on/),
    reserve_bytes: free - margin,
  });
  expect((await postBatch(server.url, events(stored, 10), {}, "?ack=memory")).status).toBe(507);
  expect((await rows(server.url)).count).toBe(stored);
  rmSync(ballast);
  await until("room again", async () => {
    const answer = await postBatch(server.url, events(stored, 10));
    if (answer.status === 200) stored += 10;
    return answer.status === 200;
  });
  await until("a word that ingest goes on", () => server.output.includes("ingest goes on"));
  expect(server.output.split("ingest stops: the disk has")).toHaveLength(2);
  expect(server.output, "refusals are not logged one by one").not.toContain("ingest failed");
  expect((await rows(server.url)).count).toBe(stored);
}, 60_000);

/** Sends bodies of `size` events until the server is gone. Returns how many were acknowledged. */
async function sendUntilGone(server: TestServer, size: number): Promise<number> {
  let acknowledged = 0;
  let next = 0;
  const sender = async (): Promise<void> => {
    for (;;) {
      const from = next;
      next += size;
      const answer = await postBatch(server.url, events(from, size, 400)).catch(() => undefined);
      if (answer === undefined) return;
      expect(answer.status, answer.text).toBe(200);
      acknowledged += size;
    }
  };
  await Promise.all(Array.from({ length: 4 }, sender));
  return acknowledged;
}

test.skipIf(process.platform === "win32").each([
  ["large", 2000],
  ["small", 40],
])(
  "a failed flush of %s bodies ends the process in words, and what was acknowledged is there",
  async (_name, size) => {
    const data = dataFolder();
    // A file may not grow beyond 8 MiB: writes fail as on a full disk, in the middle of a commit.
    const server = await spawnLimited({ filesKiBMax: 8192 }, data, "--disk-reserve", "0B").ready();
    const acknowledged = await sendUntilGone(server, size);
    const exit = await server.exited;
    // The C library may notice what LMDB makes of a failed write, and end the process before it ends itself.
    expect(exit.code === 0).toBe(false);
    expect(server.output).toMatch(/flush_failed/);
    expect(server.output).toMatch(/could not be flushed: .*free.*start it again/);
    expect(acknowledged).toBeGreaterThan(0);
    const again = await startServer(data);
    const { count } = await rows(again.url);
    expect(count).toBeGreaterThanOrEqual(acknowledged);
    expect(count % size).toBe(0);
    expect((await postBatch(again.url, events(0, 10))).status).toBe(200);
  },
  60_000,
);

test("retention by bytes bounds the file, and no query fails or sees half of a drop", async () => {
  const data = dataFolder();
  const flags = ["--hot-memory", "16MiB", "--retention-bytes", "16MiB"];
  const server = await startServer(data, ...flags);
  let sent = 0;
  let done = false;
  const ask = async (): Promise<number> => {
    let asked = 0;
    for (; !done; asked++) {
      const { count, min, max } = await rows(server.url);
      if (count > 0) expect(max - min + 1, "rows without a gap").toBe(count);
      const page = await get(server.url, "/api/v1/analytics/events?limit=20&order=asc");
      expect(page.status, page.text).toBe(200);
    }
    return asked;
  };
  const asking = [ask(), ask()];
  const fileMiB: number[] = [];
  // Five segments, or thereabouts, of which one fits.
  for (let i = 0; i < 70; i++) {
    expect((await postBatch(server.url, events(sent, 10_000, 60))).status).toBe(200);
    sent += 10_000;
    fileMiB.push(statSync(join(data, "millrace.mdb")).size / MIB);
  }
  done = true;
  for (const asked of await Promise.all(asking)) expect(asked).toBeGreaterThan(5);
  const kept = await until("a drop", async () => {
    const now = await rows(server.url);
    return now.count < 400_000 && now;
  });
  expect(kept.max).toBe(sent - 1);
  // What was ever written is about 95 MiB: the pages of what is gone are used again.
  expect(Math.max(...fileMiB)).toBeLessThan(80);
  await server.kill();
  const again = await startServer(data, ...flags);
  const after = await rows(again.url);
  // A segment that was being sealed may have made one more drop.
  expect(after.count).toBeLessThanOrEqual(kept.count);
  expect(after).toEqual({ count: sent - after.min, min: after.min, max: sent - 1 });
}, 60_000);

test("sequences go on after a restart when retention has dropped every segment", async () => {
  const data = dataFolder();
  const flags = ["--retention-bytes", "16MiB"];
  const server = await startServer(data, ...flags);
  const early = await openSocket(server.url, "/api/v1/stream/events");
  early.send({ type: "subscribe", id: "early" });
  const { cursor } = await early.next();
  early.ws.terminate();
  // One segment, larger than what may be kept.
  let last = 0n;
  for (let i = 0; i < 14; i++) {
    const { body } = await postBatch(server.url, events(i * 10_000, 10_000, 230));
    last = BigInt(body.sequences?.[0]?.last ?? 0);
  }
  expect(last).toBe(140_000n);
  const kept = await until("a drop", async () => {
    const now = await rows(server.url);
    return now.count < 140_000 && now;
  });
  const health = async (url: string) =>
    (await get<{ segments: number; stored_events: number }>(url, "/api/v1/health")).body;
  await until("the figures", async () => (await health(server.url)).stored_events === kept.count);
  expect(await health(server.url)).toMatchObject({ segments: 0 });
  await server.kill();
  const again = await startServer(data, ...flags);
  expect(await rows(again.url)).toEqual(kept);
  expect(await health(again.url)).toMatchObject({ segments: 0, stored_events: kept.count });
  // Who comes back with an older cursor is told what is gone, and goes on with what is there.
  const late = await openSocket(again.url, "/api/v1/stream/events");
  late.send({ type: "subscribe", id: "late", cursor });
  await late.next();
  expect(await late.next()).toMatchObject({ type: "missed", count: 140_000 - kept.count });
  const page = (await late.next()) as { events?: { sequence: string }[] };
  expect(page.events?.[0]?.sequence).toBe(String(140_001 - kept.count));
  late.ws.terminate();
  const { body } = await postBatch(again.url, events(140_000, 10));
  expect(body.sequences).toEqual([{ partition: 0, first: "140001", last: "140010" }]);
  expect(await again.stop()).toEqual({ code: 0, signal: null });
  const third = await startServer(data, ...flags);
  expect((await rows(third.url)).count).toBe(kept.count + 10);
}, 60_000);
