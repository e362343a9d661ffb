// Windows that are computed again from stored events, those with them that had come too late: the rule runs once more,
// over the range of time alone and with nothing late or final, until it has read what the live rule has read.

import { type FailureMessage, packFailure } from "../engine/failure.ts";
import { InputError, LimitError } from "../errors.ts";
import { Buckets } from "../query/expression/bucket.ts";
import type { Interval } from "../query/expression/expression.ts";
import type { Predicate } from "../query/query.ts";
import type { Segment, Snapshot } from "../query/segments/source.ts";
import type { Follower } from "./follower.ts";
import { type KnownPart, KnownWindows } from "./known-windows.ts";
import type { Rule, WindowShape } from "./rule.ts";
import type { RuleState } from "./rule-state.ts";
import type { RunningRule } from "./running-rule.ts";
import type { StreamParts } from "./stream-parts.ts";
import { noWatermark, type TimedChunk } from "./timed-chunk.ts";
import type { FinalWindow, PartialGroup, Recomputed } from "./window-row.ts";

const SLICE_ROWS = 65_536;
/** Of the memory of open windows, what may be taken before windows are computed again: the rest is for live events. */
const MEMORY_SHARE = 3 / 4;

export interface TimeRange {
  readonly fromUs: bigint;
  readonly toUs: bigint;
}

/** Rows that are judged by no watermark: none is late, no window becomes final. */
function untimed(segment: Segment, first: number, end: number, range: TimeRange): TimedChunk {
  const { fromUs, toUs } = range;
  const last = toUs - 1n;
  return {
    segment,
    first,
    end,
    minUs: segment.timeMinUs > fromUs ? segment.timeMinUs : fromUs,
    maxUs: segment.timeMaxUs < last ? segment.timeMaxUs : last,
    watermarkBeforeUs: noWatermark,
    watermarkAfterUs: noWatermark,
    crossing: () => end,
  };
}

/** The same rule, for rows of a range of time only. */
function within(rule: Rule, { fromUs, toUs }: TimeRange): Rule {
  const path = "timestamp";
  const of: Predicate[] = [
    { kind: "compare", path, op: ">=", value: fromUs },
    { kind: "compare", path, op: "<", value: toUs },
  ];
  if (rule.where !== null) of.push(rule.where);
  return { ...rule, where: { kind: "and", of }, windowsMax: Number.MAX_SAFE_INTEGER };
}

export interface RecomputationParts {
  /** The stored windows that overlap a range. */
  stored(range: TimeRange): readonly FinalWindow[];
  done(answer: Recomputed): void;
  failed(failure: FailureMessage): void;
}

export class Recomputation {
  readonly rule: RunningRule;
  readonly #stream: StreamParts;
  readonly #parts: RecomputationParts;
  readonly #range: TimeRange;
  /** Where events of the windows may lie. */
  readonly #events: TimeRange;
  #state: RuleState | null;
  #next = 0n;

  constructor(stream: StreamParts, rule: RunningRule, range: TimeRange, parts: RecomputationParts) {
    this.#stream = stream;
    this.#parts = parts;
    this.rule = rule;
    this.#range = range;
    const { window } = rule.rule;
    this.#events =
      window.kind === "session"
        ? aboutSessions(range, window.gapUs, (within) => [
            ...parts.stored(within),
            ...(rule.state?.openPartials(within.fromUs, within.toUs) ?? []),
          ])
        : wholeWindows(window, range);
    this.#state = stream.state(within(rule.rule, this.#events), { final() {}, tooLate() {} });
  }

  /** The oldest row that it still needs. */
  get next(): bigint {
    return this.#next;
  }

