// The stream thread's work without the thread: rows in, windows out. See docs/windows.md.

import { packFailure } from "../engine/failure.ts";
import { InputError, type LimitError, MillraceError } from "../errors.ts";
import type { Snapshot } from "../query/segments/source.ts";
import { Backfills } from "./backfill.ts";
import {
  decodePart,
  decodeTime,
  encodeTime,
  partRange,
  type StoredTime,
  timeKey,
} from "./checkpoint-bytes.ts";
import { Checkpoints } from "./checkpoints.ts";
import { indexMax, type Position } from "./duplicates.ts";
import { Follower, type FollowerParts } from "./follower.ts";
import { Forgetting } from "./forgetting.ts";
import type { StreamAnswer, StreamRequest, StreamWrite } from "./messages.ts";
import { Recomputation } from "./recompute.ts";
import { decodeRecord, numberOfKey } from "./record-bytes.ts";
import { expireWindows } from "./retention.ts";
import { reflectedFrom } from "./rollup-windows.ts";
import type { RuleRecord } from "./rule-record.ts";
import { RuleSet, type StoredBefore } from "./rule-set.ts";
import type { RunningRule } from "./running-rule.ts";
import { type FinalsFound, windowNewest, windowsFinal, windowsWithin } from "./stored-windows.ts";
import type { StreamParts } from "./stream-parts.ts";
import { StreamReport } from "./stream-report.ts";

/** Rows that a read of windows waits for: some tens of milliseconds. */
const CAUGHT_UP_ROWS = 262_144;
const noFinals: FinalsFound = { windows: [], lost: null };
/** Telling watchers takes at most one part in so many of the time. */
const NEWS_SHARE = 5;

interface Tick {
  readonly sequence: bigint;
  readonly receivedAtUs: bigint;
}

/**
 * Takes rows chunk by chunk and whatever else happens in the order of the stream. Whoever drives it calls `step` while
 * it answers true, and `attend` in between: nothing here waits or reads a clock but for pacing.
 */
export class StreamProcessor {
  readonly #parts: StreamParts;
  readonly #followers: FollowerParts;
  readonly #live: Follower;
  readonly #backfills: Backfills;
  readonly #forgetting: Forgetting;
  readonly #rules: RuleSet;
  readonly #checkpoints: Checkpoints;
  readonly #report: StreamReport;
  #ticks: Tick[] = [];
  #recomputations: Recomputation[] = [];
  /** Milliseconds that the live rules took and background work has not. */
  #credit = 0;
  #changed = false;
  /** Somebody has watched a rule since it began. */
  #wasWatched = false;
  #stopping = false;
  /** When watchers are told again. */
  #newsDueMs = Number.NEGATIVE_INFINITY;

