// What the windows of a rule say to a query: each group of a window becomes a group of the query, with those of its
// states that the query's aggregates derive from, and the query merges them as it would those of other threads.

import { crc32c } from "../base/crc32c.ts";
import { KEY_I64, KEY_NULL, KEY_STRING } from "../core/layout.ts";
import { CorruptionError } from "../errors.ts";
import { sharedStateKey } from "../query/aggregate/create.ts";
import { Buckets } from "../query/expression/bucket.ts";
import { expressionKey } from "../query/expression/expression.ts";
import { predicateKey } from "../query/plan/rollup.ts";
import type { Aggregate, Query } from "../query/query.ts";
import { startQuery } from "../query/run/execute.ts";
import { joinParts, type SplitGroup } from "../query/run/fold-bytes.ts";
import { foldFilters } from "../query/run/group-fold.ts";
import type { QueryThreadState } from "../query/run/scan.ts";
import { stages } from "../query/run/stages.ts";
import type { Segment } from "../query/segments/source.ts";
import { kindAt } from "../query/states/kinds.ts";
import { StateBytes } from "../query/states/state-bytes.ts";
import type { GroupDirectory, WindowStore } from "../rollup/store.ts";
import type { Rule } from "./rule.ts";
import { ruleFold } from "./rule-fold.ts";
import type { RuleRecord } from "./rule-record.ts";
import type { RuleState } from "./rule-state.ts";
import type { RollupReply } from "./stream-parts.ts";
import { noWatermark } from "./timed-chunk.ts";
import type { FinalWindow, PartialGroup } from "./window-row.ts";

/** Groups of windows that one answer is merged from at most; more are scanned for instead. */
const GROUPS_MAX = 200_000;
const JOINED_MAX = 8192;

export interface RollupParts {
  readonly store: WindowStore;
  readonly directory: GroupDirectory;
  /** Its scratch is empty between questions. */
  readonly state: QueryThreadState;
}

type KeyMaker = (key: readonly Uint8Array[], startUs: bigint) => Uint8Array;

/** Makes the key and the states that a query has of what a rule has. */
class Conversion {
  readonly #keys: readonly KeyMaker[];
  /** By state of the query, its index among those of the rule. */
  readonly #states: readonly number[];

  /** @throws CorruptionError where the rule lacks something: it was not chosen well. */
  constructor(rule: Rule, query: Query) {
    const has = stateKeys(ruleFold(rule, 0n, 1n).aggregates);
    this.#states = stateKeys(query.aggregates).map((key) => found(has.indexOf(key)));
    const keys = rule.keys.map(({ of }) => expressionKey(of));
    this.#keys = query.groupBy.map(({ of }): KeyMaker => {
      const index = keys.indexOf(expressionKey(of));
      if (index >= 0) return (key) => key[index] as Uint8Array;
      if (of.kind !== "bucket") throw lacking();
      const buckets = new Buckets(of);
      return (_, startUs) => timeKey(buckets.span(startUs).startUs);
    });
  }

  group(key: readonly Uint8Array[], startUs: bigint, partial: Uint8Array): SplitGroup {
    const parts = this.#keys.map((make) => make(key, startUs));
    const from = new StateBytes(partial);
    const states: Uint8Array[] = [];
    while (from.at < from.length) {
      const begin = from.at;
      kindAt(from, begin).split(from, 1, []);
      states.push(partial.subarray(begin, from.at));
    }
    const own = this.#states.map((index) => states[index] as Uint8Array);
    return { key: Buffer.concat(parts), states: Buffer.concat(own) };
  }
}

function lacking(): CorruptionError {
  return new CorruptionError("rollup_lacks", "the rule does not have what the query asks for");
}

function found(index: number): number {
  if (index < 0) throw lacking();
  return index;
}

/** Names of the states of a fold, in its order: those of one filter together. */
function stateKeys(aggregates: readonly Aggregate[]): string[] {
  const filters = foldFilters(aggregates);
  const byFilter = new Map<unknown, string[]>();
  for (const aggregate of aggregates) {
    const filter = filters.get(aggregate.filter);
    const keys = byFilter.get(filter) ?? [];
    byFilter.set(filter, keys);
    const key = `${predicateKey(aggregate.filter)} ${sharedStateKey(aggregate)}`;
    if (!keys.includes(key)) keys.push(key);
  }
  return [...byFilter.values()].flat();
}

function timeKey(us: bigint): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = KEY_I64;
  new DataView(key.buffer).setBigInt64(1, us, true);
  return key;
}

/** The bytes of each value of a group's key. */
function keyParts(key: Uint8Array): Uint8Array[] {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < key.length; ) {
    const kind = key[at] as number;
    let size = 9;
    if (kind === KEY_NULL) size = 1;
    else if (kind < KEY_I64) size = 2;
    else if (kind >= KEY_STRING) size = 5 + view.getUint32(at + 1, true);
    parts.push(key.subarray(at, at + size));
    at += size;
  }
  return parts;
}

