// What docs/windows.md says, computed the plain way: every row is judged and put into its windows one by one, and the
// aggregates of a window are computed from the list of its rows.

import { type BucketShape, type BucketSpan, Buckets } from "../../src/query/expression/bucket.ts";
import { compileExpression } from "../../src/query/expression/evaluate.ts";
import type { Value } from "../../src/query/result.ts";
import type { Rule } from "../../src/stream/rule.ts";
import type { WindowState } from "../../src/stream/window-row.ts";
import type { StreamStep } from "../support/random-streams.ts";
import { OracleTime, type TimeRules } from "./event-time.ts";
import {
  aggregateOf,
  evaluate,
  type OracleRow,
  type OracleValue,
  valueOf,
  valueText,
} from "./query.ts";

/** What of a rule says which windows there are and what is in them. */
export type OracleRule = Pick<
  Rule,
  "where" | "window" | "keys" | "aggregates" | "values" | "allowedLatenessUs"
>;

/** A group of a window. One that only came too late has no rows. */
export interface OracleWindow {
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly group: readonly Value[];
  readonly count: number;
  readonly late: number;
  readonly revised: number;
  readonly tooLate: number;
  readonly duplicate: number;
  readonly revision: number;
  /** By aggregate, and by what is shown. */
  readonly aggregates: readonly OracleValue[];
  readonly values: readonly OracleValue[];
  readonly state: WindowState;
  /** The sequence of the row before which it became final, the next one's where none has come; null: it is open. */
  readonly finalAt: bigint | null;
}

export interface OracleWindows {
  /** By start, then end, then group. */
  readonly windows: readonly OracleWindow[];
  /** Rows that pass the filter, and those of them that are in no window. */
  readonly rows: number;
  readonly tooLate: number;
}

/** After step `after`, final windows that overlap [fromUs, toUs) are computed again. */
export interface OracleRecompute {
  readonly after: number;
  readonly fromUs: bigint;
  readonly toUs: bigint;
}

interface Open {
  readonly group: readonly Value[];
  startUs: bigint;
  endUs: bigint;
  rows: OracleRow[];
  /** Rows that came too late for it. */
  lost: OracleRow[];
  revised: number;
  /** By which recomputing has revised it. */
  folded: number;
  finalAt: bigint | null;
}

function emptyOf(group: readonly Value[], { startUs, endUs }: BucketSpan): Open {
  return { group, startUs, endUs, rows: [], lost: [], revised: 0, folded: 0, finalAt: null };
}

/** The windows after all steps. */
export function windowsOf(
  rule: OracleRule,
  steps: readonly StreamStep[],
  timeRules: TimeRules,
  recomputes: readonly OracleRecompute[] = [],
): OracleWindows {
  const { windows, watermarkUs } = playedOf(rule, steps, timeRules, recomputes);
  const shown = windows.all().map((one) => windowOf(rule, one, windows, watermarkUs));
  return { windows: shown.sort(inOrder), rows: windows.rows, tooLate: windows.tooLate };
}

/** Windows of `buckets`, each made of all those that begin in it: a group's ledger is the sum of theirs. */
export function coarserOf(
  rule: OracleRule,
  steps: readonly StreamStep[],
  timeRules: TimeRules,
  buckets: BucketShape,
  recomputes: readonly OracleRecompute[] = [],
): OracleWindow[] {
  const { windows, watermarkUs } = playedOf(rule, steps, timeRules, recomputes);
  const spans = new Buckets(buckets);
  const coarse = new Map<string, { open: Open; duplicate: number }>();
  for (const one of windows.all()) {
    const { startUs, endUs } = spans.span(one.startUs);
    const key = `${startUs} ${groupText(one.group)}`;
    const into = coarse.get(key) ?? {
      open: emptyOf(one.group, { startUs, endUs }),
      duplicate: 0,
    };
    coarse.set(key, into);
    into.open.rows.push(...one.rows);
    into.open.lost.push(...one.lost);
    into.open.revised += one.revised;
    into.open.folded += one.folded;
    if (one.rows.length > 0) into.duplicate += windows.duplicatesIn(one.startUs, one.endUs);
  }
  const shown = [...coarse.values()].map(({ open, duplicate }) => {
    const isFinal =
      watermarkUs !== null && watermarkUs >= open.endUs + rule.allowedLatenessUs ? 0n : null;
    const final = { ...open, finalAt: isFinal };
    return { ...windowOf(rule, final, windows, watermarkUs), finalAt: null, duplicate };
  });
  return shown.sort(inOrder);
}

