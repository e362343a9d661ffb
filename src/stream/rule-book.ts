// The rules by name, on the main thread: who may be called what, which version is the current one, what is said of
// each. The stream thread runs them and stores their records.

import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { didYouMean } from "../base/near.ts";
import type { Engine } from "../engine/engine.ts";
import { InputError } from "../errors.ts";
import type { RuleStats } from "./messages.ts";
import { diagnose, type RuleWarning } from "./rule-diagnostics.ts";
import { type RuleDraft, ruleFrom } from "./rule-form.ts";
import { ruleNamed } from "./rule-names.ts";
import type { Backfill, RuleRecord } from "./rule-record.ts";
import type { Streams } from "./streams.ts";
import type { Recomputed } from "./window-row.ts";

/** Rules of one data folder, versions not counted. */
export const rulesMost = 1_000;
/** How often rules are looked at for what has become wrong with them, ms. */
const checkMs = 10 * 60_000;

/** All changes go through one book, one after the other. */
export class RuleBook {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #log: Log;
  #changing: Promise<unknown> = Promise.resolve();
  /** What the log has been told, by the rule's number. */
  readonly #told = new Map<number, string>();
  readonly #rowsSeen = new Map<number, number>();
  #timer: NodeJS.Timeout | null = null;

  constructor(engine: Engine, clock: Clock, log: Log) {
    this.#engine = engine;
    this.#clock = clock;
    this.#log = log;
  }

