import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { get, postBatch, sql } from "../support/api.ts";
import { stalledBody, stalledSubscriber } from "../support/misbehaving.ts";
import { dataFolder, startServer, type TestServer } from "../support/server.ts";

// Full speed for minutes, with slow subscribers and clients that stop in the middle of a body. The memory that is
// reached in the first half must do for the second half.

const SECONDS = Number(process.env.MILLRACE_SOAK_SECONDS ?? 180);
const CONNECTIONS = 6;
const BATCH_EVENTS = 1000;
const MIB = 1024 * 1024;

interface Totals {
  accepted: number;
  refused: number;
  sent: number;
}

async function load(
  server: TestServer,
  lane: number,
  endMs: number,
  totals: Totals,
): Promise<void> {
  for (let i = 0; performance.now() < endMs; i++) {
    const events = Array.from({ length: BATCH_EVENTS }, (_, k) => ({
      id: crypto.randomUUID(),
      event_type: `type_${k % 12}`,
      source: `source_${k % 5}`,
      user_id: `user_${lane}_${i}_${k % 300}`,
      properties: {
        lane,
        i,
        k,
        ms: (i * k) % 1000,
        ratio: k / 7,
        url: `https://example.org/${lane}/${i}/${k}`,
      },
    }));
    const answer = await postBatch(server.url, events);
    if (answer.status === 200) totals.accepted += answer.body.accepted;
    else if (answer.status === 429 || answer.status === 503) totals.refused++;
    else throw new Error(`${answer.status} ${answer.text}`);
    totals.sent++;
  }
}

/** Memory of the process once a second. */
async function watch(server: TestServer, endMs: number): Promise<number[]> {
  const samples: number[] = [];
  while (performance.now() < endMs) {
    await delay(1000);
    samples.push(server.anonymousBytes());
    stalledBody(server.url, 4 * MIB, MIB);
    if (samples.length % 5 === 0) await stalledSubscriber(server.url).catch(() => undefined);
    if (samples.length % 10 === 0) {
      console.log(`${samples.length} s: ${Math.round((samples.at(-1) ?? 0) / MIB)} MiB`);
      await sql(
        server.url,
        "SELECT event_type, count(*), avg(properties.ms) FROM events GROUP BY event_type",
      );
    }
  }
  return samples;
}

test(`memory stays flat for ${SECONDS} s at full speed`, async () => {
  const flags = [
    "--request-timeout",
    "5s",
    "--retention-bytes",
    "256MiB",
    "--hot-memory",
    "128MiB",
  ];
  const server = await startServer(dataFolder(), ...flags);
  const endMs = performance.now() + SECONDS * 1000;
  const totals: Totals = { accepted: 0, refused: 0, sent: 0 };
  const lanes = Array.from({ length: CONNECTIONS }, (_, lane) => load(server, lane, endMs, totals));
  const samples = await watch(server, endMs);
  await Promise.all(lanes);
  const half = samples.length >> 1;
  const first = Math.max(...samples.slice(0, half));
  const second = Math.max(...samples.slice(half));
  console.log(`${totals.accepted} events, ${totals.refused} of ${totals.sent} batches refused`);
  console.log(
    `memory: at most ${Math.round(first / MIB)} MiB, then ${Math.round(second / MIB)} MiB`,
  );
  expect(totals.accepted).toBeGreaterThan(SECONDS * 1000);
  expect(second).toBeLessThan(first * 1.1 + 32 * MIB);
  expect((await get(server.url, "/api/v1/health/ready")).status).toBe(200);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});
