// The groups of a window, from its panes: of a tumbling one as the pane has them, of a hopping one merged.

import { PartialReader } from "../query/aggregate/partial-bytes.ts";
import type { QueryRun } from "../query/columns/kernels.ts";
import type { BucketSpan } from "../query/expression/bucket.ts";
import type { LeafValue } from "../query/expression/scalar.ts";
import type { Value } from "../query/result.ts";
import { joinParts, type SplitGroup, splitGroups } from "../query/run/fold-bytes.ts";
import type { GroupFold } from "../query/run/group-fold.ts";
import type { GroupTable } from "../query/run/group-table.ts";
import { compileResult } from "../query/run/shown.ts";
import { isSameValue } from "./group-names.ts";
import { contentOf, newFold, otherGroup, type Pane, paneRun } from "./pane.ts";
import { PaneScratch } from "./pane-scratch.ts";
import type { RuleContext } from "./rule-context.ts";
import type { ChunkRows } from "./rule-filters.ts";
import { foldCount, foldLate, foldOwn } from "./rule-fold.ts";
import type { WantedWindows } from "./rule-state.ts";
import { shownValue } from "./shown-value.ts";
import type { PartialGroup, WindowRow, WindowState } from "./window-row.ts";

/** A window's groups; `otherGroup` is the one of all beyond the limit. */
export interface WindowGroups {
  readonly fold: GroupFold;
  readonly other: GroupFold | null;
  /** The sequence after the last row that changed the group. */
  changedAtOf(group: number): bigint;
  /** Rows of the group that came when W had passed the window's end. */
  revisedOf(group: number): number;
}

/** What all groups of a window have in common. */
export interface WindowFacts extends BucketSpan {
  readonly duplicate: number;
  /** W has passed its end; 0n: not yet. Otherwise the sequence after the row that has told so. */
  readonly endedAt: bigint;
}

function groupsOfPane(pane: Pane, startUs: bigint): WindowGroups {
  const revised = pane.revised.get(startUs);
  return {
    fold: pane.fold,
    other: pane.other,
    changedAtOf: (group) => pane.changedAtOf(group),
    revisedOf: (group) => revised?.get(group) ?? 0,
  };
}

/** Groups that others may merge. */
export interface GroupsPart {
  readonly content: Uint8Array;
  /** Of all groups beyond the limit; null: there are none. */
  readonly other: Uint8Array | null;
  changedAtOf(group: number): bigint;
}

export function partOfPane(pane: Pane): GroupsPart {
  return {
    content: pane.content(),
    other: pane.other && contentOf(pane.other),
    changedAtOf: (group) => pane.changedAtOf(group),
  };
}

/** The groups of several panes, with memory of their own until `free`. */
export class MergedGroups implements WindowGroups {
  readonly fold: GroupFold;
  other: GroupFold | null = null;
  readonly #scratch: PaneScratch;
  readonly #changed = new Map<number, bigint>();
  readonly #revised = new Map<number, number>();
  readonly #newOther: () => GroupFold;