  /** Reads some rows; true when it is done. */
  step(snapshot: Snapshot, live: Follower): boolean {
    try {
      this.#read(snapshot, live.next);
      if (this.#next < live.next) return false;
      this.#parts.done(this.#replace(live));
    } catch (error) {
      this.#parts.failed(packFailure(error));
    }
    this.close();
    return true;
  }

  /** The rule is gone. */
  cancel(): void {
    const message = `rule ${JSON.stringify(this.rule.rule.name)} was removed`;
    this.#parts.failed(packFailure(new InputError("unknown_rule", message, {}, 404)));
    this.close();
  }

  close(): void {
    this.#state?.close();
    this.#state = null;
  }

  #read(snapshot: Snapshot, to: bigint): void {
    const { fromUs, toUs } = this.#events;
    let left = SLICE_ROWS;
    for (const segment of snapshot.segments) {
      const { firstSequence, rows } = segment;
      const last = firstSequence + BigInt(rows);
      if (last <= this.#next) continue;
      if (firstSequence >= to || left <= 0) break;
      const first = this.#next > firstSequence ? Number(this.#next - firstSequence) : 0;
      let end = last < to ? rows : Number(to - firstSequence);
      if (segment.timeMaxUs >= fromUs && segment.timeMinUs < toUs) {
        end = Math.min(end, first + left);
        this.#take(segment, first, end);
        left -= end - first;
      }
      this.#next = firstSequence + BigInt(end);
    }
    if (left > 0 && this.#next < to && snapshot.asOf >= to) this.#next = to;
  }

  #take(segment: Segment, first: number, end: number): void {
    const { scope, settings, memoryBytes } = this.#stream;
    segment.enter();
    scope.begin();
    try {
      const chunk = untimed(segment, first, end, this.#events);
      this.#state?.add(scope.enter(chunk));
    } finally {
      scope.end();
    }
    const limitBytes = Math.floor(settings.memoryMax * MEMORY_SHARE);
    const neededBytes = memoryBytes();
    if (neededBytes <= limitBytes) return;
    throw new LimitError(
      "stream_memory",
      `the windows of the range don't fit --stream-memory beside the open ones; ask for a shorter range`,
      { neededBytes, limitBytes },
    );
  }

  #replace(live: Follower): Recomputed {
    const { rule } = this.rule;
    const { fromUs, toUs } = this.#range;
    const finalTo = live.time.watermarkUs() - rule.allowedLatenessUs;
    const found = this.#state?.openPartials(fromUs, toUs) ?? [];
    const about = this.#isSession ? this.#events : this.#range;
    const stored = new KnownWindows(this.#parts.stored(about));
    // Of those that are open some rows may be gone, so that what is left of them seems to have ended.
    const open = new KnownWindows(
      this.#isSession ? (this.rule.state?.openPartials(about.fromUs, about.toUs) ?? []) : [],
    );
    const answer = { windows: 0, folded: 0, kept: 0 };
    const starts = new Set<bigint>();
    for (const window of found) {
      // Open windows have all their rows.
      if (window.endUs > finalTo) continue;
      const groups = window.groups.map((group) =>
        open.overlapping(group.groupId, window).length > 0
          ? null
          : this.#regroup(window, group, stored),
      );
      const known = groups.filter((one) => one !== null);
      if (known.length < groups.length) answer.kept++;
      if (known.length === 0) continue;
      for (const { group, parts } of known) {
        for (const { startUs, endUs } of this.#isSession ? parts : []) {
          this.#stream.store.remove(rule.number, 0, group.groupId, startUs, endUs);
        }
      }
      const made = { ...window, finalAt: live.next, groups: known.map(({ group }) => group) };
      this.#stream.store.replace(rule, 0, made);
      this.rule.recomputed(made);
      starts.add(made.startUs);
      answer.windows++;
      for (const { added } of known) answer.folded += added;
    }
    this.rule.refold(starts);
    return answer;
  }

  get #isSession(): boolean {
    return this.rule.rule.window.kind === "session";
  }

  /** The group's ledger goes on from what is stored of it. Null: some of its rows were not read. */
  #regroup(window: FinalWindow, group: PartialGroup, stored: KnownWindows): Regrouped | null {
    const { rule } = this.rule;
    if (rule.window.kind === "session" && !reaches(this.#events, window, rule.window.gapUs)) {
      return null;
    }
    const parts = this.#isSession
      ? stored.overlapping(group.groupId, window)
      : stored.at(group.groupId, window.startUs);
    const sum = (of: (own: PartialGroup) => number): number =>
      parts.reduce((total, { own }) => total + of(own), 0);
    const count = sum((own) => own.count);
    // Whatever came for it is in it or was too late: fewer rows than these are not all of them.
    if (group.count < count + sum((own) => own.tooLate)) return null;
    const added = group.count - count;
    return {
      parts,
      added,
      group: {
        ...group,
        revised: sum((own) => own.revised),
        duplicate: this.#isSession ? 0 : stored.duplicates(window.startUs),
        tooLate: 0,
        revision: sum((own) => own.revision) + added,
      },
    };
  }
}

interface Regrouped {
  readonly group: PartialGroup;
  /** What is stored of it. */
  readonly parts: readonly KnownPart[];
  readonly added: number;
}

/** Whether every row that could be part of a session was read. */
function reaches(read: TimeRange, { startUs, endUs }: FinalWindow, gapUs: bigint): boolean {
  return read.fromUs <= startUs - gapUs && endUs <= read.toUs;
}

/**
 * Where the events of sessions lie that overlap the range. Each row is in one that is known, be it one of rows that
 * were too late; so those of a group that overlap one another, and a gap about them, have all that may be joined to
 * one of the range.
 */
function aboutSessions(
  range: TimeRange,
  gapUs: bigint,
  known: (within: TimeRange) => readonly FinalWindow[],
): TimeRange {
  let joined = range;
  for (;;) {
    let { fromUs, toUs } = joined;
    for (const own of byGroup(known(joined))) {
      const grown = joinedOf(own, range);
      if (grown.fromUs < fromUs) fromUs = grown.fromUs;
      if (grown.toUs > toUs) toUs = grown.toUs;
    }
    if (fromUs === joined.fromUs && toUs === joined.toUs) break;
    joined = { fromUs, toUs };
  }
  return { fromUs: joined.fromUs - gapUs, toUs: joined.toUs + gapUs };
}

/** The spans of each group. */
function byGroup(windows: readonly FinalWindow[]): Iterable<readonly FinalWindow[]> {
  const lists = new Map<number, FinalWindow[]>();
  for (const one of windows) {
    for (const { groupId } of one.groups) {
      const own = lists.get(groupId);
      if (own) own.push(one);
      else lists.set(groupId, [one]);
    }
  }
  return lists.values();
}

/** The range, grown by the windows of one group that overlap it or one another on the way to it. */
function joinedOf(windows: readonly FinalWindow[], range: TimeRange): TimeRange {
  const sorted = windows.toSorted((a, b) => (a.startUs < b.startUs ? -1 : 1));
  let { fromUs, toUs } = range;
  let chain: { fromUs: bigint; toUs: bigint } | null = null;
  const end = (): void => {
    if (chain === null || chain.toUs <= range.fromUs || chain.fromUs >= range.toUs) return;
    if (chain.fromUs < fromUs) fromUs = chain.fromUs;
    if (chain.toUs > toUs) toUs = chain.toUs;
  };
  for (const { startUs, endUs } of sorted) {
    if (chain !== null && startUs < chain.toUs) {
      if (endUs > chain.toUs) chain.toUs = endUs;
      continue;
    }
    end();
    chain = { fromUs: startUs, toUs: endUs };
  }
  end();
  return { fromUs, toUs };
}

/** The union of the windows that overlap the range. */
function wholeWindows(
  window: Exclude<WindowShape, { kind: "session" }>,
  { fromUs, toUs }: TimeRange,
): TimeRange {
  const { size, originUs, zone } = window;
  const slide = window.kind === "hopping" ? window.slide : size;
  const slides = new Buckets({ width: slide, originUs, zone });
  let first = slides.span(fromUs).startUs;
  let end = slides.span(toUs - 1n).endUs;
  for (let n = timesIn(size, slide); n > 1; n--) {
    first = slides.span(first - 1n).startUs;
    end = slides.span(end).endUs;
  }
  return { fromUs: first, toUs: end };
}

/** How often `slide` goes into `size`. */
function timesIn(size: Interval, slide: Interval): number {
  if (slide.months > 0) return size.months / slide.months;
  return slide.days > 0 ? size.days / slide.days : Number(size.us / slide.us);
}
