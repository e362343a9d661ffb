import { type ShownWindow, shownWindow } from "../api/rule-text.ts";
import { formatTime } from "../query/time.ts";
import type { RuleStats } from "../stream/messages.ts";
import type { RuleBook } from "../stream/rule-book.ts";
import type { RuleWarning } from "../stream/rule-diagnostics.ts";
import type { Backfill, RuleRecord } from "../stream/rule-record.ts";
import type { RuleForm, ShortRuleForm, SqlRuleForm } from "../stream/rule-schema.ts";
import type { Recomputed } from "../stream/window-row.ts";
import { type TimeInput, timeUs } from "./events.ts";

/** An aggregation rule: as JSON, with one aggregate, or as one SQL statement. */
export type RuleInput = RuleForm | ShortRuleForm | SqlRuleForm;

/** A version of a rule. */
export interface RuleInfo {
  /** The same for all versions. */
  readonly id: string;
  readonly name: string;
  readonly version: number;
  /** Those whose windows can be read, as `name@version`. */
  readonly versions: readonly number[];
  readonly state: RuleRecord["state"];
  readonly paused: boolean;
  readonly createdAt: string;
  /** The first sequence that it takes. */
  readonly fromSequence: bigint;
  /** It has left out no event since: false once it was paused. */
  readonly complete: boolean;
  /** Of which kind its windows are, however it was written. */
  readonly window: ShownWindow;
  /** The form, with what was left out filled in: what `replace` takes. */
  readonly definition: Readonly<Record<string, unknown>>;
  /** Null: there is nothing left to be read. */
  readonly backfill: Backfill | null;
  /** Since the engine was opened; null until it has been told for the first time. */
  readonly stats: RuleStats | null;
}

export interface RuleState extends RuleInfo {
  /** Why it doesn't match, or has no values. */
  readonly warnings: readonly RuleWarning[];
}

/** The aggregation rules of an engine. A rule is meant by its name, by `name@2` or by its id. */
export class Aggregations {
  readonly #book: RuleBook;
  readonly #refuseClosed: () => void;

  constructor(book: RuleBook, refuseClosed: () => void) {
    this.#book = book;
    this.#refuseClosed = refuseClosed;
  }

  /** Settles when the rule is on disk. @throws InputError for what is no rule, or a name that is taken */
  async create(rule: RuleInput): Promise<RuleState> {
    this.#refuseClosed();
    return this.#state(await this.#book.create(rule));
  }

  /** By name, without warnings. */
  list(): RuleInfo[] {
    return this.#book.list().map((record) => this.#info(record));
  }

  /** @throws InputError `rule_not_found` */
  async get(reference: string): Promise<RuleState> {
    this.#refuseClosed();
    return this.#state(this.#book.get(reference));
  }

  /** Makes a new version; the windows of the one before stay readable. The name may be left out. */
  async replace(
    reference: string,
    rule: RuleInput | Omit<RuleForm, "name"> | Omit<SqlRuleForm, "name">,
  ): Promise<RuleState> {
    this.#refuseClosed();
    return this.#state(await this.#book.replace(reference, rule));
  }

  /** Forgets the rule, all its versions and their windows. */
  async delete(reference: string): Promise<void> {
    this.#refuseClosed();
    await this.#book.delete(reference);
  }

  /** It takes no events until `resume`; what comes in meanwhile is missing from its windows. */
  async pause(reference: string): Promise<RuleInfo> {
    this.#refuseClosed();
    return this.#info(await this.#book.setPaused(reference, true));
  }

  async resume(reference: string): Promise<RuleInfo> {
    this.#refuseClosed();
    return this.#info(await this.#book.setPaused(reference, false));
  }

  /** Computes the windows that overlap [from, to) again, with the events that came too late for them. */
  async recompute(
    reference: string,
    range: { readonly from: TimeInput; readonly to: TimeInput },
  ): Promise<Recomputed> {
    this.#refuseClosed();
    const { from, to } = range;
    return this.#book.recompute(reference, timeUs("from", from), timeUs("to", to));
  }

  #info(record: RuleRecord): RuleInfo {
    const { rule, state, paused, complete, definition, backfill, fromSequence } = record;
    return {
      id: rule.id,
      name: rule.name,
      version: rule.version,
      versions: this.#book.versions(rule.id).map((one) => one.rule.version),
      state,
      paused,
      createdAt: formatTime(record.createdAtUs),
      fromSequence,
      complete,
      window: shownWindow(rule.window),
      definition,
      backfill,
      stats: this.#book.stats(record),
    };
  }

  async #state(record: RuleRecord): Promise<RuleState> {
    return { ...this.#info(record), warnings: await this.#book.warnings(record) };
  }
}
