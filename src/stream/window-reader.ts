// Windows as they are read: stored ones and open ones, merged into coarser ones where that is asked for.

import { LimitError } from "../errors.ts";
import { Buckets } from "../query/expression/bucket.ts";
import { timeMax, timeMin } from "../rollup/keys.ts";
import type {
  GroupDirectory,
  StoredGroup,
  WindowGroupBlock,
  WindowStore,
} from "../rollup/store.ts";
import { GroupNames, isSameValue } from "./group-names.ts";
import type { WindowsAnswer, WindowsRequest } from "./messages.ts";
import { type PackedRows, packFinal, packRows, startOf, unpackRows } from "./packed-rows.ts";
import type { Rule } from "./rule.ts";
import type { RuleState } from "./rule-state.ts";
import type { RunningRule } from "./running-rule.ts";
import { ShownBlocks } from "./shown-blocks.ts";
import type { FinalWindow, PartialGroup, WindowRow, WindowState } from "./window-row.ts";
import type { WindowValues } from "./window-values.ts";

/** The group of rules that have no keys. */
const noKeysGroup = 1;
/** Groups of windows that one answer is merged from at most. */
const READ_MAX = 1_000_000;
/** Blocks of windows that are decoded at once. */
const BLOCKS_AT_ONCE = 64;

type Found = Pick<WindowsAnswer, "rows" | "packed" | "more">;

/** A group of a coarser window, while what it is made of is collected. */
interface Coarse {
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly groupId: number;
  readonly parts: PartialGroup[];
  readonly replaces?: readonly bigint[] | undefined;
  changedAt: bigint;
  final: boolean;
}

export class WindowReader {
  readonly #store: WindowStore;
  readonly #directory: (rule: number) => GroupDirectory;
  readonly #values: WindowValues;
  readonly #names = new Map<number, GroupNames>();
  readonly #blocks = new ShownBlocks();

  constructor(
    store: WindowStore,
    directory: (rule: number) => GroupDirectory,
    values: WindowValues,
  ) {
    this.#store = store;
    this.#directory = directory;
    this.#values = values;
  }

