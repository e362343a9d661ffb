import type { Backfills } from "./backfill.ts";
import { encodeTime, type StoredTime, timeKey } from "./checkpoint-bytes.ts";
import type { Follower } from "./follower.ts";
import type { Forgetting } from "./forgetting.ts";
import type { StreamWrite } from "./messages.ts";
import { encodeRecord, recordKey } from "./record-bytes.ts";
import type { RuleRecord } from "./rule-record.ts";
import { RunningRule } from "./running-rule.ts";
import type { StreamParts } from "./stream-parts.ts";

/** What is stored when a rule comes: the first sequence, and the greatest timestamp; null: there are no events. */
export interface StoredBefore {
  readonly oldest: bigint;
  readonly maxUs: bigint | null;
}

/** All versions of all rules: those that follow the stream, and those that only keep windows. */
export class RuleSet {
  readonly #parts: StreamParts;
  readonly #live: Follower;
  readonly #backfills: Backfills;
  readonly #forgetting: Forgetting;
  readonly #rules = new Map<number, RunningRule>();
  /** The record that is written, or on its way. */
  readonly #written = new Map<number, RuleRecord>();
  /** Rules whose event time is stored. */
  readonly #timed = new Set<number>();
  #gone: StreamWrite[] = [];
  /** Above every number that a stored rule ever had. */
  nextNumber = 1;

  constructor(parts: StreamParts, live: Follower, backfills: Backfills, forgetting: Forgetting) {
    this.#parts = parts;
    this.#live = live;
    this.#backfills = backfills;
    this.#forgetting = forgetting;
  }

  get(number: number): RunningRule | undefined {
    return this.#rules.get(number);
  }

  values(): IterableIterator<RunningRule> {
    return this.#rules.values();
  }

  get records(): RuleRecord[] {
    return [...this.#rules.values()].filter((one) => !one.isPassing).map(({ record }) => record);
  }

  /** From a checkpoint. `position` and `time` are those of a rule that is behind. */
  restore(record: RuleRecord, stored: Omit<StoredTime, "nextNumber"> | null): RunningRule {
    const rule = new RunningRule(record, this.#parts);
    const { number } = record.rule;
    this.#numbered(number);
    this.#rules.set(number, rule);
    this.#written.set(number, record);
    if (stored) this.#timed.add(number);
    if (rule.state === null) return rule;
    if (record.backfill === null) this.#live.rules.set(number, rule);
    else {
      const { from } = record.backfill;
      const position = stored?.position ?? { next: from, duplicates: 0 };
      this.#backfills.add(rule, from, position, stored?.time ?? null);
    }
    return rule;
  }

  #numbered(number: number): void {
    if (number >= this.nextNumber) this.nextNumber = number + 1;
  }

  /** Takes a new version, or what has changed of a known one. */
  put(record: RuleRecord, { oldest, maxUs }: StoredBefore): RunningRule {
    const known = this.#rules.get(record.rule.number);
    if (known) {
      this.#change(known, record);
      return known;
    }
    if (record.state !== "passing") this.#numbered(record.rule.number);
    const { next } = this.#live;
    const from = firstOf(record, oldest);
    const behind = record.backfill !== null && record.state !== "replaced" && from < next;
    const fromSequence = behind || record.backfill !== null ? from : next;
    const backfill = behind ? { from, next: from, until: next } : null;
    const olderMaxUs = fromSequence > oldest ? maxUs : null;
    const rule = new RunningRule({ ...record, fromSequence, backfill, olderMaxUs }, this.#parts);
    this.#rules.set(record.rule.number, rule);
    if (rule.state === null) return rule;
    if (behind) this.#backfills.add(rule, from, { next: from, duplicates: 0 }, null);
    else {
      this.#live.rules.set(record.rule.number, rule);
      this.#live.catchUp([rule]);
    }
    return rule;
  }

  /** How far it is and whether it has left out rows is known here alone. */
  #change(rule: RunningRule, record: RuleRecord): void {
    const { backfill, fromSequence, olderMaxUs, complete } = rule.record;
    const isReplaced = record.state === "replaced" && rule.state !== null;
    rule.record = {
      ...record,
      fromSequence,
      ...(olderMaxUs !== undefined && { olderMaxUs }),
      complete: complete && record.complete,
      backfill: isReplaced ? null : backfill,
    };
    if (!isReplaced) return;
    this.#unfollow(rule);
    rule.replace(this.#live.next);
  }

  #unfollow(rule: RunningRule): void {
    this.#live.rules.delete(rule.rule.number);
    this.#backfills.remove(rule.rule.number);
  }

  /** Forgets a version and all its windows. */
  remove(number: number): void {
    const rule = this.#rules.get(number);
    if (rule === undefined) return;
    this.#unfollow(rule);
    rule.close();
    this.#rules.delete(number);
    this.#written.delete(number);
    if (rule.isPassing) return;
    this.#forgetting.begin(number, true);
    this.#gone.push(...this.#timeGone(number));
    this.#gone.push({ table: "rules", key: recordKey(number), value: null });
  }

  #timeGone(number: number): StreamWrite[] {
    if (!this.#timed.delete(number)) return [];
    return [{ table: "stream", key: timeKey(number), value: null }];
  }

  /** Everything that has changed since this was last called. Calls `changed` with records that are written. */
  writes(changed: (record: RuleRecord) => void): StreamWrite[] {
    const writes = this.#gone;
    this.#gone = [];
    for (const rule of this.#rules.values()) {
      if (rule.isPassing) continue;
      writes.push(...this.#ruleWrites(rule));
      const { record } = rule;
      const { number } = record.rule;
      if (this.#written.get(number) === record) continue;
      this.#written.set(number, record);
      writes.push({ table: "rules", key: recordKey(number), value: encodeRecord(record) });
      changed(record);
    }
    for (const { follower } of this.#backfills.list) {
      const value = encodeTime({
        position: follower.position,
        time: follower.time.encode(),
        nextNumber: 0,
      });
      for (const [number, rule] of follower.rules) {
        if (rule.isPassing) continue;
        this.#timed.add(number);
        writes.push({ table: "stream", key: timeKey(number), value });
      }
    }
    return writes;
  }

  #ruleWrites(rule: RunningRule): StreamWrite[] {
    const { number } = rule.rule;
    if (rule.state === null) {
      if (rule.partKeys.size > 0) this.#forgetting.begin(number, false);
      rule.partKeys.clear();
      return this.#timeGone(number);
    }
    const writes = rule.dirtyWrites();
    return rule.record.backfill === null ? [...writes, ...this.#timeGone(number)] : writes;
  }
}

/** A passing rule is about now: it says itself how far back it wants to begin. */
function firstOf({ state, backfill }: RuleRecord, oldest: bigint): bigint {
  if (state !== "passing" || backfill === null) return oldest;
  return backfill.from > oldest ? backfill.from : oldest;
}
