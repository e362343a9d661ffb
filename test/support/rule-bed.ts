// Plays a random stream through the state of one rule, in chunks that are cut anywhere, with crashes that go back to
// the last checkpoint; and what came out, as values.

import { PartialReader } from "../../src/query/aggregate/partial-bytes.ts";
import { ComputedColumns } from "../../src/query/columns/computed.ts";
import type { QueryRun } from "../../src/query/columns/kernels.ts";
import { Scratch } from "../../src/query/columns/scratch.ts";
import type { Value } from "../../src/query/result.ts";
import { groupKeyValues, joinParts } from "../../src/query/run/fold-bytes.ts";
import { GroupFold } from "../../src/query/run/group-fold.ts";
import type { Segment } from "../../src/query/segments/source.ts";
import type { GroupDirectory } from "../../src/rollup/store.ts";
import { Arena } from "../../src/stream/arena.ts";
import { EventTime, timeTableSize } from "../../src/stream/event-time.ts";
import type { Rule } from "../../src/stream/rule.ts";
import type { RuleContext } from "../../src/stream/rule-context.ts";
import { RuleFilters } from "../../src/stream/rule-filters.ts";
import {
  foldCount,
  foldLate,
  foldOwn,
  ruleFold,
  ruleFoldFilters,
} from "../../src/stream/rule-fold.ts";
import type { RuleState, RuleStateStats } from "../../src/stream/rule-state.ts";
import type { FinalWindow, PartialGroup, TooLate, WindowRow } from "../../src/stream/window-row.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import type { OracleRow } from "../oracle/query.ts";
import { QueryBed, writeSegment } from "./query-rows.ts";
import type { Random } from "./random-queries.ts";
import { rowsOf, type StreamStep } from "./random-streams.ts";

const mib = 1024 * 1024;

/** Group numbers in the order in which they are asked for; 0 is `other`. */
export class MadeDirectory implements GroupDirectory {
  readonly keys: Uint8Array[] = [new Uint8Array(0)];
  readonly #ids = new Map<string, number>();

  idOf(key: Uint8Array): number {
    const text = Buffer.from(key).toString("hex");
    const id = this.#ids.get(text) ?? this.keys.length;
    if (id === this.keys.length) {
      this.#ids.set(text, id);
      this.keys.push(key.slice());
    }
    return id;
  }

  keyOf(groupId: number): Uint8Array {
    return this.keys[groupId] ?? new Uint8Array(0);
  }

  find(key: Uint8Array): number {
    return this.#ids.get(Buffer.from(key).toString("hex")) ?? 0;
  }

  all(): { readonly groupId: number; readonly key: Uint8Array }[] {
    return this.keys.map((key, groupId) => ({ groupId, key })).slice(1);
  }

  get count(): number {
    return this.keys.length - 1;
  }

  /** As it was when it had so many: what came after a checkpoint is lost in a crash. */
  cut(count: number): void {
    for (const key of this.keys.splice(count + 1))
      this.#ids.delete(Buffer.from(key).toString("hex"));
  }
}

/** A final window's group. */
export interface FinalGroup extends Omit<PartialGroup, "partial" | "groupId"> {
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly finalAt: bigint;
  readonly group: readonly Value[];
  readonly other: boolean;
  readonly aggregates: readonly Value[];
  /** What the fold itself has counted, which the ledger is to agree with. */
  readonly folded: { readonly count: Value; readonly late: Value };
}

export interface LateGroup {
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly group: readonly Value[];
  readonly count: number;
}

export interface Played {
  readonly finals: readonly FinalGroup[];
  readonly tooLate: readonly LateGroup[];
  readonly open: readonly WindowRow[];
  readonly stats: RuleStateStats;
  readonly crashes: number;
}

export interface PlayOptions {
  readonly timeRules: TimeRules;
  /** Rows of a chunk, at most. */
  readonly chunk: number;
  /** Chance of a checkpoint, and of a crash, after a chunk. */
  readonly checkpoints: number;
  readonly crashes: number;
  readonly make: (context: RuleContext) => RuleState;
}

/** What happens before row `at` and isn't a row. */
interface Moment {
  readonly at: number;
  readonly receivedAtUs: bigint;
  /** Null: a tick. */
  readonly duplicatesUs: readonly bigint[] | null;
}

function momentsOf(steps: readonly StreamStep[]): Moment[] {
  let at = 0;
  return steps.flatMap((step): Moment[] => {
    const { receivedAtUs } = step;
    if (step.kind === "tick") return [{ at, receivedAtUs, duplicatesUs: null }];
    const moment = { at, receivedAtUs, duplicatesUs: step.duplicatesUs };
    at += step.rows.length;
    return step.duplicatesUs.length > 0 ? [moment] : [];
  });
}

