// The rows of a rule in one pane, as a fold. Its memory goes back to the arena when the last window that it is part of
// is final. As it is stored, little-endian:
//
//   0   magic 'MRPN' u32 │ 4 version u32 │ 8 checksum u32 of all bytes from 12 on, as of a partial
//   12  start i64 µs │ end i64 µs │ changed at i64 │ other changed at i64
//   44  groups u32 │ groups × changed at u64
//       windows u32 │ windows × { start i64 µs, entries u32, entries × { group + 1 u32 (0: other), revised f64 } }
//       length u32 │ the content of the fold │ length u32 │ the content of `other`, nothing without

import { CorruptionError } from "../errors.ts";
import type { GroupRows } from "../query/aggregate/accumulator.ts";
import { PartialReader, PartialWriter } from "../query/aggregate/partial-bytes.ts";
import { GroupStates } from "../query/aggregate/states.ts";
import type { QueryRun } from "../query/columns/kernels.ts";
import { selectionSize, selectionWords } from "../query/columns/selection.ts";
import type { BucketSpan } from "../query/expression/bucket.ts";
import { GroupFold } from "../query/run/group-fold.ts";
import { checksum } from "../query/run/partial-query.ts";
import type { Segment } from "../query/segments/source.ts";
import type { PaneKernels } from "./pane-kernels.ts";
import { paneKernels } from "./pane-kernels.ts";
import { type BlockTally, PaneScratch } from "./pane-scratch.ts";
import type { RuleContext } from "./rule-context.ts";
import type { ChunkRows } from "./rule-filters.ts";
import { foldCount, ruleFold } from "./rule-fold.ts";

const magic = 0x4e50524d;
const version = 1;
const headSize = 12;

/** In `revised`: the group of all groups beyond the limit. */
export const otherGroup = -1;

/** Rows of a pane: a selection and, where `list` is not 0, the same as a list of `count` u32. */
export interface PaneRows {
  readonly segment: Segment;
  readonly mask: number;
  readonly count: number;
  readonly list: number;
}

interface Parted {
  readonly kept: PaneRows & GroupRows;
  readonly rest: PaneRows;
}

export class Pane {
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly scratch: PaneScratch;
  readonly fold: GroupFold;
  /** By start of a window, then by group: rows that came when W had passed its end. */
  readonly revised = new Map<bigint, Map<number, number>>();
  /** The sequences after the last rows that changed it, and that went to `other`. */
  changedAt = 0n;
  otherChangedAt = 0n;
  isDirty = true;
  readonly #context: RuleContext;
  readonly #rows: ChunkRows;
  readonly #run: QueryRun;
  readonly #kernels: PaneKernels;
  readonly #stamps: GroupStates;
  #other: GroupFold | null = null;
  #content: Uint8Array | null = null;