function playedOf(
  rule: OracleRule,
  steps: readonly StreamStep[],
  timeRules: TimeRules,
  recomputes: readonly OracleRecompute[],
): { readonly windows: Windows; readonly watermarkUs: bigint | null } {
  const time = new OracleTime(timeRules);
  const windows = rule.window.kind === "session" ? new Sessions(rule) : new Spans(rule);
  let next = 0n;
  for (const [i, step] of steps.entries()) {
    time.tick(step.receivedAtUs);
    windows.finish(time.watermarkUs, next);
    if (step.kind === "record") windows.duplicates(step.duplicatesUs);
    for (const row of step.kind === "record" ? step.rows : []) {
      const source = row.cells.get("source");
      const name = typeof source === "string" ? source : null;
      const { watermarkUs } = time.row(name, row.timestampUs, row.receivedAtUs);
      windows.finish(watermarkUs, row.sequence);
      if (rule.where === null || evaluate(rule.where, row) === true) windows.row(row, watermarkUs);
      next = row.sequence + 1n;
    }
    // What the next row would find.
    time.tick(step.receivedAtUs);
    windows.finish(time.watermarkUs, next);
    for (const one of recomputes) if (one.after === i) windows.recompute(one);
  }
  return { windows, watermarkUs: time.watermarkUs };
}