interface Checkpoint {
  readonly row: number;
  readonly moment: number;
  readonly time: Uint8Array;
  readonly parts: ReadonlyMap<string, Uint8Array>;
  readonly finals: number;
  readonly tooLate: number;
  readonly groups: number;
}

export class RuleBed {
  readonly bed = new QueryBed(128 * mib, 16 * mib);
  readonly #arena: Arena;
  /** The thread's. What it takes for columns stays. */
  readonly #filters: RuleFilters;
  readonly #table: number;
  /** What is known of a segment by its id outlives a play. */
  #segmentId = 1;
  /** Of whoever reads what comes out, while the rule may be at work. */
  readonly #own: QueryRun;

  constructor() {
    const { bed } = this;
    this.#table = bed.take(timeTableSize(bed.core, 2048));
    this.#arena = new Arena(bed.take(32 * mib), 32 * mib);
    const { run, found } = bed.state;
    this.#filters = new RuleFilters(run, found, new Arena(bed.take(mib), mib));
    this.#own = { ...bed.state.run, scratch: new Scratch(bed.take(8 * mib), 8 * mib) };
  }

  get arenaUsed(): number {
    return this.#arena.used;
  }

  /** The rows in segments of random lengths, hot or stored. */
  segments(random: Random, rows: readonly OracleRow[]): Segment[] {
    const segments: Segment[] = [];
    for (let from = 0; from < rows.length; ) {
      const to = Math.min(rows.length, from + 1 + Math.floor(random() * 9000));
      const stored = random() < 0.5;
      segments.push(writeSegment(this.bed, this.#segmentId++, rows.slice(from, to), { stored }));
      from = to;
    }
    return segments;
  }

  play(random: Random, rule: Rule, steps: readonly StreamStep[], options: PlayOptions): Played {
    const mark = this.bed.mark();
    const played = new RulePlay(this, random, rule, steps, options).run();
    this.bed.release(mark);
    return played;
  }

  time(timeRules: TimeRules): EventTime {
    return new EventTime(this.bed.core, { table: this.#table, ...timeRules });
  }

  context(rule: Rule, directory: GroupDirectory, sink: RuleContext["sink"]): RuleContext {
    const { run, cells } = this.bed.state;
    return { rule, run, cells, arena: this.#arena, filters: this.#filters, directory, sink };
  }

  /** The values of partial groups of a window. */
  finals(rule: Rule, window: FinalWindow, directory: GroupDirectory): FinalGroup[] {
    const { startUs, endUs, finalAt } = window;
    return window.groups.map((one) => {
      const { partial, groupId, ...ledger } = one;
      const other = groupId === 0;
      const { group, aggregates } = this.#valuesOf(rule, window, one, directory);
      return {
        ...ledger,
        startUs,
        endUs,
        finalAt,
        other,
        group: other ? rule.keys.map(() => null) : group,
        aggregates: aggregates.slice(foldOwn),
        folded: { count: aggregates[foldCount] ?? null, late: aggregates[foldLate] ?? null },
      };
    });
  }

  /** The values of the keys of a group in the directory. */
  groupOf(rule: Rule, groupId: number, directory: GroupDirectory): readonly Value[] {
    if (groupId === 0) return rule.keys.map(() => null);
    return groupKeyValues(directory.keyOf(groupId));
  }

  #valuesOf(
    rule: Rule,
    { startUs, endUs }: FinalWindow,
    { groupId, partial }: PartialGroup,
    directory: GroupDirectory,
  ): { group: readonly Value[]; aggregates: readonly Value[] } {
    const scratch = this.#own.scratch as Scratch;
    scratch.reset();
    // The group `other` has no keys of its own: a rule without keys reads the same states.
    const keys = groupId === 0 ? [] : rule.keys;
    const query = { ...ruleFold(rule, startUs, endUs), groupBy: keys };
    const fold = new GroupFold({
      query,
      run: this.#own,
      cells: this.bed.state.cells,
      computed: new ComputedColumns(this.#own, []),
      filters: ruleFoldFilters(rule),
      select: () => 0,
    });
    const key = groupId === 0 ? new Uint8Array(0) : directory.keyOf(groupId);
    for (const part of joinParts([{ key, states: partial }], keys.length)) {
      fold.merge(new PartialReader(part));
    }
    return {
      group: this.groupOf(rule, groupId, directory),
      aggregates: fold.values().map((value) => value(0)),
    };
  }
}

class RulePlay {
  readonly #bed: RuleBed;
  readonly #random: Random;
  readonly #rule: Rule;
  readonly #options: PlayOptions;
  readonly #rows: readonly OracleRow[];
  readonly #segments: readonly Segment[];
  readonly #moments: readonly Moment[];
  readonly #directory = new MadeDirectory();
  readonly #finals: FinalGroup[] = [];
  readonly #tooLate: LateGroup[] = [];
  readonly #parts = new Map<string, Uint8Array>();
  #time: EventTime;
  #context: RuleContext;
  #state: RuleState;
  #row = 0;
  #moment = 0;
  #receivedAtUs = 0n;
  #checkpoint: Checkpoint;

  constructor(
    bed: RuleBed,
    random: Random,
    rule: Rule,
    steps: readonly StreamStep[],
    options: PlayOptions,
  ) {
    this.#bed = bed;
    this.#random = random;
    this.#rule = rule;
    this.#options = options;
    this.#rows = rowsOf(steps);
    this.#segments = bed.segments(random, this.#rows);
    this.#moments = momentsOf(steps);
    this.#time = bed.time(options.timeRules);
    this.#context = this.#newContext();
    this.#state = options.make(this.#context);
    this.#checkpoint = this.#save();
  }

  #newContext(): RuleContext {
    return this.#bed.context(this.#rule, this.#directory, {
      final: (rule, window) => {
        this.#finals.push(...this.#bed.finals(rule, window, this.#directory));
      },
      tooLate: (rule, late) => this.#tooLate.push(this.#lateOf(rule, late)),
    });
  }

  #lateOf(rule: Rule, { startUs, endUs, groupId, count }: TooLate): LateGroup {
    const group = this.#bed.groupOf(rule, groupId, this.#directory);
    return { startUs, endUs, group, count };
  }

  run(): Played {
    let crashes = 0;
    while (this.#row < this.#rows.length || this.#moment < this.#moments.length) {
      this.#step();
      if (this.#random() < this.#options.checkpoints) this.#checkpoint = this.#save();
      if (this.#random() >= this.#options.crashes) continue;
      crashes++;
      this.#restore();
    }
    // What the next row would find.
    const last = this.#rows.at(-1)?.receivedAtUs ?? 0n;
    this.#time.tick(last > this.#receivedAtUs ? last : this.#receivedAtUs);
    this.#state.advance(this.#time.watermarkUs(), BigInt(this.#row));
    const open = this.#state.open(0n);
    const stats = { ...this.#state.stats };
    this.#state.close();
    return { finals: this.#finals, tooLate: this.#tooLate, open, stats, crashes };
  }

  /** A tick, some duplicates, or a chunk. */
  #step(): void {
    const moment = this.#moments[this.#moment];
    if (moment?.at === this.#row) {
      this.#moment++;
      this.#receivedAtUs = moment.receivedAtUs;
      this.#time.tick(moment.receivedAtUs);
      this.#state.advance(this.#time.watermarkUs(), BigInt(this.#row));
      if (moment.duplicatesUs !== null) this.#state.duplicates(moment.duplicatesUs);
      return;
    }
    const segment = this.#segmentAt(this.#row);
    const first = this.#row - Number(segment.firstSequence);
    const until = (moment?.at ?? this.#rows.length) - Number(segment.firstSequence);
    const own = first + 1 + Math.floor(this.#random() * this.#options.chunk);
    const end = Math.min(segment.rows, until, own);
    const { scratch } = this.#bed.bed.state.run;
    const mark = scratch.mark();
    const { filters } = this.#context;
    const chunk = filters.enter(this.#time.chunk(segment, first, end, scratch as Scratch));
    this.#state.add(chunk);
    filters.leave();
    scratch.release(mark);
    this.#row += end - first;
  }

  #segmentAt(row: number): Segment {
    const found = this.#segments.find(
      ({ firstSequence, rows }) => row < Number(firstSequence) + rows,
    );
    if (!found) throw new Error(`there is no row ${row}`);
    return found;
  }

  #save(): Checkpoint {
    for (const { key, bytes } of this.#state.dirtyParts()) {
      const text = Buffer.from(key).toString("hex");
      if (bytes === null) this.#parts.delete(text);
      else this.#parts.set(text, bytes.slice());
    }
    return {
      row: this.#row,
      moment: this.#moment,
      time: this.#time.encode(),
      parts: new Map(this.#parts),
      finals: this.#finals.length,
      tooLate: this.#tooLate.length,
      groups: this.#directory.count,
    };
  }

  #restore(): void {
    const { row, moment, time, parts, finals, tooLate, groups } = this.#checkpoint;
    this.#state.close();
    this.#row = row;
    this.#moment = moment;
    this.#time = this.#bed.time(this.#options.timeRules);
    this.#time.restore(time);
    this.#finals.length = finals;
    this.#tooLate.length = tooLate;
    this.#directory.cut(groups);
    this.#parts.clear();
    for (const [key, bytes] of parts) this.#parts.set(key, bytes);
    this.#context = this.#newContext();
    this.#state = this.#options.make(this.#context);
    // Parts are stored under their keys, and read in the order of these.
    const sorted = [...parts].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#state.restore(
      sorted.map(([key, bytes]) => ({ key: Buffer.from(key, "hex"), bytes: bytes.slice() })),
    );
  }
}
