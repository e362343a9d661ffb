import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { allEvents, get, postBatch, type Receipt, sql } from "../support/api.ts";
import { mulberry32 } from "../support/random.ts";
import { dataFolder, spawnServer, startServer, type TestServer } from "../support/server.ts";

// The built server is killed at random moments while several connections send to it. After each restart every
// acknowledged event is there exactly once and a rejected one is not; a body without an answer is there whole
// or not at all, and sending it again stores it exactly once.

const ROUNDS = Number(process.env.MILLRACE_KILL_ROUNDS ?? 20);
const SEED = Number(process.env.MILLRACE_KILL_SEED ?? 20261123);
const CONNECTIONS = 6;
const LOAD_MS_MAX = 350;

interface SentBody {
  readonly events: readonly object[];
  /** The events that must be stored once the body is acknowledged. */
  readonly good: readonly number[];
  readonly bad: readonly number[];
  /** What makes sending it again safe: a key, or ids in its events. */
  readonly key: string | undefined;
}

interface Ledger {
  readonly acknowledged: Set<number>;
  readonly rejected: Set<number>;
  readonly unanswered: SentBody[];
}

function uuid(n: number): string {
  return `018f2f6e-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

/** Bodies of 1 to 120 events: some with a key, the others with ids; some events are wrong. */
class BodyMaker {
  private readonly random: () => number;
  private n = 0;
  private keys = 0;

  constructor(seed: number) {
    this.random = mulberry32(seed);
  }

  make(round: number): SentBody {
    const keyed = this.random() < 0.5;
    const size = this.random() < 0.3 ? 1 : 1 + Math.floor(this.random() * 120);
    const good: number[] = [];
    const bad: number[] = [];
    const events = Array.from({ length: size }, () => {
      const n = this.n++;
      const wrong = this.random() < 0.05;
      (wrong ? bad : good).push(n);
      return {
        ...(wrong ? {} : { event_type: `round_${round}` }),
        ...(keyed ? {} : { id: uuid(n) }),
        source: `source_${n % 5}`,
        properties: { n, text: `text ${n}`, ratio: n / 7 },
      };
    });
    return { events, good, bad, key: keyed ? `kill-${SEED}-${this.keys++}` : undefined };
  }
}

function headersOf(body: SentBody): Record<string, string> {
  return body.key === undefined ? {} : { "idempotency-key": body.key };
}

/** One connection: sends body after body until the server is gone. */
async function sendUntilGone(
  server: TestServer,
  bodies: BodyMaker,
  round: number,
  ledger: Ledger,
): Promise<void> {
  for (;;) {
    const body = bodies.make(round);
    let receipt: Receipt;
    try {
      const answer = await postBatch(server.url, body.events, headersOf(body));
      if (answer.status !== 200)
        throw new Error(`unexpected answer ${answer.status} ${answer.text}`);
      receipt = answer.body;
    } catch (error) {
      if (error instanceof Error && error.message.startsWith("unexpected")) throw error;
      ledger.unanswered.push(body);
      return;
    }
    expect(receipt).toMatchObject({
      accepted: body.good.length,
      duplicates: 0,
      rejected: body.bad.length,
    });
    for (const n of body.good) ledger.acknowledged.add(n);
    for (const n of body.bad) ledger.rejected.add(n);
  }
}

/** How often each number is stored, for the events of one round. */
async function storedCounts(url: string, round: number): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  for (const event of await allEvents(url, { event_type: `round_${round}` })) {
    const { n, text, ratio } = event.properties as { n: number; text: string; ratio: number };
    // What is stored is what was sent, not only as many.
    expect({ text, ratio, source: event.source }).toEqual({
      text: `text ${n}`,
      ratio: n / 7,
      source: `source_${n % 5}`,
    });
    counts.set(n, (counts.get(n) ?? 0) + 1);
  }
  return counts;
}

function checkRound(counts: Map<number, number>, ledger: Ledger): void {
  const unknown = new Set(ledger.unanswered.flatMap((body) => body.good));
  for (const n of ledger.acknowledged) expect(counts.get(n), `acknowledged event ${n}`).toBe(1);
  for (const [n, count] of counts) {
    expect(ledger.acknowledged.has(n) || unknown.has(n), `event ${n} was never sent as good`).toBe(
      true,
    );
    expect(ledger.rejected.has(n), `rejected event ${n}`).toBe(false);
    expect(count, `event ${n}`).toBe(1);
  }
  for (const body of ledger.unanswered) {
    const there = body.good.filter((n) => counts.has(n)).length;
    expect([0, body.good.length], "an unanswered body is there whole or not at all").toContain(
      there,
    );
  }
}

/** Sends the bodies without an answer again: now they are acknowledged, and stored once. */
async function sendAgain(url: string, ledger: Ledger): Promise<void> {
  for (const body of ledger.unanswered) {
    const { status, body: receipt, text } = await postBatch(url, body.events, headersOf(body));
    expect(status, text).toBe(200);
    expect(receipt.accepted + receipt.duplicates).toBe(body.good.length);
    expect(receipt.rejected).toBe(body.bad.length);
    for (const n of body.good) ledger.acknowledged.add(n);
    for (const n of body.bad) ledger.rejected.add(n);
  }
  ledger.unanswered.length = 0;
}

test(`${ROUNDS} kills under load lose nothing that was acknowledged, seed ${SEED}`, {
  timeout: 20_000 + ROUNDS * 6_000,
}, async () => {
  const data = dataFolder();
  const random = mulberry32(SEED);
  const bodies = new BodyMaker(SEED + 1);
  const ledgers: Ledger[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const server = await startServer(data);
    const before = ledgers[round - 1];
    if (before !== undefined) {
      checkRound(await storedCounts(server.url, round - 1), before);
      await sendAgain(server.url, before);
      checkRound(await storedCounts(server.url, round - 1), before);
    }
    const ledger: Ledger = { acknowledged: new Set(), rejected: new Set(), unanswered: [] };
    ledgers.push(ledger);
    const senders = Array.from({ length: CONNECTIONS }, () =>
      sendUntilGone(server, bodies, round, ledger),
    );
    await delay(random() * LOAD_MS_MAX);
    await server.kill();
    await Promise.all(senders);
  }
  const server = await startServer(data);
  await sendAgain(server.url, ledgers.at(-1) as Ledger);
  let total = 0;
  for (const [round, ledger] of ledgers.entries()) {
    checkRound(await storedCounts(server.url, round), ledger);
    total += ledger.acknowledged.size;
  }
  expect(total).toBeGreaterThan(ROUNDS * 100);
  expect((await sql(server.url, "SELECT count(*) FROM events")).rows).toEqual([[total]]);
  const health = await get<{ stored_events: number }>(server.url, "/api/v1/health");
  expect(health.body.stored_events).toBe(total);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});

// Large bodies now, so that segments fill and are sealed while they come, and a second kill at each start, at a
// moment of the recovery. Here `ack=memory` is sent too: a body that was answered with it may be lost, but never
// in part, and never comes back twice.

const SEALING_ROUNDS = Number(process.env.MILLRACE_SEALING_KILL_ROUNDS ?? 6);
const SEALING_FLAGS = ["--hot-memory", "16MiB"];
const BODY_EVENTS = 8000;

type Mode = "key" | "ids" | "memory";

interface LargeBody {
  readonly number: number;
  readonly mode: Mode;
  /** Answered: with `ack=memory` that is no promise. */
  answered: boolean;
}

function largeEvents({ number, mode }: LargeBody): object[] {
  return Array.from({ length: BODY_EVENTS }, (_, i) => ({
    event_type: "sealed",
    ...(mode !== "key" && { id: uuid(number * BODY_EVENTS + i) }),
    properties: { body: number, n: i, text: `${number} ${i % 900}` },
  }));
}

function sendLarge(url: string, body: LargeBody) {
  const headers = body.mode === "key" ? { "idempotency-key": `large-${body.number}` } : {};
  const search = body.mode === "memory" ? "?ack=memory" : "";
  return postBatch(url, largeEvents(body), headers, search);
}

/** One connection: large bodies until the server is gone. */
async function sendLargeUntilGone(
  server: TestServer,
  bodies: LargeBody[],
  random: () => number,
): Promise<void> {
  for (;;) {
    const modes: Mode[] = ["key", "ids", "memory"];
    const mode = modes[Math.floor(random() * 3)] as Mode;
    const body: LargeBody = { number: bodies.length, mode, answered: false };
    bodies.push(body);
    const answer = await sendLarge(server.url, body).catch(() => undefined);
    if (answer === undefined) return;
    expect(answer.status, answer.text).toBe(mode === "memory" ? 202 : 200);
    expect(answer.body).toMatchObject({ accepted: BODY_EVENTS, duplicates: 0 });
    body.answered = true;
  }
}

/** The bodies that are stored. Each is there whole and once, and each that was acknowledged is there. */
async function storedBodies(url: string, bodies: readonly LargeBody[]): Promise<Set<number>> {
  const { rows } = await sql(
    url,
    "SELECT properties.body, count(*), sum(properties.n), min(properties.n), max(properties.n) FROM events" +
      " GROUP BY properties.body",
  );
  const sum = (BODY_EVENTS * (BODY_EVENTS - 1)) / 2;
  for (const [number, ...figures] of rows) {
    expect(figures, `body ${number}`).toEqual([BODY_EVENTS, sum, 0, BODY_EVENTS - 1]);
  }
  const stored = new Set(rows.map(([number]) => Number(number)));
  for (const { number, mode, answered } of bodies) {
    if (answered && mode !== "memory") expect(stored.has(number), `body ${number}`).toBe(true);
  }
  return stored;
}

test(`${SEALING_ROUNDS} kills while segments are sealed, and as many while it recovers, seed ${SEED}`, {
  timeout: 20_000 + SEALING_ROUNDS * 10_000,
}, async () => {
  const data = dataFolder();
  const random = mulberry32(SEED + 2);
  const bodies: LargeBody[] = [];
  for (let round = 0; round < SEALING_ROUNDS; round++) {
    const recovering = spawnServer(data, ...SEALING_FLAGS);
    await delay(150 + random() * 350);
    await recovering.kill();
    const server = await startServer(data, ...SEALING_FLAGS);
    const stored = await storedBodies(server.url, bodies);
    // What has no answer, or only one that promises nothing, is sent again: then it is there once.
    for (const body of bodies) {
      if (body.answered && body.mode !== "memory") continue;
      const again = await sendLarge(server.url, {
        ...body,
        mode: body.mode === "key" ? "key" : "ids",
      });
      expect(again.status, again.text).toBe(200);
      const duplicates = body.mode !== "key" && stored.has(body.number) ? BODY_EVENTS : 0;
      expect(again.body).toMatchObject({ accepted: BODY_EVENTS - duplicates, duplicates });
      Object.assign(body, { answered: true, mode: body.mode === "key" ? "key" : "ids" });
    }
    expect((await storedBodies(server.url, bodies)).size).toBe(bodies.length);
    const senders = Array.from({ length: 3 }, () => sendLargeUntilGone(server, bodies, random));
    await delay(100 + random() * 500);
    await server.kill();
    await Promise.all(senders);
  }
  const server = await startServer(data, ...SEALING_FLAGS);
  await storedBodies(server.url, bodies);
  const { body } = await get<{ segments: number }>(server.url, "/api/v1/health");
  expect(body.segments).toBeGreaterThan(0);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});
