import type { Clock } from "../base/clock.ts";
import type { WindowStore } from "../rollup/store.ts";
import type { Tiers } from "../rollup/tiers.ts";
import { encodePart, partKey } from "./checkpoint-bytes.ts";
import type { RuleStats, StreamWrite } from "./messages.ts";
import type { Rule } from "./rule.ts";
import type { RuleRecord } from "./rule-record.ts";
import type { RuleSink, RuleState, RuleStateStats, StatePart } from "./rule-state.ts";
import { noWatermark, type TimedChunk } from "./timed-chunk.ts";
import type { FinalWindow, TooLate, WindowRow } from "./window-row.ts";

export interface RunningRuleParts {
  readonly clock: Clock;
  readonly store: WindowStore;
  state(rule: Rule, sink: RuleSink): RuleState;
  /** Coarser windows; null: the rule has none. */
  tiers(rule: Rule): Tiers | null;
  rows(rule: Rule, windows: readonly FinalWindow[]): WindowRow[];
}

/** Windows that are told to whoever watches the rule. */
export interface RuleNews {
  readonly rows: readonly WindowRow[];
  readonly asOf: bigint;
}

/**
 * A version of a rule on the stream thread: its record, its open windows while it takes rows, and what its watchers
 * have not been told yet.
 */
export class RunningRule implements RuleSink {
  record: RuleRecord;
  watchers = 0;
  /** What was written of its state, as latin1 texts. */
  readonly partKeys = new Set<string>();
  readonly #parts: RunningRuleParts;
  #state: RuleState | null;
  #tiers: Tiers | null;
  #last: RuleStateStats | null = null;
  /** Final windows that are not on disk: since the last checkpoint was begun, and those that the one on its way has. */
  #finals: FinalWindow[] = [];
  #leaving: FinalWindow[] = [];
  #ready: FinalWindow[] = [];
  /** The last final window of a passing rule, which is stored nowhere else. */
  #passed: FinalWindow | null = null;
  #toldTo = 0n;
  /** What time has come to without a row, and whether that was after watchers were told. */
  #watermarkUs = noWatermark;
  #isLater = false;
  #busyMs = 0;
  #batches = 0;
  #finalWindows = 0;

  constructor(record: RuleRecord, parts: RunningRuleParts) {
    this.record = record;
    this.#parts = parts;
    this.#state = record.state === "replaced" ? null : parts.state(record.rule, this);
    this.#tiers = record.state === "live" ? parts.tiers(record.rule) : null;
  }

  get rule(): Rule {
    return this.record.rule;
  }

  get isPassing(): boolean {
    return this.record.state === "passing";
  }

  /** Null once it is replaced. */
  get state(): RuleState | null {
    return this.#state;
  }

  /** There are final windows that watchers wait for. */
  get hasFinals(): boolean {
    return this.#finals.length > 0;
  }

  final(rule: Rule, window: FinalWindow): void {
    this.#finalWindows++;
    if (this.isPassing) {
      this.#passed = window;
      if (this.watchers > 0) this.#ready.push(window);
      return;
    }
    this.#parts.store.put(rule, 0, window);
    this.#tiers?.final(window);
    this.#finals.push(window);
  }

  /** A stored window was computed again. */
  recomputed(window: FinalWindow): void {
    this.#finals.push(window);
  }

  tooLate(rule: Rule, late: TooLate): void {
    if (this.isPassing) return;
    this.#parts.store.tooLate(rule, late);
    this.#tiers?.tooLate(late);
  }

  /** `next` is the sequence after the chunk. */
  take(chunk: TimedChunk, next: bigint): void {
    const state = this.#state;
    if (state === null) return;
    const { clock } = this.#parts;
    const startMs = clock.monotonicMs();
    if (this.record.paused) {
      // Its windows become final as time goes on, without the rows that come meanwhile.
      this.incomplete();
      this.advance(chunk.watermarkAfterUs, next);
    } else {
      const { dropped } = state;
      state.add(chunk);
      this.#advanceTiers(chunk.watermarkAfterUs);
      if (state.dropped > dropped) this.incomplete();
      this.#batches++;
    }
    this.#busyMs += clock.monotonicMs() - startMs;
  }

  /** Some rows are in none of its windows. */
  incomplete(): void {
    if (this.record.complete) this.record = { ...this.record, complete: false };
  }

  /** `sequence` is that of the next row. */
  advance(watermarkUs: bigint, sequence: bigint): void {
    if (watermarkUs === noWatermark) return;
    if (watermarkUs > this.#watermarkUs) {
      this.#watermarkUs = watermarkUs;
      this.#isLater = true;
    }
    this.#state?.advance(watermarkUs, sequence);
    this.#advanceTiers(watermarkUs);
  }

