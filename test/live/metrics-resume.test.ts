import { describe, expect, it } from "vitest";
import { openFront } from "../../src/api/front.ts";
import type { Clock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { parseConfig } from "../../src/config.ts";
import type { FeedBounds } from "../../src/live/metrics-feed.ts";
import { MetricsHub, type Subscribed, type Subscriber } from "../../src/live/metrics-hub.ts";
import type { Page } from "../../src/live/metrics-page.ts";
import { type MetricsRequest, readMetricsParams } from "../../src/live/metrics-protocol.ts";
import type { Timers } from "../../src/live/metrics-timers.ts";
import type { WatchRequest } from "../../src/stream/messages.ts";
import type { Watch, WatchUpdate } from "../../src/stream/streams.ts";
import type { FinalPlace, WindowRow } from "../../src/stream/window-row.ts";
import { FakeEngine } from "../support/fake-engine.ts";
import { FakeStreams } from "../support/fake-streams.ts";
import { mulberry32 } from "../support/random.ts";
import { countRecord, countRow } from "../support/window-rows.ts";

type Random = () => number;

/** A rule as the stream thread runs it: windows open, change and become final, which is told after a commit. */
class RunningStreams extends FakeStreams {
  next = 1n;
  readonly #random: Random;
  readonly #open = new Map<string, WindowRow>();
  readonly #finals: WindowRow[] = [];
  #pending: WindowRow[] = [];
  #ready: WindowRow[] = [];
  #told = 0n;
  #minute = 0;
  readonly #keptMinutes: number;
  #dropped: FinalPlace | null = null;

  constructor(random: Random, keptMinutes: number) {
    super();
    this.#random = random;
    this.#keptMinutes = keptMinutes;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  rows(count: number): void {
    for (let i = 0; i < count; i++) {
      const minute = Math.max(0, this.#minute - this.#below(3));
      const source = `s${this.#below(4)}`;
      this.next++;
      const key = `${minute} ${source}`;
      const was = this.#open.get(key);
      const row = countRow(minute, source, (was?.count ?? 0) + 1, Number(this.next), {
        revision: (was?.revision ?? -1) + 1,
      });
      const isFinal = this.#finals.concat(this.#pending).some((one) => one.startUs === row.startUs);
      if (!isFinal && row.startUs >= this.#keptFromUs()) this.#open.set(key, row);
    }
  }

  /** Time goes on: with a row, or with a tick alone. */
  turn(byTick: boolean): void {
    if (!byTick) this.next++;
    const finalAt = byTick ? this.next + 1n : this.next;
    this.#minute++;
    for (const [key, row] of this.#open) {
      if (row.startUs >= countRow(this.#minute - 2, "", 0, 0).startUs) continue;
      this.#open.delete(key);
      this.#pending.push({ ...row, state: "final", changedAt: finalAt });
    }
  }

  commit(): void {
    while (this.#finals[0] && this.#finals[0].startUs < this.#keptFromUs()) {
      const { changedAt, endUs } = this.#finals.shift() as WindowRow;
      this.#dropped = { finalAt: changedAt, endUs };
    }
    this.#finals.push(...this.#pending);
    this.#ready.push(...this.#pending);
    this.#pending = [];
  }

  #keptFromUs(): bigint {
    return countRow(this.#minute - 2 - this.#keptMinutes, "", 0, 0).startUs;
  }

  get newestFinal(): string {
    const startUs = this.#finals.at(-1)?.startUs ?? 0n;
    return new Date(Number(startUs / 1000n)).toISOString();
  }

  #asOf(): bigint {
    const [first] = this.#pending;
    return first === undefined || first.changedAt > this.next ? this.next : first.changedAt - 1n;
  }

  tell(): void {
    const open = [...this.#open.values()].filter(({ changedAt }) => changedAt > this.#told);
    const rows = [...this.#ready, ...open];
    this.#ready = [];
    this.#told = this.next;
    if (rows.length > 0) this.update(1, { rows, asOf: this.#asOf() });
  }

  override async watch(
    request: WatchRequest,
    listener: (update: WatchUpdate) => void,
  ): Promise<Watch> {
    const { since } = request;
    const lastEnd = this.#finals.at(-1)?.endUs;
    const finals =
      since === null
        ? this.#finals.filter(({ endUs }) => endUs === lastEnd)
        : this.#finals.filter(({ changedAt }) => changedAt > since);
    const open = [...this.#open.values()].filter(({ changedAt }) => changedAt > (since ?? 0n));
    this.snapshot = { rows: [...finals, ...open], asOf: this.#asOf() };
    const dropped = this.#dropped;
    this.lost = since !== null && dropped !== null && dropped.finalAt > since ? dropped : null;
    return super.watch(request, listener);
  }
}

class RunningEngine extends FakeEngine {
  override readonly streams: RunningStreams;

  constructor(streams: RunningStreams) {
    super();
    this.streams = streams;
  }

  override nextSequence(): bigint {
    return this.streams.next;
  }
}

/** What is to be called after a while is called when a test says so; nothing is called again and again. */
class HandTimers implements Timers {
  #due = new Set<() => void>();

  monotonicMs(): number {
    return 0;
  }

  after(_ms: number, call: () => void): () => void {
    this.#due.add(call);
    return () => void this.#due.delete(call);
  }

  every(): () => void {
    return () => undefined;
  }

  run(): void {
    const due = this.#due;
    this.#due = new Set();
    for (const call of due) call();
  }
}

interface Shown {
  readonly start: string;
  readonly group: { readonly source: string };
  readonly values: { readonly n: number };
  readonly revision: number;
  readonly final: boolean;
}

/** Keeps what it was told, as a client would, and checks that nothing goes back. */
class Client implements Subscriber {
  isGone = false;
  behind = false;
  cursor: string | null = null;
  subscribed: Subscribed | null = null;
  messages = 0;
  repeats = 0;
  readonly told: string[] = [];
  readonly windows = new Map<string, Shown>();
  /** Start of the newest final window when it was told of a gap. */
  gapAt = "";
  readonly #streams: RunningStreams;

  constructor(streams: RunningStreams) {
    this.#streams = streams;
  }

  get hadGap(): boolean {
    return this.told.includes("gap");
  }

  isBehind(): boolean {
    return this.behind;
  }

  page(page: Page): void {
    const message = JSON.parse(page.message("m1", false).toString()) as {
      windows: Shown[];
      cursor: string;
    };
    this.messages++;
    this.cursor = message.cursor;
    for (const window of message.windows) {
      const key = `${window.start} ${window.group.source}`;
      const was = this.windows.get(key);
      if (was !== undefined) {
        expect(was.revision).toBeLessThanOrEqual(window.revision);
        expect(was.final && !window.final).toBe(false);
        if (was.revision === window.revision && was.final === window.final) this.repeats++;
      }
      this.windows.set(key, window);
    }
  }

  begun(): void {}

  tell(message: object): void {
    const { type } = message as { type: string };
    this.told.push(type);
    if (type !== "gap") return;
    this.windows.clear();
    this.gapAt = this.#streams.newestFinal;
  }

  failed(error: unknown): void {
    throw error;
  }

  ended(): void {}
}

const clock: Clock = { nowUs: () => 0n, monotonicMs: () => 0 };

async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

function requestOf(cursor: string | null): MetricsRequest {
  return readMetricsParams({ rule: "counts", pace: "100ms", ...(cursor !== null && { cursor }) });
}

function openHub(engine: RunningEngine, bounds: FeedBounds): [MetricsHub, HandTimers] {
  const config = parseConfig([], {});
  const front = openFront({ config, engine, log: silentLog, clock, version: "test" });
  const timers = new HandTimers();
  return [new MetricsHub(front, timers, bounds), timers];
}

async function connect(hub: MetricsHub, client: Client): Promise<void> {
  client.isGone = false;
  client.subscribed = await hub.subscribe(requestOf(client.cursor), client);
}

describe("subscribers that come and go at random", () => {
  it.each([
    [1, { entriesMax: 1000, finalsMax: 1000 }, 10_000],
    [2, { entriesMax: 1000, finalsMax: 3 }, 10_000],
    [3, { entriesMax: 6, finalsMax: 2 }, 10_000],
    [4, { entriesMax: 30, finalsMax: 10 }, 10_000],
    [5, { entriesMax: 1000, finalsMax: 10 }, 5],
    [8, { entriesMax: 1000, finalsMax: 10 }, 5],
    [9, { entriesMax: 1000, finalsMax: 10 }, 8],
    [10, { entriesMax: 1000, finalsMax: 10 }, 8],
  ])("end as one that never left (seed %i, %j, minutes kept: %i)", async (seed, bounds, kept) => {
    const random = mulberry32(seed);
    const streams = new RunningStreams(random, kept);
    const engine = new RunningEngine(streams);
    await streams.change([countRecord(1)], []);
    let [hub, timers] = openHub(engine, bounds);
    const faithful = new Client(streams);
    const clients = Array.from({ length: 6 }, () => new Client(streams));
    for (const client of [faithful, ...clients]) await connect(hub, client);
    for (let step = 0; step < 600; step++) {
      const dice = random();
      if (dice < 0.5) streams.rows(1 + Math.floor(random() * 3));
      else if (dice < 0.65) streams.turn(random() < 0.5);
      else if (dice < 0.8) streams.commit();
      if (random() < 0.5) streams.tell();
      if (random() < 0.4) timers.run();
      for (const client of clients) {
        const roll = random();
        if (roll < 0.05 && client.subscribed !== null && client.cursor !== null) {
          client.isGone = true;
          client.subscribed.close();
          client.subscribed = null;
        } else if (roll < 0.15 && client.subscribed === null) {
          await connect(hub, client);
        } else if (roll < 0.3) {
          client.behind = !client.behind;
          if (!client.behind) client.subscribed?.resume();
        }
      }
      await settled();
      if (step === 300) {
        // The server starts again: all of them come back with what they have.
        streams.tell();
        timers.run();
        await settled();
        for (const client of [faithful, ...clients]) client.subscribed?.close();
        hub.close();
        [hub, timers] = openHub(engine, bounds);
        for (const client of [faithful, ...clients]) await connect(hub, client);
      }
    }
    streams.commit();
    streams.tell();
    for (const client of clients) {
      client.behind = false;
      if (client.subscribed === null) await connect(hub, client);
      else client.subscribed.resume();
    }
    for (let i = 0; i < 5; i++) {
      timers.run();
      await settled();
    }
    expect([faithful.hadGap, faithful.windows.size > 80]).toEqual([false, true]);
    for (const client of clients) {
      // Who was told of a gap has what came after it; nobody lacks anything without a word.
      const after = ({ windows }: Client) =>
        [...windows].filter(([, { start }]) => start >= client.gapAt).sort();
      expect(after(client)).toEqual(after(faithful));
      for (const [key, window] of client.windows) {
        expect(window).toEqual(faithful.windows.get(key));
      }
    }
    expect(clients.some(({ hadGap }) => hadGap)).toBe(kept < 10);
    const coalesced = clients.flatMap(({ told }) => told.filter((type) => type === "coalesced"));
    expect(coalesced.length).toBeGreaterThan(0);
    // A log without room is read again and again; otherwise nothing comes twice.
    const repeats = [faithful, ...clients].reduce((sum, client) => sum + client.repeats, 0);
    if (bounds.finalsMax === 1000) expect(repeats).toBe(0);
  });
});
