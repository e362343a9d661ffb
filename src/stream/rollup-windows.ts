// Which windows of a rule, of its coarsest tier that says it first, have just the events that are stored within a
// question's range of time, and which spans of that range are left over.

import { formatInterval } from "../query/expression/interval.ts";
import { holdsWindows, isTimeBucket, type TimeSpan, wholeWindows } from "../query/plan/rollup.ts";
import type { Query } from "../query/query.ts";
import type { WindowStore } from "../rollup/store.ts";
import type { Rule } from "./rule.ts";
import type { RuleRecord } from "./rule-record.ts";
import type { RuleState } from "./rule-state.ts";
import { noWatermark } from "./timed-chunk.ts";
import type { FinalWindow, PartialGroup } from "./window-row.ts";

/** Groups of windows that one answer is merged from at most; more are scanned for instead. */
const GROUPS_MAX = 200_000;
/** Spans of time that are scanned beside them at most: each is a condition of its own. */
const SPANS_MAX = 32;

export interface RollupBounds {
  /** Windows that began before it may have other events than those that are stored; null: all are exact. */
  readonly reflectedFromUs: bigint | null;
  /** `noWatermark` while there is none. */
  readonly watermarkUs: bigint;
  /** Windows of tiers that ended by then are stored; null: there are no tiers. */
  readonly tiersToUs: bigint | null;
  readonly asOf: bigint;
  /** The oldest sequence that is stored. */
  readonly oldest: bigint;
}

/** What is stored of the events that a rule may have taken. */
export interface StoredEvents {
  /** The oldest sequence that is stored. */
  readonly oldest: bigint;
  /** No event that was dropped has a later timestamp; null: none was. */
  readonly droppedMaxUs: bigint | null;
}

/**
 * The time from which on windows of a rule have just the events that are stored, null: all have; a text says why that
 * is not so.
 */
export function reflectedFrom(record: RuleRecord, stored: StoredEvents): bigint | null | string {
  const { state, paused, complete, backfill, fromSequence, olderMaxUs } = record;
  if (state !== "live") return `it is ${state}`;
  if (paused) return "it is paused";
  if (!complete) return "it has left out rows";
  if (backfill !== null) return "its backfill is not done";
  if (olderMaxUs === undefined) return `it begins with sequence ${fromSequence}`;
  const older = olderMaxUs === null ? null : olderMaxUs + 1n;
  const { oldest, droppedMaxUs } = stored;
  return droppedMaxUs !== null && fromSequence < oldest ? later(older, droppedMaxUs + 1n) : older;
}

/** A group of a window, with all of the states of the rule's fold. */
export type WindowGroup = PartialGroup & Pick<FinalWindow, "startUs" | "endUs">;

export interface ExactWindows {
  readonly groups: readonly WindowGroup[];
  /** What they are of, as EXPLAIN says it. */
  readonly text: string;
  /** What they say nothing of, ascending. */
  readonly rest: readonly TimeSpan[];
  /** Why windows of the rule could not be used; empty: all could. */
  readonly lack: string;
}

type Tumbling = Extract<Rule["window"], { kind: "tumbling" }>;

/** Windows of one size. */
interface Level {
  readonly tier: number;
  readonly window: Tumbling;
  /** They are kept, and stored, within this. */
  readonly span: TimeSpan;
}

/** A text says why there is no answer in them. */
export function exactWindows(
  store: WindowStore,
  rule: Rule,
  state: RuleState,
  query: Query,
  bounds: RollupBounds,
): ExactWindows | string {
  const exact = within(query, { fromUs: bounds.reflectedFromUs, toUs: null });
  if (exact === null) return `it knows all events only from ${instant(bounds.reflectedFromUs)} on`;
  const groups: WindowGroup[] = [];
  const texts: string[] = [];
  let [left, lack] = [[exact], ""];
  for (const level of levelsOf(rule, query, bounds)) {
    const [before, count] = [left, groups.length];
    left = [];
    for (const span of before) {
      const found = wholeGroups(store, rule, state, level, span);
      left.push(...found.left);
      if (level.tier === 0) lack ||= found.lack;
      for (const group of found.groups) groups.push(group);
      if (groups.length > GROUPS_MAX) return `its windows have more than ${GROUPS_MAX} groups`;
    }
    const more = groups.length - count;
    if (more > 0) texts.push(`${more} of ${formatInterval(level.window.size)}`);
  }
  if (left.length === 1 && left[0] === exact) return "no whole window that it has kept lies there";
  const rest = joined([...edges(query, exact), ...left]);
  if (rest.length > SPANS_MAX) return `${rest.length} spans of time would be left; ${lack}`;
  const text = `groups in windows: ${texts.join(", ") || "none"}`;
  return { groups, text, rest, lack };
}