  get #streams(): Streams {
    return this.#engine.streams;
  }

  /** The current version of every rule, by name. */
  list(): RuleRecord[] {
    const live = this.#streams.rules().filter(({ state }) => state === "live");
    return live.sort((a, b) => (a.rule.name < b.rule.name ? -1 : 1));
  }

  /** All versions of a rule, oldest first. */
  versions(id: string): RuleRecord[] {
    const all = this.#streams.rules().filter(({ rule }) => rule.id === id);
    return all.sort((a, b) => a.rule.version - b.rule.version);
  }

  /** The rule that `name`, `name@2` or an id stands for, in its current version where none is said; null: none. */
  find(reference: string): RuleRecord | null {
    return ruleNamed(this.#streams.rules(), reference) ?? null;
  }

  /** The same. Throws InputError 404 with near names. */
  get(reference: string): RuleRecord {
    const found = this.find(reference);
    if (found !== null) return found;
    const shown = reference.slice(0, 100);
    const names = this.list().map(({ rule }) => rule.name);
    const hint = didYouMean(reference.replace(/@.*/s, ""), names);
    const message = `there is no rule "${shown}"${hint || "; GET /api/v1/aggregations lists them"}`;
    throw new InputError("rule_not_found", message, {}, 404);
  }

  /** The number of a rule as the stream thread has it. */
  stats({ rule }: RuleRecord): RuleStats | null {
    const stats = this.#streams.stats();
    return stats?.rules.find((one) => one.rule === rule.number) ?? null;
  }

  /** Stores a new rule. Throws InputError 400 for what is no rule, 409 for a name that is taken. */
  async create(body: unknown): Promise<RuleRecord> {
    const draft = ruleFrom(body);
    return this.#change(async () => {
      const { name } = draft.rule;
      const all = this.list();
      if (all.some(({ rule }) => rule.name === name)) {
        const message = `#/name: there is a rule "${name}"; PUT /api/v1/aggregations/${name} replaces it`;
        throw new InputError("rule_exists", message, { pointer: "#/name" }, 409);
      }
      if (all.length >= rulesMost) {
        const message = `there are ${all.length} rules, want at most ${rulesMost}`;
        throw new InputError("too_many_rules", message, {}, 409);
      }
      const record = this.#recordOf(draft, randomUUID(), 1);
      await this.#streams.change([record], []);
      return this.get(record.rule.id);
    });
  }

  /** Stores a new version, which takes over; the windows of the one before stay, as `name@version`. */
  async replace(reference: string, body: unknown): Promise<RuleRecord> {
    const { rule } = this.#current(reference);
    const draft = ruleFrom(withName(body, rule.name));
    if (draft.rule.name !== rule.name) {
      const message = `#/name: got "${draft.rule.name}", but the name of a rule never changes: "${rule.name}"`;
      throw new InputError("rule_name_immutable", message, { pointer: "#/name" });
    }
    return this.#change(async () => {
      const before = this.#current(rule.id);
      const record = this.#recordOf(draft, rule.id, before.rule.version + 1);
      await this.#streams.change([{ ...before, state: "replaced", backfill: null }, record], []);
      return this.get(rule.id);
    });
  }

  /** Forgets a rule, all its versions and their windows. */
  async delete(reference: string): Promise<RuleRecord> {
    return this.#change(async () => {
      const current = this.#current(reference);
      const numbers = this.versions(current.rule.id).map(({ rule }) => rule.number);
      await this.#streams.change([], numbers);
      for (const number of numbers) this.#told.delete(number);
      return current;
    });
  }

  /** A paused rule takes no rows; what comes in meanwhile is missing from its windows. */
  async setPaused(reference: string, paused: boolean): Promise<RuleRecord> {
    return this.#change(async () => {
      const before = this.#current(reference);
      if (before.paused === paused) return before;
      const record: RuleRecord = { ...before, paused, complete: before.complete && !paused };
      await this.#streams.change([record], []);
      return this.get(record.rule.id);
    });
  }

  /** Computes the windows that overlap [fromUs, toUs) again, of any version. */
  async recompute(reference: string, fromUs: bigint, toUs: bigint): Promise<Recomputed> {
    const { rule } = this.get(reference);
    return this.#streams.recompute(rule.number, fromUs, toUs);
  }

  /** Why a rule doesn't match, or has no values; empty for one that is replaced or paused. */
  async warnings(record: RuleRecord): Promise<RuleWarning[]> {
    if (record.state !== "live" || record.paused) return [];
    const warnings = await diagnose(record.rule, this.#engine, this.#clock.nowUs());
    this.#tell(record, warnings);
    return warnings;
  }

  /** Looks at every rule that has taken no row since it was last looked at; the log is told once what is new. */
  async check(): Promise<void> {
    for (const record of this.list()) {
      const { number } = record.rule;
      const rows = this.stats(record)?.rows ?? 0;
      const before = this.#rowsSeen.get(number) ?? 0;
      this.#rowsSeen.set(number, rows);
      if (rows <= before) await this.warnings(record);
    }
  }

  /** Checks from time to time, until `close`. */
  watch(): void {
    this.#timer ??= setInterval(() => {
      this.check().catch((error: unknown) => {
        this.#log.debug({ err: error }, "the rules could not be checked");
      });
    }, checkMs);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tell({ rule }: RuleRecord, warnings: readonly RuleWarning[]): void {
    const text = warnings.map(({ message }) => message).join("; ");
    if ((this.#told.get(rule.number) ?? "") === text) return;
    this.#told.set(rule.number, text);
    if (text === "") this.#log.info({ rule: rule.name }, "a rule matches events again");
    else
      this.#log.warn({ rule: rule.name, version: rule.version, warnings: text }, "rule warnings");
  }

  #current(reference: string): RuleRecord {
    const found = this.get(reference);
    if (found.state === "live") return found;
    const { name, version } = found.rule;
    const message = `${name}@${version} has been replaced: want "${name}"`;
    throw new InputError("rule_replaced", message, {}, 409);
  }

  #recordOf(draft: RuleDraft, id: string, version: number): RuleRecord {
    const number = this.#streams.takeNumber();
    const next = this.#engine.nextSequence();
    const oldest = next - BigInt(this.#engine.stats().storedRows);
    // Only the stream thread knows exactly where what is stored begins: it puts that in its place.
    const backfill: Backfill | null = draft.backfill
      ? { from: oldest, next: oldest, until: next }
      : null;
    return {
      rule: { number, id, version, ...draft.rule },
      definition: draft.definition,
      createdAtUs: this.#clock.nowUs(),
      fromSequence: backfill === null ? next : oldest,
      paused: draft.paused,
      complete: !draft.paused,
      backfill,
      state: "live",
    };
  }

  /** Names are checked and taken in one step: no other change comes between. */
  #change<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(step);
    this.#changing = done.catch(() => undefined);
    return done;
  }
}

function withName(body: unknown, name: string): unknown {
  const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
  return isObject && !Object.hasOwn(body, "name") ? { name, ...body } : body;
}