/** A partial as `QueryExecution.merge` takes it; see docs/formats/partial.md. */
function partialOf(content: Uint8Array, asOf: bigint): Uint8Array {
  const figures = 8 + (4 + stages.length) * 8;
  const bytes = new Uint8Array(16 + figures + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x5051524d, true);
  view.setUint16(4, 1, true);
  view.setUint16(6, 1, true);
  view.setUint32(12, bytes.length, true);
  view.setBigInt64(16, asOf, true);
  bytes.set(content, 16 + figures);
  const pieces: number[] = [];
  for (let at = 16; at < bytes.length; at += 1 << 20) {
    pieces.push(crc32c(bytes.subarray(at, at + (1 << 20))));
  }
  view.setUint32(8, crc32c(new Uint8Array(Uint32Array.from(pieces).buffer)), true);
  return bytes;
}

/** Why a rule's windows don't reflect all rows of the query's range of time; null: they do. */
export function reflectionLack(
  record: RuleRecord,
  { fromUs, toUs }: Pick<Query, "fromUs" | "toUs">,
  segments: readonly Segment[],
  watermarkUs: bigint,
): string | null {
  const { rule, state, paused, complete, backfill, fromSequence } = record;
  if (state !== "live") return `it is ${state}`;
  if (paused) return "it is paused";
  if (!complete) return "it has left out rows";
  if (backfill !== null) return "its backfill is not done";
  const missed = segments.some(
    ({ firstSequence, timeMinUs, timeMaxUs }) =>
      firstSequence < fromSequence &&
      (fromUs === null || timeMaxUs >= fromUs) &&
      (toUs === null || timeMinUs < toUs),
  );
  if (missed) return `it begins with sequence ${fromSequence}, and there are older rows`;
  if (rule.retentionUs === null || watermarkUs === noWatermark) return null;
  if (fromUs !== null && fromUs >= watermarkUs - rule.retentionUs) return null;
  return "its windows are not kept for as long as that";
}

/** Why a group of a window can't be used; null: it can. */
function lackOf(rule: Rule, startUs: bigint, group: PartialGroup): string | null {
  const at = new Date(Number(startUs / 1000n)).toISOString();
  if (group.tooLate > 0)
    return `its window from ${at} lacks ${group.tooLate} events that were too late`;
  if (group.groupId === 0 && rule.keys.length > 0 && group.count > 0) {
    return `its window from ${at} has more groups than it may have`;
  }
  return null;
}

/** Every row that is published is in the rule's windows. */
export function rollupAnswer(
  { store, directory, state }: RollupParts,
  rule: Rule,
  windows: RuleState,
  query: Query,
  asOf: bigint,
): RollupReply {
  const none = (why: string): RollupReply => ({ result: null, why });
  const { fromUs, toUs } = query;
  const { scratch } = state.run;
  scratch.reset();
  try {
    const execution = startQuery(query, state);
    const conversion = new Conversion(rule, query);
    let groups: SplitGroup[] = [];
    let count = 0;
    const flush = (): void => {
      for (const content of joinParts(groups, query.groupBy.length)) {
        execution.merge(partialOf(content, asOf));
      }
      groups = [];
    };
    /** Why it can't be used. */
    const add = (startUs: bigint, group: PartialGroup): string | null => {
      const lack = lackOf(rule, startUs, group);
      if (lack !== null) return lack;
      if (++count > GROUPS_MAX) return `its windows have more than ${GROUPS_MAX} groups`;
      if (group.partial.length === 0) return null;
      const key = rule.keys.length === 0 ? [] : keyParts(directory.keyOf(group.groupId));
      groups.push(conversion.group(key, startUs, group.partial));
      if (groups.length >= JOINED_MAX) flush();
      return null;
    };
    for (const { startUs, ...group } of storedGroups(store, rule, fromUs, toUs)) {
      const lack = add(startUs, group);
      if (lack !== null) return none(lack);
    }
    for (const { startUs, groups: some } of windows.openPartials(fromUs, toUs)) {
      for (const group of some) {
        const lack = add(startUs, group);
        if (lack !== null) return none(lack);
      }
    }
    flush();
    return { result: execution.finish(asOf), why: `rule ${rule.name}` };
  } catch (error) {
    if (error instanceof CorruptionError) return none(error.message);
    throw error;
  } finally {
    scratch.reset();
  }
}

function storedGroups(
  store: WindowStore,
  { number }: Rule,
  fromUs: bigint | null,
  toUs: bigint | null,
): Iterable<PartialGroup & Pick<FinalWindow, "startUs">> {
  return store.windows({
    rule: number,
    tier: 0,
    groupIds: null,
    fromUs,
    toUs,
    descending: false,
  });
}