  /** The rule is gone. */
  forget(rule: number): void {
    if (this.#names.delete(rule)) this.#blocks.clear();
  }

  #namesOf(rule: Rule): GroupNames {
    let names = this.#names.get(rule.number);
    if (names === undefined) {
      names = new GroupNames(this.#directory(rule.number), rule.keys.length);
      this.#names.set(rule.number, names);
    }
    return names;
  }

  /** Final windows with the values of their groups, in the order of the windows. */
  rows(rule: Rule, windows: readonly FinalWindow[]): WindowRow[] {
    const groups = windows.flatMap(({ startUs, endUs, finalAt, replaces, groups: some }) =>
      some.map((one) => ({ ...one, startUs, endUs, finalAt, replaces })),
    );
    return this.#finalRows(rule, groups);
  }

  #finalRows(rule: Rule, groups: readonly (StoredGroup & Pick<Coarse, "replaces">)[]): WindowRow[] {
    const names = this.#namesOf(rule);
    const values = this.#values.of(
      rule,
      groups.map(({ startUs, endUs, groupId, partial }) => ({
        durationUs: endUs - startUs,
        group: names.of(groupId),
        partials: [partial],
      })),
    );
    return groups.map((group, i): WindowRow => {
      const { replaces } = group;
      return {
        startUs: group.startUs,
        endUs: group.endUs,
        group: names.of(group.groupId),
        other: group.groupId === 0 && rule.keys.length > 0,
        values: values[i] ?? [],
        count: group.count,
        late: group.late,
        revised: group.revised,
        tooLate: group.tooLate,
        duplicate: group.duplicate,
        revision: group.revision,
        state: "final",
        changedAt: group.finalAt,
        ...(replaces && { replaces }),
      };
    });
  }

  #shown(
    rule: Rule,
    groups: readonly Coarse[],
    stateOf: (group: Coarse, revised: number) => WindowState,
  ): WindowRow[] {
    const names = this.#namesOf(rule);
    const values = this.#values.of(
      rule,
      groups.map(({ startUs, endUs, groupId, parts }) => ({
        durationUs: endUs - startUs,
        group: names.of(groupId),
        partials: parts.map(({ partial }) => partial),
      })),
    );
    return groups.map((group, i): WindowRow => {
      const { startUs, endUs, groupId, parts, changedAt, replaces } = group;
      const sum = (of: (part: PartialGroup) => number): number =>
        parts.reduce((total, part) => total + of(part), 0);
      const revised = sum((part) => part.revised);
      return {
        startUs,
        endUs,
        group: names.of(groupId),
        other: groupId === 0 && rule.keys.length > 0,
        values: values[i] ?? [],
        count: sum((part) => part.count),
        late: sum((part) => part.late),
        revised,
        tooLate: sum((part) => part.tooLate),
        duplicate: sum((part) => part.duplicate),
        revision: sum((part) => part.revision),
        state: stateOf(group, revised),
        changedAt,
        ...(replaces && { replaces }),
      };
    });
  }

  read(running: RunningRule, request: WindowsRequest, watermarkUs: bigint, next: bigint): Found {
    const { rule, state } = running;
    const groupIds = request.groups.length === 0 ? null : this.#namesOf(rule).find(request.groups);
    if (groupIds !== null && groupIds.length === 0 && state === null) {
      return { rows: [], more: false };
    }
    const isPlain = request.widthUs === null && request.tier === 0;
    const isSeries = isPlain && !request.descending && rule.window.kind === "tumbling";
    const only = rule.keys.length === 0 ? noKeysGroup : groupIds?.[0];
    if (isSeries && only !== undefined && (groupIds?.length ?? 1) === 1) {
      return this.#series(rule, state, request, only);
    }
    const found = isPlain
      ? this.#plain(rule, state, request, groupIds)
      : this.#merged(running, request, groupIds, watermarkUs, next);
    const rows = found.slice(0, request.limit);
    return { rows, more: found.length > request.limit };
  }

  #plain(
    rule: Rule,
    state: RuleState | null,
    request: WindowsRequest,
    groupIds: readonly number[] | null,
  ): WindowRow[] {
    const { descending, limit } = request;
    const open = this.#open(rule, state, request);
    const sign = descending ? -1 : 1;
    open.sort((a, b) => sign * order(a.startUs, b.startUs));
    const stored: StoredGroup[] = [];
    const wanted = { rule: rule.number, tier: 0, groupIds, descending };
    // As many as are asked for and one more; of the last window's groups all, as open ones may lie among them.
    for (const group of this.#store.windows({ ...wanted, ...rangeOf(request) })) {
      if (stored.length > limit) break;
      stored.push(group);
    }
    return merge(this.#finalRows(rule, stored), open, sign);
  }

  /** Windows of one group: stored ones, then those that are open, which are newer where windows don't overlap. */
  #series(rule: Rule, state: RuleState | null, request: WindowsRequest, groupId: number): Found {
    const { limit } = request;
    const pieces: { readonly rows: PackedRows; first: number; end: number }[] = this.#blocks.pieces(
      {
        key: `${rule.number} ${groupId}`,
        version: this.#store.groupVersion(rule.number, 0, groupId),
        fromUs: request.fromUs ?? timeMin,
        toUs: request.toUs ?? timeMax,
        read: () => this.#blocksOf(rule, request, groupId),
        show: (blocks) => this.#shownBlocks(rule, groupId, blocks),
      },
    );
    const open = this.#open(rule, state, request);
    if (open.length > 0) {
      open.sort((a, b) => order(a.startUs, b.startUs));
      const last = pieces.at(-1);
      if (last && (open[0] as WindowRow).startUs < startOf(last.rows, last.end - 1)) {
        const rows = merge(unpackRows(pieces), open, 1);
        return { rows: rows.slice(0, limit), more: rows.length > limit };
      }
      pieces.push({ rows: packRows(open), first: 0, end: open.length });
    }
    const count = pieces.reduce((sum, { first, end }) => sum + end - first, 0);
    for (let over = count - limit; over > 0; ) {
      const last = pieces.at(-1) as { first: number; end: number };
      const cut = Math.min(over, last.end - last.first);
      last.end -= cut;
      over -= cut;
      if (over > 0) pieces.pop();
    }
    return { rows: [], packed: pieces, more: count > limit };
  }

  /** As many blocks as are enough for the limit. */
  #blocksOf(
    rule: Rule,
    { fromUs, toUs, limit }: WindowsRequest,
    groupId: number,
  ): { blocks: WindowGroupBlock[]; isAll: boolean } {
    const blocks: WindowGroupBlock[] = [];
    // Of all but the first and the last, every window is asked for.
    let within = 0;
    for (const block of this.#store.blocks(rule.number, 0, groupId, fromUs, toUs)) {
      blocks.push(block);
      if (within > limit) return { blocks, isAll: false };
      if (blocks.length > 1) within += block.count;
    }
    return { blocks, isAll: true };
  }

  /** The windows of blocks of one group, those of many blocks decoded at once. */
  #shownBlocks(rule: Rule, groupId: number, blocks: readonly WindowGroupBlock[]): PackedRows[] {
    const group = this.#namesOf(rule).of(groupId);
    const other = groupId === 0 && rule.keys.length > 0;
    const shown: PackedRows[] = [];
    for (let first = 0; first < blocks.length; first += BLOCKS_AT_ONCE) {
      const windows: StoredGroup[] = [];
      const ends: number[] = [];
      for (const block of blocks.slice(first, first + BLOCKS_AT_ONCE)) {
        windows.push(...block.overlapping(timeMin, timeMax));
        ends.push(windows.length);
      }
      const values = this.#values.of(
        rule,
        windows.map(({ startUs, endUs, partial }) => ({
          durationUs: endUs - startUs,
          group,
          partials: [partial],
        })),
      );
      ends.forEach((end, i) => {
        shown.push(packFinal(windows, values, [ends[i - 1] ?? 0, end], group, other));
      });
    }
    return shown;
  }

  /** Open windows that are asked for. */
  #open(rule: Rule, state: RuleState | null, request: WindowsRequest): WindowRow[] {
    if (state === null || state.stats.openWindows === 0) return [];
    const { fromUs, toUs, groups } = request;
    const names = rule.keys.length === 0 ? [] : groups;
    return state
      .open(0n, { fromUs, toUs, groups: names })
      .filter(
        ({ startUs, endUs, group, other }) =>
          (toUs === null || startUs < toUs) &&
          (fromUs === null || endUs > fromUs) &&
          (names.length === 0 ||
            (!other && names.every(({ key, value }) => isSameValue(group[key] ?? null, value)))),
      );
  }

  #merged(
    running: RunningRule,
    request: WindowsRequest,
    groupIds: readonly number[] | null,
    watermarkUs: bigint,
    next: bigint,
  ): WindowRow[] {
    const { rule, state } = running;
    const spans = spansOf(rule, request);
    const coarse = new Map<string, Coarse>();
    const add = (startUs: bigint, group: PartialGroup, changedAt: bigint, final: boolean): void => {
      const span = spans.span(startUs);
      const key = `${span.startUs} ${group.groupId}`;
      const known = coarse.get(key);
      if (known) {
        known.parts.push(group);
        if (changedAt > known.changedAt) known.changedAt = changedAt;
        known.final &&= final;
      } else {
        coarse.set(key, { ...span, groupId: group.groupId, parts: [group], changedAt, final });
      }
    };
    const { descending, tier } = request;
    const wanted = { rule: rule.number, tier, groupIds, descending };
    // Of those that the range cuts, all that is merged into them.
    const fromUs = request.fromUs === null ? null : spans.span(request.fromUs).startUs;
    const toUs = request.toUs === null ? null : spans.span(request.toUs - 1n).endUs;
    let read = 0;
    for (const group of this.#store.windows({ ...wanted, fromUs, toUs })) {
      if (++read > READ_MAX) throw tooMany();
      add(group.startUs, group, group.finalAt, true);
    }
    const chosen = groupIds && new Set(groupIds);
    const open = [
      ...running.openTiers(tier, fromUs, toUs),
      ...(state?.openPartials(fromUs, toUs) ?? []),
    ];
    for (const window of open) {
      for (const group of window.groups) {
        if (chosen === null || chosen.has(group.groupId)) add(window.startUs, group, next, false);
      }
    }
    const sign = descending ? -1 : 1;
    const sorted = [...coarse.values()].sort(
      (a, b) => sign * order(a.startUs, b.startUs) || a.groupId - b.groupId,
    );
    return this.#shown(rule, sorted.slice(0, request.limit + 1), ({ endUs, final }, revised) => {
      if (final && endUs + rule.allowedLatenessUs <= watermarkUs) return "final";
      if (endUs > watermarkUs) return "early";
      return revised > 0 ? "revised" : "on_time";
    });
  }
}

