// Windows that are computed again from stored events, those with them that had come too late: the rule runs once more,
// over the range of time alone and with nothing late or final, until it has read what the live rule has read.

import { type FailureMessage, packFailure } from "../engine/failure.ts";
import { InputError } from "../errors.ts";
import { Buckets } from "../query/expression/bucket.ts";
import type { Interval } from "../query/expression/expression.ts";
import type { Predicate } from "../query/query.ts";
import type { Segment, Snapshot } from "../query/segments/source.ts";
import type { Follower } from "./follower.ts";
import type { Rule, WindowShape } from "./rule.ts";
import type { RuleState } from "./rule-state.ts";
import type { RunningRule } from "./running-rule.ts";
import type { StreamParts } from "./stream-parts.ts";
import { noWatermark, type TimedChunk } from "./timed-chunk.ts";
import type { FinalWindow, PartialGroup } from "./window-row.ts";

const SLICE_ROWS = 65_536;

export interface TimeRange {
  readonly fromUs: bigint;
  readonly toUs: bigint;
}

interface Recomputed {
  readonly windows: number;
  readonly folded: number;
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
    this.#events = eventsOf(rule.rule, range, parts.stored(range));
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
    const { scope } = this.#stream;
    segment.enter();
    scope.begin();
    try {
      const chunk = untimed(segment, first, end, this.#events);
      this.#state?.add(scope.enter(chunk));
    } finally {
      scope.end();
    }
  }

  #replace(live: Follower): Recomputed {
    const { rule } = this.rule;
    const { fromUs, toUs } = this.#range;
    const finalTo = live.time.watermarkUs() - rule.allowedLatenessUs;
    const found = this.#state?.openPartials(fromUs, toUs) ?? [];
    const before = new Map<bigint, FinalWindow>();
    for (const window of this.#parts.stored(this.#range)) {
      before.set(window.startUs, window);
    }
    const sessions = rule.window.kind === "session" ? [...this.#parts.stored(this.#events)] : null;
    let windows = 0;
    let folded = 0;
    for (const window of found) {
      // Open windows have all their rows; of those that reach beyond what was read some are missing.
      if (window.endUs > finalTo || !holds(this.#events, window)) continue;
      const within = sessions && sessionsIn(sessions, window);
      const old = within ? within.joined : before.get(window.startUs);
      const added = rowsOf(window) - (old ? rowsOf(old) : 0);
      // Retention has dropped some of its events: what is stored knows more.
      if (added < 0) continue;
      const groups = window.groups.map((group) => revised(group, old));
      const made = { ...window, finalAt: live.next, groups };
      for (const { startUs, endUs, groupId } of within?.parts ?? []) {
        this.#stream.store.remove(rule.number, 0, groupId, startUs, endUs);
      }
      this.#stream.store.replace(rule, 0, made);
      this.rule.recomputed(made);
      windows++;
      folded += added;
    }
    if (windows > 0) this.rule.refold(this.#events.fromUs, this.#events.toUs);
    return { windows, folded };
  }
}

/**
 * Where the events of windows lie that overlap the range: those of a session lie about it, as far as sessions are known
 * there, and one gap more.
 */
function eventsOf({ window }: Rule, range: TimeRange, stored: readonly FinalWindow[]): TimeRange {
  if (window.kind !== "session") return wholeWindows(window, range);
  let { fromUs, toUs } = range;
  for (const { startUs, endUs } of stored) {
    if (startUs < fromUs) fromUs = startUs;
    if (endUs > toUs) toUs = endUs;
  }
  return { fromUs: fromUs - window.gapUs, toUs: toUs + window.gapUs };
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

/** What is stored of a session: others that are part of it now, and rows that were too late for them. */
function sessionsIn(
  stored: readonly FinalWindow[],
  { startUs, endUs, groups, finalAt }: FinalWindow,
): {
  readonly parts: readonly { startUs: bigint; endUs: bigint; groupId: number }[];
  readonly joined: FinalWindow;
} {
  const parts: { startUs: bigint; endUs: bigint; groupId: number }[] = [];
  const own = new Set(groups.map(({ groupId }) => groupId));
  const sums = new Map<number, PartialGroup>();
  for (const window of stored) {
    if (window.startUs >= endUs || window.endUs <= startUs) continue;
    for (const group of window.groups) {
      if (!own.has(group.groupId)) continue;
      const sum = sums.get(group.groupId);
      parts.push({ startUs: window.startUs, endUs: window.endUs, groupId: group.groupId });
      sums.set(group.groupId, {
        ...group,
        count: group.count + (sum?.count ?? 0),
        revised: group.revised + (sum?.revised ?? 0),
        revision: group.revision + (sum?.revision ?? 0),
      });
    }
  }
  return { parts, joined: { startUs, endUs, finalAt, groups: [...sums.values()] } };
}

function holds({ fromUs, toUs }: TimeRange, { startUs, endUs }: FinalWindow): boolean {
  return startUs >= fromUs && endUs <= toUs;
}

function rowsOf({ groups }: FinalWindow): number {
  return groups.reduce((sum, { count }) => sum + count, 0);
}

/** A group's ledger goes on from what it was; nothing of it is too late any more. */
function revised(group: PartialGroup, window: FinalWindow | undefined): PartialGroup {
  const old = window?.groups.find(({ groupId }) => groupId === group.groupId);
  const added = group.count - (old?.count ?? 0);
  return {
    ...group,
    revised: old?.revised ?? 0,
    duplicate: old?.duplicate ?? group.duplicate,
    tooLate: 0,
    revision: (old?.revision ?? 0) + Math.max(0, added),
  };
}