  #advanceTiers(watermarkUs: bigint): void {
    if (watermarkUs > noWatermark) this.#tiers?.advance(watermarkUs);
  }

  duplicates(timestampsUs: readonly bigint[]): void {
    if (!this.record.paused) this.#state?.duplicates(timestampsUs);
  }

  /** Stores the open windows as they are, and takes no more rows. */
  replace(sequence: bigint): void {
    for (const window of this.#state?.openPartials(null, null) ?? []) {
      this.final(this.rule, { ...window, finalAt: sequence });
    }
    this.#tiers?.closeAll();
    this.close();
  }

  /** What has changed of its state since this was last called. */
  dirtyWrites(): StreamWrite[] {
    const { number } = this.rule;
    return (this.#state?.dirtyParts() ?? []).map((part): StreamWrite => {
      const text = Buffer.from(part.key).toString("latin1");
      if (part.bytes === null) this.partKeys.delete(text);
      else this.partKeys.add(text);
      return { table: "stream", key: partKey(number, part.key), value: encodePart(part) };
    });
  }

  /** Coarser windows of which some parts are not final yet, and final parts of those. */
  openTiers(tier: number, fromUs: bigint | null, toUs: bigint | null): FinalWindow[] {
    const windows: FinalWindow[] = [];
    for (let i = tier; i > 0; i--) windows.push(...(this.#tiers?.open(i, fromUs, toUs) ?? []));
    return windows;
  }

  /** Windows of tiers that ended by then are stored; null: there are no tiers. */
  get tiersToUs(): bigint | null {
    return this.#tiers?.storedToUs ?? null;
  }

  /** Stored windows of a tier from here on are needed, whatever their retention; null: none are. */
  neededFrom(tier: number): bigint | null {
    return this.#tiers?.neededFrom(tier) ?? null;
  }

  /** Stored windows with these starts were replaced by others: what is merged from them is merged again. */
  refold(startsUs: Iterable<bigint>): void {
    this.#tiers?.refold(startsUs);
  }

  /** `watermarkUs` is that of the checkpoint. */
  restore(parts: readonly StatePart[], watermarkUs: bigint): void {
    for (const { key } of parts) this.partKeys.add(Buffer.from(key).toString("latin1"));
    this.#state?.restore(parts);
    if (watermarkUs > noWatermark) this.#tiers?.restore(watermarkUs);
  }

  /** A checkpoint is on its way that has all final windows. */
  leave(): void {
    this.#leaving.push(...this.#finals);
    this.#finals = [];
  }

  /** It has arrived. */
  committed(): void {
    if (this.watchers > 0) this.#ready.push(...this.#leaving);
    this.#leaving = [];
  }

  /**
   * The sequence as of which watchers know everything when they have what was told: windows that became final later
   * are not on disk yet, and whoever resumes must be given them.
   */
  #toldAsOf(next: bigint): bigint {
    const first = this.#leaving[0] ?? this.#finals[0];
    return first !== undefined && first.finalAt <= next ? first.finalAt - 1n : next;
  }

  /** There may be something that watchers have not been told; `next` is the next sequence. */
  hasNews(next: bigint): boolean {
    return this.#ready.length > 0 || this.#isLater || this.#toldTo < next;
  }

  /** What watchers have not been told; `next` is the next sequence. Null: nothing. */
  news(next: bigint): RuleNews | null {
    const ready = this.#ready;
    this.#ready = [];
    const mayDiffer = this.#isLater || this.#toldTo < next;
    const open = mayDiffer ? (this.#state?.open(this.#toldTo) ?? []) : [];
    this.#toldTo = next;
    this.#isLater = false;
    if (ready.length === 0 && open.length === 0) return null;
    const rows = ready.length === 0 ? open : [...this.#parts.rows(this.rule, ready), ...open];
    return { rows, asOf: this.#toldAsOf(next) };
  }

  /** Nobody watches: what is on disk and nobody was told is in the first watcher's snapshot. */
  forget(): void {
    this.#ready = [];
  }

  /** What a new watcher begins with; `finals` are those that are on disk. */
  snapshot(next: bigint, since: bigint, finals: readonly FinalWindow[]): RuleNews {
    const shown = this.#passed === null ? finals : [this.#passed];
    this.#toldTo = next;
    const rows = [...this.#parts.rows(this.rule, shown), ...(this.#state?.open(since) ?? [])];
    return { rows, asOf: this.#toldAsOf(next) };
  }

  /** The sequence from which on final windows are not on disk yet; null: there are none. */
  get pendingFrom(): bigint | null {
    return (this.#leaving[0] ?? this.#finals[0])?.finalAt ?? null;
  }

  stats(backfillRows: number): RuleStats {
    const { rule, watchers } = this;
    const state = this.#state?.stats ?? this.#last;
    return {
      rule: rule.number,
      name: rule.name,
      version: rule.version,
      rows: state?.rows ?? 0,
      tooLate: state?.tooLate ?? 0,
      dropped: state?.dropped ?? 0,
      overflowed: state?.overflowed ?? 0,
      openWindows: this.#state?.stats.openWindows ?? 0,
      openGroups: this.#state?.stats.openGroups ?? 0,
      memoryBytes: this.#state?.stats.memoryBytes ?? 0,
      finalWindows: this.#finalWindows,
      busyMs: this.#busyMs,
      batches: this.#batches,
      watchers,
      backfillRows,
    };
  }

  close(): void {
    if (this.#state === null) return;
    this.#last = { ...this.#state.stats };
    this.#state.close();
    this.#state = null;
    this.#tiers = null;
  }
}