function rangeOf({ fromUs, toUs }: WindowsRequest): {
  readonly fromUs: bigint | null;
  readonly toUs: bigint | null;
} {
  return { fromUs, toUs };
}

function tooMany(): LimitError {
  return new LimitError(
    "query_rows",
    `more than ${READ_MAX} windows of groups would have to be merged; ask for a shorter range`,
    { neededRows: READ_MAX + 1, limitRows: READ_MAX },
  );
}

/** The windows that those of the tier are merged into. */
function spansOf({ window, tiers }: Rule, { tier, widthUs }: WindowsRequest): Buckets {
  const { originUs, zone } = window.kind === "session" ? { originUs: null, zone: "UTC" } : window;
  if (widthUs !== null) {
    return new Buckets({ width: { months: 0, days: 0, us: widthUs }, originUs, zone });
  }
  const width = tiers[tier - 1]?.size ?? { months: 0, days: 0, us: 1n };
  return new Buckets({ width, originUs, zone });
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Two lists by start, as one; those of the first come first where starts are equal. */
function merge(a: readonly WindowRow[], b: readonly WindowRow[], sign: number): WindowRow[] {
  const merged: WindowRow[] = [];
  let at = 0;
  for (const row of a) {
    for (; at < b.length; at++) {
      const other = b[at] as WindowRow;
      if (sign * order(other.startUs, row.startUs) >= 0) break;
      merged.push(other);
    }
    merged.push(row);
  }
  return [...merged, ...b.slice(at)];
}