  /** `parts` are what the panes are together; `isWindow` false: they are themselves a part. */
  constructor(
    context: RuleContext,
    rows: ChunkRows,
    window: BucketSpan,
    panes: readonly Pane[],
    parts: readonly GroupsPart[] = panes.map(partOfPane),
    isWindow = true,
  ) {
    this.#scratch = new PaneScratch(context.arena, context.run.scratch);
    const run: QueryRun = paneRun(context, this.#scratch);
    this.fold = newFold(context, rows, run, window, false);
    this.#newOther = () => newFold(context, rows, run, window, true);
    try {
      for (const part of parts) this.add(part);
      for (const pane of panes) this.#revise(pane, window.startUs);
      if (isWindow) this.#limit(context);
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /** Merges more, which comes after all that was merged. */
  add(part: GroupsPart): void {
    const groups = this.fold.merge(new PartialReader(part.content));
    for (const [from, group] of groups.entries()) this.#note(group, part.changedAtOf(from), 0);
    if (part.other === null) return;
    this.other ??= this.#newOther();
    this.other.merge(new PartialReader(part.other));
    this.#note(otherGroup, part.changedAtOf(otherGroup), 0);
  }

  /** Its groups are there already. */
  #revise(pane: Pane, startUs: bigint): void {
    const revised = pane.revised.get(startUs);
    if (revised === undefined) return;
    const groups = this.fold.mergeGroups(new PartialReader(pane.content()));
    for (const [from, count] of revised) {
      this.#note(from === otherGroup ? otherGroup : (groups[from] ?? 0), 0n, count);
    }
  }

  /** As it is now; what is added later is not in it. */
  part(): GroupsPart {
    const changed = new Map(this.#changed);
    return {
      content: contentOf(this.fold),
      other: this.other && contentOf(this.other),
      changedAtOf: (group) => changed.get(group) ?? 0n,
    };
  }

  #note(group: number, changedAt: bigint, revised: number): void {
    if (changedAt > (this.#changed.get(group) ?? 0n)) this.#changed.set(group, changedAt);
    if (revised > 0) this.#revised.set(group, (this.#revised.get(group) ?? 0) + revised);
  }

  /** Each pane keeps the limit; together they may have more groups. Those that came last go to `other` too. */
  #limit({ rule }: RuleContext): void {
    const { groupsMax, keys } = rule;
    const { count } = this.fold;
    if (count <= groupsMax || keys.length === 0) return;
    const beyond = splitGroups(contentOf(this.fold), keys.length).slice(groupsMax);
    this.other ??= this.#newOther();
    const keyless = beyond.map(({ states }): SplitGroup => ({ key: new Uint8Array(0), states }));
    for (const content of joinParts(keyless, 0)) this.other.merge(new PartialReader(content));
    for (let group = groupsMax; group < count; group++) {
      this.#note(otherGroup, this.changedAtOf(group), this.revisedOf(group));
    }
  }

  changedAtOf(group: number): bigint {
    return this.#changed.get(group) ?? 0n;
  }

  revisedOf(group: number): number {
    return this.#revised.get(group) ?? 0;
  }

  free(): void {
    this.#scratch.reset();
  }
}

/** Calls `use` with the groups of a window, of its only pane where there is nothing to merge. */
export function withGroups<T>(
  { scratch }: QueryRun,
  { startUs }: BucketSpan,
  panes: readonly Pane[],
  merge: (() => MergedGroups) | null,
  use: (groups: WindowGroups) => T,
): T {
  const mark = scratch.mark();
  const merged = merge?.() ?? null;
  try {
    return use(merged ?? groupsOfPane(panes[0] as Pane, startUs));
  } finally {
    scratch.release(mark);
    merged?.free();
  }
}

const noKey = new Uint8Array(0);

/** The groups as they are stored. */
export function partialsOf(
  { rule, directory }: RuleContext,
  groups: WindowGroups,
  duplicate: number,
): PartialGroup[] {
  const partials: PartialGroup[] = [];
  const add = (values: FoldValues, group: number, groupId: number, partial: Uint8Array): void => {
    const { count, late } = countsOf(values, group);
    if (count === 0) return;
    const revised = groups.revisedOf(group);
    const revision = revised;
    partials.push({ groupId, partial, count, late, revised, tooLate: 0, duplicate, revision });
  };
  const keyed = rule.keys.length > 0;
  const split = splitGroups(contentOf(groups.fold), rule.keys.length);
  const values = groups.fold.values();
  const end = keyed ? Math.min(split.length, rule.groupsMax) : 1;
  for (let group = 0; group < end; group++) {
    const { key, states } = split[group] as SplitGroup;
    add(values, group, directory.idOf(keyed ? key : noKey), states);
  }
  if (groups.other) {
    const [one] = splitGroups(contentOf(groups.other), 0);
    if (one) add(groups.other.values(), otherGroup, 0, one.states);
  }
  return partials;
}

type FoldValues = readonly ((group: number) => Value)[];

function countsOf(values: FoldValues, group: number): { count: number; late: number } {
  const at = group === otherGroup ? 0 : group;
  return {
    count: Number(values[foldCount]?.(at) ?? 0),
    late: Number(values[foldLate]?.(at) ?? 0),
  };
}

/** What of a rule is shown of a group. */
export class WindowRows {
  readonly #context: RuleContext;
  readonly #outputs: readonly ((leaf: LeafValue) => Value)[];

  constructor(context: RuleContext) {
    this.#context = context;
    this.#outputs = context.rule.values.map(({ of }) => compileResult(of));
  }

  /** Groups that have changed since a sequence, or all where the window has passed its end since then. */
  of(
    groups: WindowGroups,
    window: WindowFacts,
    since: bigint,
    wanted: WantedWindows["groups"] = [],
  ): WindowRow[] {
    const { rule } = this.#context;
    const rows: WindowRow[] = [];
    const isAll = window.endedAt > since || since === 0n;
    const keyed = rule.keys.length > 0;
    const end = keyed ? Math.min(groups.fold.count, rule.groupsMax) : 1;
    const { table } = groups.fold;
    const indexes = table === null ? [] : indexesOf(table, wanted);
    let own: FoldValues | undefined;
    for (let group = 0; group < end; group++) {
      if (!indexes.every(({ key, index }) => table?.index(group, key) === index)) continue;
      if (!isAll && groups.changedAtOf(group) <= since) continue;
      own ??= groups.fold.values();
      const row = this.#row(groups, window, group, own);
      if (row.count > 0) rows.push(row);
    }
    if (wanted.length === 0 && groups.other && (isAll || groups.changedAtOf(otherGroup) > since)) {
      rows.push(this.#row(groups, window, otherGroup, groups.other.values()));
    }
    return rows;
  }

  #row(
    groups: WindowGroups,
    { startUs, endUs, duplicate, endedAt }: WindowFacts,
    group: number,
    values: FoldValues,
  ): WindowRow {
    const other = group === otherGroup;
    const at = other ? 0 : group;
    const { table } = groups.fold;
    const keys = this.#context.rule.keys.map((_, k) =>
      other || table === null ? null : table.valueOf(at, k),
    );
    const leaf: LeafValue = (one) => {
      if (one.kind === "key") return keys[one.key] ?? null;
      return one.kind === "aggregate" ? (values[foldOwn + one.aggregate]?.(at) ?? null) : null;
    };
    const revised = groups.revisedOf(group);
    const changedAt = groups.changedAtOf(group);
    const state: WindowState = endedAt === 0n ? "early" : revised > 0 ? "revised" : "on_time";
    return {
      startUs,
      endUs,
      group: keys,
      other,
      values: this.#outputs.map((output) => shownValue(output, leaf)),
      ...countsOf(values, group),
      revised,
      tooLate: 0,
      duplicate,
      revision: revised,
      state,
      changedAt: endedAt > changedAt ? endedAt : changedAt,
    };
  }
}

/** Which of a key's values are wanted; -1 where no group has the value. */
function indexesOf(
  table: GroupTable,
  wanted: WantedWindows["groups"],
): { readonly key: number; readonly index: number }[] {
  return wanted.map(({ key, value }) => {
    const end = table.cardinality(key);
    for (let index = 0; index < end; index++) {
      if (isSameValue(table.keyValue(key, index), value)) return { key, index };
    }
    return { key, index: -1 };
  });
}