function inOrder(a: OracleWindow, b: OracleWindow): number {
  if (a.startUs !== b.startUs) return a.startUs < b.startUs ? -1 : 1;
  if (a.endUs !== b.endUs) return a.endUs < b.endUs ? -1 : 1;
  const [x, y] = [groupText(a.group), groupText(b.group)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Equal for equal groups. */
export function groupText(group: readonly Value[]): string {
  return group.map(valueText).join("\0");
}

function windowOf(
  rule: OracleRule,
  open: Open,
  windows: Windows,
  watermarkUs: bigint | null,
): OracleWindow {
  const { startUs, endUs, group, rows, lost, revised, folded, finalAt } = open;
  const seconds = Number(endUs - startUs) / 1e6;
  const aggregates = rule.aggregates.map((one) => {
    const value = aggregateOf(one, rows, seconds);
    return value === "overflow" ? null : value;
  });
  const early = watermarkUs === null || watermarkUs < endUs;
  return {
    startUs,
    endUs,
    group,
    count: rows.length,
    late: rows.filter(({ latenessUs }) => latenessUs > 0n).length,
    revised,
    revision: revised + folded,
    tooLate: lost.length,
    duplicate: windows.duplicatesIn(startUs, endUs),
    aggregates,
    values: rule.values.map((value) => shownOf(value.of, group, aggregates)),
    state: finalAt !== null ? "final" : early ? "early" : revised > 0 ? "revised" : "on_time",
    finalAt,
  };
}

function shownOf(
  of: OracleRule["values"][number]["of"],
  group: readonly Value[],
  aggregates: readonly OracleValue[],
): OracleValue {
  // What may be one of several values, or an error, is only looked at where it is shown as it is.
  if (of.kind === "aggregate") return aggregates[of.aggregate] ?? null;
  return compileExpression(of)((leaf) => {
    if (leaf.kind === "key") return group[leaf.key] ?? null;
    if (leaf.kind !== "aggregate") throw new Error("a window has keys and aggregates");
    return (aggregates[leaf.aggregate] ?? null) as Value;
  });
}

abstract class Windows {
  protected readonly rule: OracleRule;
  rows = 0;
  tooLate = 0;
  #finishedUs: bigint | null = null;

  constructor(rule: OracleRule) {
    this.rule = rule;
  }

  protected isFinal(endUs: bigint, watermarkUs: bigint | null): boolean {
    return watermarkUs !== null && watermarkUs >= endUs + this.rule.allowedLatenessUs;
  }

  protected groupOf(row: OracleRow): readonly Value[] {
    return this.rule.keys.map(({ of }) => valueOf(of, row));
  }

  /** What is open and whose time has come by W is final from the row at `sequence` on. */
  finish(watermarkUs: bigint | null, sequence: bigint): void {
    // It is called for each row, and most leave W as it was.
    if (watermarkUs === this.#finishedUs) return;
    this.#finishedUs = watermarkUs;
    for (const open of this.all()) {
      if (open.finalAt === null && this.isFinal(open.endUs, watermarkUs)) open.finalAt = sequence;
    }
  }

  /** Final windows that overlap the range have all their rows. */
  abstract recompute(range: OracleRecompute): void;
  abstract row(row: OracleRow, watermarkUs: bigint | null): void;
  abstract all(): readonly Open[];
  abstract duplicates(timestampsUs: readonly bigint[]): void;
  abstract duplicatesIn(startUs: bigint, endUs: bigint): number;
}

/** Tumbling and hopping windows. */
class Spans extends Windows {
  readonly #open = new Map<string, Open>();
  readonly #buckets: Buckets;
  /** Buckets of a window. */
  readonly #size: number;
  /** By window, those that came before it was final. */
  readonly #duplicates = new Map<string, number>();
  #watermarkUs: bigint | null = null;

  constructor(rule: OracleRule) {
    super(rule);
    const { window } = rule;
    if (window.kind === "session") throw new Error("sessions have no spans of their own");
    const { size, originUs, zone } = window;
    const slide = window.kind === "hopping" ? window.slide : size;
    this.#buckets = new Buckets({ width: slide, originUs, zone });
    const [months, days] = [size.months / slide.months, size.days / slide.days];
    this.#size =
      slide.months > 0 ? months : slide.us === 0n ? days : Number(usOf(size) / usOf(slide));
  }

  /** The windows that hold t. */
  #spansAt(timeUs: bigint): BucketSpan[] {
    const spans: BucketSpan[] = [];
    let first = this.#buckets.span(timeUs);
    for (let i = 0; i < this.#size; i++) {
      let last = first;
      for (let n = 1; n < this.#size; n++) last = this.#buckets.span(last.endUs);
      spans.push({ startUs: first.startUs, endUs: last.endUs });
      first = this.#buckets.span(first.startUs - 1n);
    }
    return spans;
  }

  override finish(watermarkUs: bigint | null, sequence: bigint): void {
    this.#watermarkUs = watermarkUs;
    super.finish(watermarkUs, sequence);
  }

  row(row: OracleRow, watermarkUs: bigint | null): void {
    this.rows++;
    const group = this.groupOf(row);
    let taken = 0;
    for (const { startUs, endUs } of this.#spansAt(row.timestampUs)) {
      const key = `${startUs} ${endUs} ${groupText(group)}`;
      const open: Open = this.#open.get(key) ?? emptyOf(group, { startUs, endUs });
      this.#open.set(key, open);
      if (this.isFinal(endUs, watermarkUs)) {
        // A window that only ever came too late is final as it comes.
        open.finalAt ??= row.sequence;
        open.lost.push(row);
        continue;
      }
      taken++;
      open.rows.push(row);
      if (watermarkUs !== null && watermarkUs >= endUs) open.revised++;
    }
    if (taken === 0) this.tooLate++;
  }

  recompute({ fromUs, toUs }: OracleRecompute): void {
    const all = this.all().filter(({ startUs, endUs }) => endUs > fromUs && startUs < toUs);
    // While a window has no rows it is not known what was left out of it.
    const known = new Set(all.filter(({ rows }) => rows.length > 0).map(({ startUs }) => startUs));
    for (const open of all) {
      if (open.finalAt === null) continue;
      if (!known.has(open.startUs)) this.#duplicates.delete(`${open.startUs} ${open.endUs}`);
      open.rows.push(...open.lost);
      open.folded += open.lost.length;
      open.lost = [];
    }
  }

  all(): readonly Open[] {
    return [...this.#open.values()];
  }

  duplicates(timestampsUs: readonly bigint[]): void {
    for (const timeUs of timestampsUs) {
      for (const { startUs, endUs } of this.#spansAt(timeUs)) {
        if (this.isFinal(endUs, this.#watermarkUs)) continue;
        const key = `${startUs} ${endUs}`;
        this.#duplicates.set(key, (this.#duplicates.get(key) ?? 0) + 1);
      }
    }
  }

  duplicatesIn(startUs: bigint, endUs: bigint): number {
    return this.#duplicates.get(`${startUs} ${endUs}`) ?? 0;
  }
}

/** As one, with the rows that were too late. */
function joined(chain: readonly Open[]): Open {
  const [{ group, startUs, finalAt }] = chain as [Open];
  const endUs = chain.reduce((end, one) => (one.endUs > end ? one.endUs : end), startUs);
  const whole = { ...emptyOf(group, { startUs, endUs }), finalAt };
  for (const { rows, lost, revised, folded } of chain) {
    whole.rows.push(...rows, ...lost);
    whole.revised += revised;
    whole.folded += folded + lost.length;
  }
  return whole;
}

function usOf({ days, us }: { readonly days: number; readonly us: bigint }): bigint {
  return BigInt(days) * 86_400_000_000n + us;
}

class Sessions extends Windows {
  #sessions: Open[] = [];
  /** Rows that were too late, by the session that they would have made. */
  #lost: Open[] = [];

  row(row: OracleRow, watermarkUs: bigint | null): void {
    if (this.rule.window.kind !== "session") throw new Error("the rule has other windows");
    this.rows++;
    const group = this.groupOf(row);
    const own = { startUs: row.timestampUs, endUs: row.timestampUs + this.rule.window.gapUs };
    const joined = this.#sessions.filter(
      (one) =>
        one.finalAt === null &&
        groupText(one.group) === groupText(group) &&
        one.startUs < own.endUs &&
        own.startUs < one.endUs,
    );
    const session: Open = { ...emptyOf(group, own), rows: [row] };
    for (const one of joined) {
      if (one.startUs < session.startUs) session.startUs = one.startUs;
      if (one.endUs > session.endUs) session.endUs = one.endUs;
      session.rows.push(...one.rows);
      session.revised += one.revised;
    }
    if (this.isFinal(session.endUs, watermarkUs)) {
      this.tooLate++;
      this.#lose(session, row);
      return;
    }
    if (watermarkUs !== null && watermarkUs >= session.endUs) session.revised++;
    this.#sessions = this.#sessions.filter((one) => !joined.includes(one));
    this.#sessions.push(session);
  }

  #lose(session: Open, row: OracleRow): void {
    const isSame = (one: Open): boolean =>
      one.startUs === session.startUs &&
      one.endUs === session.endUs &&
      groupText(one.group) === groupText(session.group);
    // One that really was is counted for; else there is one without rows.
    const known = this.#sessions.find(isSame) ?? this.#lost.find(isSame);
    if (known) known.lost.push(row);
    else this.#lost.push({ ...session, rows: [], lost: [row], finalAt: row.sequence });
  }

  /** Sessions and rows that were too late for them are one where they overlap; if an open one is with them, not yet. */
  recompute({ fromUs, toUs }: OracleRecompute): void {
    const sorted = this.all().toSorted((a, b) => (a.startUs < b.startUs ? -1 : 1));
    const chains: Open[][] = [];
    for (const one of sorted) {
      const chain = chains.find(
        (list) =>
          groupText((list[0] as Open).group) === groupText(one.group) &&
          list.some(({ endUs }) => endUs > one.startUs),
      );
      if (chain) chain.push(one);
      else chains.push([one]);
    }
    this.#lost = [];
    this.#sessions = chains.flatMap((chain) => {
      const endUs = chain.reduce((end, one) => (one.endUs > end ? one.endUs : end), fromUs);
      const [first] = chain as [Open];
      const isOpen = chain.some(({ finalAt }) => finalAt === null);
      if (isOpen || endUs <= fromUs || first.startUs >= toUs) return chain;
      return [joined(chain)];
    });
  }

  all(): readonly Open[] {
    return [...this.#sessions, ...this.#lost];
  }

  duplicates(): void {}

  duplicatesIn(): number {
    return 0;
  }
}