  constructor(
    context: RuleContext,
    rows: ChunkRows,
    { startUs, endUs }: BucketSpan,
    tally?: BlockTally,
  ) {
    this.startUs = startUs;
    this.endUs = endUs;
    this.#context = context;
    this.#rows = rows;
    this.#kernels = paneKernels(context.run.core);
    this.scratch = new PaneScratch(context.arena, context.run.scratch, undefined, tally);
    this.#run = paneRun(context, this.scratch);
    this.fold = newFold(context, rows, this.#run, this, false);
    this.#stamps = new GroupStates(this.#run, 8);
  }

  /** Null: no row went there. */
  get other(): GroupFold | null {
    return this.#other;
  }

  /** How many rows are in it. */
  get rowCount(): number {
    let rows = Number(this.#other?.values()[foldCount]?.(0) ?? 0);
    const count = this.fold.values()[foldCount];
    for (let group = 0; group < this.fold.count; group++) rows += Number(count?.(group) ?? 0);
    return rows;
  }

  get groups(): number {
    return this.fold.count + (this.#other === null ? 0 : 1);
  }

  /** The sequence after the last row that changed a group. */
  changedAtOf(group: number): bigint {
    if (group === otherGroup) return this.otherChangedAt;
    if (this.fold.table === null) return this.changedAt;
    const address = this.#stamps.at(group);
    return address === 0 ? 0n : this.#run.core.view.getBigUint64(address, true);
  }

  /**
   * Adds rows, which revise the windows that begin at `revises`. The groups that come when there are `groupsMax` go to
   * `other`; answers how many rows did.
   */
  add(rows: PaneRows, revises: readonly bigint[], groupsMax: number): number {
    const { scratch } = this.#run;
    this.isDirty = true;
    this.#content = null;
    const mark = scratch.mark();
    const before = rows.segment.firstSequence;
    const { table } = this.fold;
    const known = this.fold.count;
    const mayOverflow = table !== null && known + rows.count > groupsMax;
    const tableMark = mayOverflow ? table.mark() : null;
    const assigned = this.#assign(rows);
    let kept: GroupRows | null = assigned;
    let rest = 0;
    if (tableMark !== null && table !== null && table.count > groupsMax) {
      const isFull = known >= groupsMax;
      if (!isFull) this.#renumber(assigned, known);
      const parted = this.#part(assigned, groupsMax);
      table.cut(tableMark, known);
      kept = isFull ? parted.kept : this.#assign(parted.kept);
      rest = parted.rest.count;
      this.#addOther(parted.rest, before);
    }
    if (kept !== null && kept.count > 0) {
      this.fold.addAssigned(kept);
      this.#stamp(kept, before);
    }
    for (const startUs of revises) this.#revise(startUs, kept, rest);
    scratch.release(mark);
    return rest;
  }

  #assign({ segment, mask, count, list }: PaneRows): GroupRows {
    if (list !== 0) return this.fold.assignListed(segment, mask, list, count);
    return this.fold.assign(segment, mask, count);
  }

  /** Numbers groups from `known` on as they came: a table has those of a chunk in an order of its own. */
  #renumber({ groups, count, groupCount }: GroupRows, known: number): void {
    const numbers = new Uint32Array(groupCount - known);
    let next = known;
    const first = groups >>> 2;
    const list = this.#run.core.u32.subarray(first, first + count);
    for (let i = 0; i < count; i++) {
      const at = (list[i] as number) - known;
      if (at < 0) continue;
      if (numbers[at] === 0) numbers[at] = ++next;
      list[i] = (numbers[at] as number) - 1;
    }
  }

  /** Rows of groups below `groupsMax`, and the others. */
  #part(all: GroupRows, groupsMax: number): Parted {
    const { scratch, core } = this.#run;
    const { segment, count } = all;
    const words = selectionWords(segment.rows);
    const [rows, groups, restRows] = [0, 0, 0].map(() => scratch.take(count * 4)) as [
      number,
      number,
      number,
    ];
    const kept = this.#kernels.groupsBelow(
      all.rows(),
      all.groups,
      count,
      groupsMax,
      rows,
      groups,
      restRows,
    );
    const masks = [
      { list: rows, count: kept },
      { list: restRows, count: count - kept },
    ].map((one) => {
      const mask = scratch.take(selectionSize(segment.rows));
      core.u8.fill(0, mask, mask + selectionSize(segment.rows));
      this.#kernels.selectionOf(one.list, one.count, words, mask);
      return { segment, mask, ...one };
    });
    const [own, rest] = masks as [PaneRows, PaneRows];
    return { kept: { ...own, rows: () => rows, groups, groupCount: groupsMax }, rest };
  }

  #addOther(rest: PaneRows, before: bigint): void {
    this.#other ??= newFold(this.#context, this.#rows, this.#run, this, true);
    this.#other.add(rest.segment, rest.mask, rest.count);
    this.otherChangedAt = before + BigInt(this.#last(rest)) + 1n;
    if (this.otherChangedAt > this.changedAt) this.changedAt = this.otherChangedAt;
  }

  #last({ segment, mask }: { readonly segment: Segment; readonly mask: number }): number {
    return this.#kernels.selectionLast(mask, selectionWords(segment.rows));
  }

  #stamp(rows: GroupRows, before: bigint): void {
    const changedAt = before + BigInt(this.#last(rows)) + 1n;
    if (changedAt > this.changedAt) this.changedAt = changedAt;
    if (rows.groups === 0) return;
    const stamps = this.#stamps.room(rows.groupCount);
    const { groups, count, groupCount } = rows;
    this.#kernels.paneStamp(rows.rows(), groups, count, before, stamps, groupCount);
  }

  #revise(startUs: bigint, kept: GroupRows | null, rest: number): void {
    let counts = this.revised.get(startUs);
    if (counts === undefined) {
      counts = new Map();
      this.revised.set(startUs, counts);
    }
    const add = (group: number, count: number): void => {
      counts.set(group, (counts.get(group) ?? 0) + count);
    };
    if (rest > 0) add(otherGroup, rest);
    if (kept === null || kept.count === 0) return;
    if (kept.groups === 0) {
      add(0, kept.count);
      return;
    }
    const first = kept.groups >>> 2;
    for (const group of this.#run.core.u32.subarray(first, first + kept.count)) add(group, 1);
  }

  /** The content of its fold, which others may merge; good until rows are added. */
  content(): Uint8Array {
    this.#content ??= contentOf(this.fold);
    return this.#content;
  }

  encode(): Uint8Array {
    const out = new PartialWriter();
    out.u32(magic);
    out.u32(version);
    out.u32(0);
    for (const value of [this.startUs, this.endUs, this.changedAt, this.otherChangedAt]) {
      out.i64(value);
    }
    const groups = this.fold.table === null ? 0 : this.fold.count;
    out.u32(groups);
    for (let group = 0; group < groups; group++) out.i64(this.changedAtOf(group));
    out.u32(this.revised.size);
    for (const [startUs, counts] of this.revised) {
      out.i64(startUs);
      out.u32(counts.size);
      for (const [group, count] of counts) {
        out.u32(group + 1);
        out.f64(count);
      }
    }
    for (const content of [this.content(), this.#other && contentOf(this.#other)]) {
      out.u32(content?.length ?? 0);
      if (content) out.raw(content);
    }
    return sealed(this.#context.run, out);
  }

  /** Into an empty pane. Throws CorruptionError. */
  restore(bytes: Uint8Array): void {
    const from = opened(this.#context.run, bytes, magic, version);
    from.i64();
    from.i64();
    this.changedAt = from.i64();
    this.otherChangedAt = from.i64();
    const stamps = Array.from({ length: from.u32() }, () => from.i64());
    const revised: [bigint, [number, number][]][] = [];
    for (let n = from.u32(); n > 0; n--) {
      const startUs = from.i64();
      revised.push([startUs, Array.from({ length: from.u32() }, () => [from.u32(), from.f64()])]);
    }
    const groups = this.fold.merge(new PartialReader(from.raw(from.u32())));
    const other = from.raw(from.u32());
    if (other.length > 0) {
      this.#other = newFold(this.#context, this.#rows, this.#run, this, true);
      this.#other.merge(new PartialReader(other));
    }
    const states = this.#stamps.room(this.fold.count);
    const groupOf = (group: number): number => groups[group] ?? 0;
    stamps.forEach((stamp, group) => {
      this.#run.core.view.setBigUint64(states + groupOf(group) * 8, stamp, true);
    });
    for (const [startUs, entries] of revised) {
      const counts = entries.map(([group, count]): [number, number] => [
        group === 0 ? otherGroup : groupOf(group - 1),
        count,
      ]);
      this.revised.set(startUs, new Map(counts));
    }
  }

  /** Gives back its memory. */
  free(): void {
    this.scratch.reset();
  }
}

/** The pane that was stored. Throws CorruptionError, and LimitError when there is no room for it. */
export function restoredPane(
  context: RuleContext,
  rows: ChunkRows,
  bytes: Uint8Array,
  tally: BlockTally,
): Pane {
  const pane = new Pane(context, rows, spanOfPane(bytes), tally);
  try {
    pane.restore(bytes);
  } catch (error) {
    pane.free();
    throw error;
  }
  return pane;
}

/** Start and end of the pane that was stored. */
export function spanOfPane(bytes: Uint8Array): BucketSpan {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < headSize + 16)
    throw new CorruptionError("pane_corrupt", "a pane is cut short");
  return { startUs: view.getBigInt64(headSize, true), endUs: view.getBigInt64(20, true) };
}

/** The key of a pane's part of the state: in the order of their starts, after what they have in common. */
export function paneKey(startUs: bigint): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = 1;
  new DataView(key.buffer).setBigUint64(1, BigInt.asUintN(64, startUs) ^ (1n << 63n));
  return key;
}