  /** Goes on from the newest checkpoint. @throws CorruptionError */
  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#report = new StreamReport(parts);
    this.#followers = {
      scope: parts.scope,
      duplicates: parts.table("duplicates"),
      gone: (from, to) => this.#report.gone(from, to),
      noRoom: (rule, error) => this.#noRoom(rule, error),
    };
    const stored = this.#storedTime();
    this.#live = this.#follower(
      stored?.position ?? { next: this.#storedNow().oldest, duplicates: 0 },
      stored?.time ?? null,
    );
    this.#backfills = new Backfills((position, time) => this.#follower(position, time));
    this.#forgetting = new Forgetting({ stream: parts.table("stream"), drop: parts.drop });
    this.#rules = new RuleSet(parts, this.#live, this.#backfills, this.#forgetting);
    this.#checkpoints = new Checkpoints({
      clock: parts.clock,
      intervalMs: parts.settings.checkpointIntervalMs,
      collect: () => this.#collect(),
      commit: parts.commit,
      committed: () => this.#committed(),
    });
    this.#checkpoints.reflected = this.#live.next;
    this.#rules.nextNumber = stored?.nextNumber || 1;
    this.#restoreRules();
    const { records, nextNumber } = this.#rules;
    parts.emit({ type: "ready", rules: records, asOf: this.#live.next, nextNumber });
  }

  #follower(position: Position, encoded: Uint8Array | null): Follower {
    const time = this.#parts.time();
    if (encoded) time.restore(encoded);
    return new Follower(position, time, this.#followers);
  }

  #storedTime(): StoredTime | null {
    const key = timeKey(0);
    const value = this.#parts.table("stream").get(key);
    return value === undefined ? null : decodeTime(key, value);
  }

  #storedNow(): StoredBefore {
    const snapshot = this.#parts.source.snapshot(0n);
    const { segments } = snapshot;
    snapshot.release();
    const maxUs = segments.reduce<bigint | null>(
      (max, { rows, timeMaxUs }) =>
        rows > 0 && (max === null || timeMaxUs > max) ? timeMaxUs : max,
      null,
    );
    return { oldest: oldestOf(snapshot), maxUs };
  }

  #restoreRules(): void {
    const stream = this.#parts.table("stream");
    const records: RuleRecord[] = [];
    const rules = this.#parts.table("rules").range(new Uint8Array(0), new Uint8Array(5).fill(255));
    for (const { key, value } of rules) records.push(decodeRecord(numberOfKey(key), value));
    for (const record of records) {
      const key = timeKey(record.rule.number);
      const value = record.backfill && stream.get(key);
      const rule = this.#rules.restore(record, value ? decodeTime(key, value) : null);
      if (rule.state === null) continue;
      const { from, to } = partRange(record.rule.number);
      const parts = [];
      for (const entry of stream.range(from, to)) parts.push(decodePart(entry.key, entry.value));
      const behind = this.#backfills.of(record.rule.number)?.follower ?? this.#live;
      rule.restore(parts, behind.time.watermarkUs());
    }
  }

  /** The next row that live rules take. */
  get next(): bigint {
    return this.#live.next;
  }

  /** What its reads and writes reflect is on disk. */
  get isCommitted(): boolean {
    return !this.#changed && !this.#checkpoints.isInFlight;
  }

  /** Only live rules go on: the rest goes on after the next start. */
  stop(): void {
    this.#stopping = true;
  }

  /** Takes the next rows, if there are any; then some for rules that are behind. True: there may be more. */
  step(): boolean {
    const { clock, settings, source } = this.#parts;
    const snapshot = source.snapshot(this.#oldestNeeded());
    try {
      const startMs = clock.monotonicMs();
      const taken = this.#takeLive(snapshot, settings.chunkRows);
      const tookMs = clock.monotonicMs() - startMs;
      const worked = this.#background(snapshot, taken > 0 ? tookMs : null);
      return taken > 0 || worked;
    } finally {
      snapshot.release();
    }
  }

  #oldestNeeded(): bigint {
    let oldest = this.#live.next;
    const behind = this.#backfills.oldest;
    if (behind !== null && behind < oldest) oldest = behind;
    for (const { next } of this.#recomputations) if (next < oldest) oldest = next;
    return oldest;
  }

  #takeLive(snapshot: Snapshot, rowsMax: number): number {
    const live = this.#live;
    const before = live.position;
    let taken = 0;
    for (;;) {
      const tick = this.#ticks[0];
      const end = tick && tick.sequence < snapshot.asOf ? tick.sequence : snapshot.asOf;
      const to = { next: end < live.next ? live.next : end, duplicates: indexMax };
      taken += live.advance(snapshot, to, rowsMax - taken);
      if (tick === undefined || live.next < tick.sequence) break;
      this.#ticks.shift();
      // What came after the tick has brought time further than the tick does.
      if (live.next === tick.sequence) this.#tickNow(tick);
      if (taken >= rowsMax) break;
    }
    if (!live.isAt(before)) this.#changed = true;
    return taken;
  }

  /** One that brings time no further need not be known after a restart. */
  #tickNow({ receivedAtUs }: Tick): void {
    const before = this.#live.time.watermarkUs();
    this.#live.tick(receivedAtUs);
    if (this.#live.time.watermarkUs() > before) this.#changed = true;
  }

  /** Half of the time at most while there are live rows; `liveMs` null: there are none. */
  #background(snapshot: Snapshot, liveMs: number | null): boolean {
    if (this.#stopping) return false;
    if (this.#backfills.list.length === 0 && this.#recomputations.length === 0) {
      this.#credit = 0;
      return false;
    }
    this.#credit = liveMs === null ? 0 : this.#credit + liveMs;
    do {
      const startMs = this.#parts.clock.monotonicMs();
      this.#slice(snapshot);
      this.#credit -= this.#parts.clock.monotonicMs() - startMs;
    } while (liveMs !== null && this.#credit > 0 && this.#hasBackground());
    return true;
  }

  #hasBackground(): boolean {
    return this.#backfills.list.length > 0 || this.#recomputations.length > 0;
  }

  #slice(snapshot: Snapshot): void {
    this.#changed = true;
    const [recomputation] = this.#recomputations;
    if (recomputation) {
      if (recomputation.step(snapshot, this.#live)) this.#recomputations.shift();
      return;
    }
    for (const rule of this.#backfills.step(snapshot, this.#live)) {
      if (rule.isPassing) continue;
      this.#parts.emit({ type: "rule", record: rule.record });
    }
  }

  /** Nothing was received up to `receivedAtUs`; rows below `sequence` were published. */
  tick(sequence: bigint, receivedAtUs: bigint): void {
    if (sequence < this.#live.next) return;
    this.#ticks.push({ sequence, receivedAtUs });
    // While nothing comes they follow each other: the last one says it all.
    const before = this.#ticks.at(-2);
    if (before?.sequence === sequence) this.#ticks.splice(-2, 1);
  }

  /** Does what is due; answers the milliseconds until something is again. */
  attend(): number {
    const { clock, settings } = this.#parts;
    const watched = [...this.#rules.values()].filter(({ watchers }) => watchers > 0);
    const news = watched.filter((rule) => rule.hasNews(this.#nextOf(rule)));
    let wait = Number.POSITIVE_INFINITY;
    // While there are none it sleeps until rows come: what they change is told with them.
    if (news.length > 0) {
      if (clock.monotonicMs() >= this.#newsDueMs) {
        const startMs = clock.monotonicMs();
        for (const rule of news) this.#tell(rule);
        const tookMs = clock.monotonicMs() - startMs;
        this.#newsDueMs = startMs + Math.max(settings.paceMs, tookMs * NEWS_SHARE);
      }
      wait = Math.max(0, this.#newsDueMs - clock.monotonicMs());
    }
    const isForgetting = !this.#forgetting.isDone;
    if (this.#changed || isForgetting) {
      const soon = isForgetting || watched.some(({ hasFinals }) => hasFinals);
      if (this.#checkpoints.dueInMs(soon) === 0) this.checkpoint();
      else wait = Math.min(wait, this.#checkpoints.dueInMs(soon));
    }
    if (this.#report.dueInMs() === 0) {
      this.#report.send(this.#live, this.#rules, this.#backfills, this.#checkpoints);
    }
    return Math.min(wait, this.#report.dueInMs());
  }

  /** The next row that the rule takes, which may be behind. */
  #nextOf({ rule }: RunningRule): bigint {
    return (this.#backfills.of(rule.number)?.follower ?? this.#live).next;
  }

  #tell(rule: RunningRule): void {
    try {
      const news = rule.news(this.#nextOf(rule));
      if (news) this.#parts.emit({ type: "updates", rule: rule.rule.number, ...news });
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      const name = JSON.stringify(rule.rule.name);
      this.#report.warn(
        `news ${rule.rule.number}`,
        `rule ${name}: its windows can't be told: ${error.message}`,
      );
    }
  }

  /** Begins a checkpoint, unless one is on its way. */
  checkpoint(): void {
    if (this.#checkpoints.isInFlight) return;
    this.#changed = false;
    this.#checkpoints.begin();
  }

  #collect(): { writes: StreamWrite[]; reflected: bigint } {
    const watermarkUs = this.#live.time.watermarkUs();
    if (expireWindows(this.#parts.store, this.#rules.values(), watermarkUs)) this.#changed = true;
    const { position, time } = this.#live;
    const writes = this.#rules.writes((record) => this.#parts.emit({ type: "rule", record }));
    writes.push(...this.#forgetting.writes(), ...this.#parts.storeWrites());
    const value = encodeTime({
      position,
      time: time.encode(),
      nextNumber: this.#rules.nextNumber,
    });
    writes.push({ table: "stream", key: timeKey(0), value });
    for (const rule of this.#rules.values()) rule.leave();
    return { writes, reflected: position.next };
  }

  committed(id: number): void {
    this.#checkpoints.committed(id);
  }

  #committed(): void {
    this.#parts.committed();
    for (const rule of this.#rules.values()) {
      rule.committed();
      if (rule.watchers > 0) this.#tell(rule);
    }
  }

  /** Answers by `emit`, some requests later than others. */
  request(id: number, request: StreamRequest): void {
    try {
      const answer = this.#answer(id, request);
      if (answer !== null) this.#parts.emit({ type: "answer", id, answer });
    } catch (error) {
      this.#parts.emit({ type: "failed", id, failure: packFailure(error) });
    }
  }

  #answer(id: number, request: StreamRequest): StreamAnswer | null {
    switch (request.type) {
      case "rules":
        return this.#change(id, request.put, request.gone);
      case "windows":
        return this.#windows(request);
      case "watch":
        return this.#watch(request.watch.rule, request.watch.since);
      case "unwatch": {
        const rule = this.#rules.get(request.rule);
        if (rule) rule.watchers = 0;
        return { type: "unwatch" };
      }
      case "rollup":
        return this.#rollup(request);
      case "recompute":
        return this.#recompute(id, request);
    }
  }

  #rule(number: number): RunningRule {
    const rule = this.#rules.get(number);
    if (rule) return rule;
    throw new InputError("unknown_rule", `there is no rule of number ${number}`, {}, 404);
  }

  #change(id: number, put: readonly RuleRecord[], gone: readonly number[]): StreamAnswer | null {
    const before = this.#storedNow();
    let stored = false;
    for (const record of put) stored = !this.#rules.put(record, before).isPassing || stored;
    for (const number of gone) {
      stored = this.#rules.get(number)?.isPassing === false || stored;
      this.#recomputations = this.#recomputations.filter((one) => {
        if (one.rule.rule.number !== number) return true;
        one.cancel();
        return false;
      });
      this.#rules.remove(number);
    }
    if (!stored) return { type: "rules" };
    this.#changed = true;
    const answer: StreamAnswer = { type: "rules" };
    this.#checkpoints.after(() => this.#parts.emit({ type: "answer", id, answer }));
    return null;
  }

  #windows({ request }: Extract<StreamRequest, { type: "windows" }>): StreamAnswer {
    const { clock, read } = this.#parts;
    const rule = this.#rule(request.rule);
    // Whose events were acknowledged finds them here; who is far behind answers with what it has.
    this.#catchUp(CAUGHT_UP_ROWS, () => null);
    const startMs = clock.monotonicMs();
    const { next, time } = this.#backfills.of(request.rule)?.follower ?? this.#live;
    const found = read(rule, request, time.watermarkUs(), next);
    const executionUs = Math.round((clock.monotonicMs() - startMs) * 1000);
    return { type: "windows", answer: { ...found, asOf: next, executionUs } };
  }

  #watch(number: number, since: bigint | null): StreamAnswer {
    const rule = this.#rule(number);
    // Who watched before the process ended was told of all that was published then: no window goes back.
    if (!this.#wasWatched) this.#catchUp(Number.POSITIVE_INFINITY, () => null);
    this.#wasWatched = true;
    // Those who watch already are told what the snapshot has: what follows is news for all.
    if (rule.watchers > 0) this.#tell(rule);
    else rule.forget();
    const { store } = this.#parts;
    const { windows, lost } = rule.isPassing
      ? noFinals
      : since === null
        ? { windows: windowNewest(store, number, rule.pendingFrom), lost: null }
        : windowsFinal(store, number, since + 1n, rule.pendingFrom);
    const { rows, asOf } = rule.snapshot(this.#nextOf(rule), since ?? 0n, windows);
    rule.watchers++;
    return { type: "watch", rows, asOf, lost };
  }

  #rollup({ question }: Extract<StreamRequest, { type: "rollup" }>): StreamAnswer {
    const none = (why: string): StreamAnswer => ({ type: "rollup", result: null, part: null, why });
    // Who asks about events has chosen the rule, and doesn't mind that it was removed meanwhile.
    const rule = this.#rules.get(question.rule);
    if (rule === undefined) return none("the rule was removed");
    // Everything that is published when the question comes is in its answer.
    const oldest = this.#catchUp(Number.POSITIVE_INFINITY, oldestOf);
    const reflectedFromUs = reflectedFrom(rule.record, {
      oldest,
      droppedMaxUs: this.#parts.source.droppedMaxUs(),
    });
    if (typeof reflectedFromUs === "string") return none(reflectedFromUs);
    if (rule.state === null) return none("the rule was replaced");
    const { next: asOf, time } = this.#live;
    const watermarkUs = time.watermarkUs();
    const bounds = { reflectedFromUs, watermarkUs, tiersToUs: rule.tiersToUs, asOf, oldest };
    return { type: "rollup", ...this.#parts.rollup(rule.rule, rule.state, question, bounds) };
  }

  /** Takes everything that is published now, unless it is more than so many rows, then looks at it. */
  #catchUp<T>(rowsMax: number, look: (snapshot: Snapshot) => T): T {
    const snapshot = this.#parts.source.snapshot(this.#live.next);
    try {
      const isNear = Number(snapshot.asOf - this.#live.next) <= rowsMax;
      while (isNear && this.#live.next < snapshot.asOf) {
        if (this.#takeLive(snapshot, this.#parts.settings.chunkRows) === 0) break;
      }
      return look(snapshot);
    } finally {
      snapshot.release();
    }
  }

  #recompute(id: number, request: Extract<StreamRequest, { type: "recompute" }>): null {
    const rule = this.#rule(request.rule);
    if (rule.record.backfill !== null) {
      const name = JSON.stringify(rule.rule.name);
      throw new InputError("rule_behind", `rule ${name}: its backfill is not done`, {}, 409);
    }
    const { emit } = this.#parts;
    const { store, directory } = this.#parts;
    this.#recomputations.push(
      new Recomputation(this.#parts, rule, request, {
        stored: ({ fromUs, toUs }) => {
          const groups = directory(request.rule).count;
          return windowsWithin(store, request.rule, groups, fromUs, toUs);
        },
        done: (answer) => {
          this.#changed = true;
          this.#checkpoints.after(() =>
            emit({ type: "answer", id, answer: { type: "recompute", ...answer } }),
          );
        },
        failed: (failure) => emit({ type: "failed", id, failure }),
      }),
    );
    return null;
  }

  #noRoom(rule: RunningRule, error: LimitError): void {
    const { record } = rule;
    rule.record = { ...record, paused: true, complete: false };
    this.#report.warn(
      `room ${record.rule.number}`,
      `rule ${JSON.stringify(record.rule.name)} is paused as of sequence ${this.#nextOf(rule)}: ` +
        error.message,
    );
  }
}

function oldestOf({ oldest, segments, asOf }: Snapshot): bigint {
  return oldest ?? segments[0]?.firstSequence ?? asOf;
}