/** The coarsest first. */
function levelsOf(rule: Rule, query: Query, bounds: RollupBounds): Level[] {
  const { window } = rule;
  if (window.kind !== "tumbling") return [];
  const { watermarkUs, tiersToUs } = bounds;
  const kept = (retentionUs: bigint | null): bigint | null =>
    retentionUs === null || watermarkUs === noWatermark ? null : watermarkUs - retentionUs;
  const own = { tier: 0, window, span: { fromUs: kept(rule.retentionUs), toUs: null } };
  if (tiersToUs === null) return [own];
  const tiers = rule.tiers.map(({ size, retentionUs }, i) => ({
    tier: i + 1,
    window: { ...window, size },
    span: { fromUs: kept(retentionUs), toUs: tiersToUs },
  }));
  const fits = ({ window: one }: Level): boolean =>
    query.groupBy.every(({ of }) => !isTimeBucket(of) || holdsWindows(of, one));
  return [...tiers.filter(fits).reverse(), own];
}

/** The groups of whole windows within `span`, less those of windows that lack something, and what is left of it. */
function wholeGroups(
  store: WindowStore,
  rule: Rule,
  state: RuleState,
  level: Level,
  span: TimeSpan,
): { readonly groups: readonly WindowGroup[]; readonly left: TimeSpan[]; readonly lack: string } {
  const known = within(span, level.span);
  const whole = known && wholeWindows(known, level.window);
  if (whole === null) return { groups: [], left: [span], lack: "" };
  const groups: WindowGroup[] = [];
  const bad = new Map<bigint, TimeSpan>();
  let lack = "";
  for (const group of groupsOf(store, rule, state, level.tier, whole)) {
    const why = lackOf(rule, group);
    if (why === null) groups.push(group);
    else {
      lack ||= why;
      bad.set(group.startUs, { fromUs: group.startUs, toUs: group.endUs });
    }
    if (groups.length > GROUPS_MAX) break;
  }
  return {
    groups: groups.filter(({ startUs, partial }) => partial.length > 0 && !bad.has(startUs)),
    left: joined([...edges(span, whole), ...bad.values()]),
    lack,
  };
}

/** Stored and open windows within whole ones. */
function* groupsOf(
  store: WindowStore,
  rule: Rule,
  state: RuleState,
  tier: number,
  { fromUs, toUs }: TimeSpan,
): Generator<WindowGroup> {
  yield* store.windows({
    rule: rule.number,
    tier,
    groupIds: null,
    fromUs,
    toUs,
    descending: false,
  });
  if (tier > 0) return;
  for (const { startUs, endUs, groups } of state.openPartials(fromUs, toUs)) {
    for (const group of groups) yield { ...group, startUs, endUs };
  }
}

/** Why a group of a window can't be used; null: it can. */
function lackOf(rule: Rule, { startUs, groupId, count, tooLate }: WindowGroup): string | null {
  const at = instant(startUs);
  if (tooLate > 0) return `its window from ${at} lacks ${tooLate} events that were too late`;
  if (groupId === 0 && rule.keys.length > 0 && count > 0) {
    return `its window from ${at} has more groups than it may have`;
  }
  return null;
}

function instant(us: bigint | null): string {
  return new Date(Number((us ?? 0n) / 1000n)).toISOString();
}

function later(a: bigint | null, b: bigint | null): bigint | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}

/** What two spans have in common; null: nothing. */
function within(a: TimeSpan, b: TimeSpan): TimeSpan | null {
  const fromUs = later(a.fromUs, b.fromUs);
  const toUs =
    a.toUs === null || b.toUs === null ? (a.toUs ?? b.toUs) : a.toUs < b.toUs ? a.toUs : b.toUs;
  return fromUs !== null && toUs !== null && fromUs >= toUs ? null : { fromUs, toUs };
}

/** The part of `span` that `whole`, which lies in it, leaves. */
function edges(span: TimeSpan, whole: TimeSpan): TimeSpan[] {
  const spans: TimeSpan[] = [];
  if (whole.fromUs !== span.fromUs) spans.push({ fromUs: span.fromUs, toUs: whole.fromUs });
  if (whole.toUs !== span.toUs) spans.push({ fromUs: whole.toUs, toUs: span.toUs });
  return spans;
}

/** Ascending, those that meet made one. They don't overlap. */
function joined(spans: readonly TimeSpan[]): TimeSpan[] {
  const sorted = [...spans].sort((a, b) => {
    if (a.fromUs === null || b.fromUs === null) return a.fromUs === null ? -1 : 1;
    return a.fromUs < b.fromUs ? -1 : 1;
  });
  const all: TimeSpan[] = [];
  for (const span of sorted) {
    const last = all.at(-1);
    if (last !== undefined && last.toUs === span.fromUs) {
      all[all.length - 1] = { fromUs: last.fromUs, toUs: span.toUs };
    } else all.push(span);
  }
  return all;
}