/** Kernels as the thread's, memory of its own. Texts of earlier queries are not looked up: groups may be forgotten. */
export function paneRun(context: RuleContext, scratch: PaneScratch): QueryRun {
  return { ...context.run, scratch, texts: undefined };
}

/** An empty fold of a span; without keys it is that of `other`. */
export function newFold(
  { rule, cells }: RuleContext,
  rows: ChunkRows,
  run: QueryRun,
  { startUs, endUs }: BucketSpan,
  isOther: boolean,
): GroupFold {
  const query = ruleFold(rule, startUs, endUs);
  return new GroupFold({
    query: isOther ? { ...query, groupBy: [] } : query,
    run,
    cells,
    computed: rows.computed,
    filters: rows.filters,
    select: (filter, segment, mask, out) => rows.filter(filter, segment, mask, out),
    small: true,
  });
}

export function contentOf(fold: GroupFold): Uint8Array {
  const out = new PartialWriter();
  fold.encode(out);
  return out.bytes().slice();
}

/** Bytes that begin with magic, version and room for their checksum. */
export function sealed(run: QueryRun, out: PartialWriter): Uint8Array {
  const bytes = out.bytes().slice();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(8, checksum(run, bytes.subarray(headSize)), true);
  return bytes;
}

/** What follows the checksum. Throws CorruptionError. */
export function opened(
  run: QueryRun,
  bytes: Uint8Array,
  wantedMagic: number,
  wantedVersion: number,
): PartialReader {
  const from = new PartialReader(bytes);
  const fail = (what: string): never => {
    throw new CorruptionError("pane_corrupt", `a part of a rule's state ${what}`);
  };
  if (from.u32() !== wantedMagic) fail("has another magic number");
  const got = from.u32();
  if (got !== wantedVersion) fail(`has version ${got}, want ${wantedVersion}`);
  if (from.u32() !== checksum(run, bytes.subarray(headSize))) fail("does not have its checksum");
  return from;
}
