// What the windows of a rule say to a query: each group of a window becomes a group of the query, with those of its
// states that the query's aggregates derive from, and the query merges them as it would those of other threads. What
// they don't say, or not exactly, is left as spans of time to whoever scans.

import { KEY_I64, KEY_NULL, KEY_STRING } from "../core/layout.ts";
import { CorruptionError, LimitError } from "../errors.ts";
import { sharedStateKey } from "../query/aggregate/create.ts";
import { Buckets } from "../query/expression/bucket.ts";
import { expressionKey } from "../query/expression/expression.ts";
import { predicateKey, type TimeSpan } from "../query/plan/rollup.ts";
import type { Aggregate, Query } from "../query/query.ts";
import type { QueryResult } from "../query/result.ts";
import type { QueryLimits } from "../query/run/execution.ts";
import { joinParts, type SplitGroup } from "../query/run/fold-bytes.ts";
import { foldFilters } from "../query/run/group-fold.ts";
import { GroupedExecution } from "../query/run/grouped.ts";
import type { QueryThreadState } from "../query/run/scan.ts";
import { kindAt } from "../query/states/kinds.ts";
import { StateBytes } from "../query/states/state-bytes.ts";
import type { GroupDirectory, WindowStore } from "../rollup/store.ts";
import type { RollupReply } from "./messages.ts";
import { exactWindows, type RollupBounds, type WindowGroup } from "./rollup-windows.ts";
import type { Rule } from "./rule.ts";
import { ruleFold } from "./rule-fold.ts";
import type { RuleState } from "./rule-state.ts";

/** Groups that are merged at once. */
const JOINED_MAX = 8192;

export interface RollupParts {
  readonly store: WindowStore;
  readonly directory: GroupDirectory;
  /** Its scratch is empty between questions. */
  readonly state: QueryThreadState;
  readonly limits: QueryLimits;
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

/**
 * What the rule's windows say that are exact. Every row that is published is in them.
 *
 * @throws LimitError where the result has more groups or rows than it may
 */
export function rollupAnswer(
  parts: RollupParts,
  rule: Rule,
  windows: RuleState,
  query: Query,
  bounds: RollupBounds,
): RollupReply {
  const found = exactWindows(parts.store, rule, windows, query, bounds);
  if (typeof found === "string") return { result: null, part: null, why: found };
  const { groups, text, rest, lack } = found;
  const { asOf, oldest } = bounds;
  try {
    const { result, partial } = mergeWindows(parts, rule, query, groups, asOf, rest);
    const why = [text, spansText(rest), lack].filter((one) => one !== "");
    return { result, part: partial && { partial, asOf, oldest, rest }, why: why.join("; ") };
  } catch (error) {
    // Threads that scan have more memory.
    const isMemory = error instanceof LimitError && error.code === "query_memory";
    if (!isMemory && !(error instanceof CorruptionError)) throw error;
    return { result: null, part: null, why: error.message };
  }
}

function spansText(rest: readonly TimeSpan[]): string {
  if (rest.length === 0) return "";
  const instant = (us: bigint | null) =>
    us === null ? "" : new Date(Number(us / 1000n)).toISOString();
  const some = rest.slice(0, 3).map(({ fromUs, toUs }) => `${instant(fromUs)}–${instant(toUs)}`);
  if (rest.length > some.length) some.push(`${rest.length - some.length} more`);
  return `events are scanned of ${some.join(", ")}`;
}

/** The whole answer where nothing is left to be read, else what there is of it. */
function mergeWindows(
  { directory, state, limits }: RollupParts,
  rule: Rule,
  query: Query,
  from: Iterable<WindowGroup>,
  asOf: bigint,
  rest: readonly TimeSpan[],
): { readonly result: QueryResult | null; readonly partial: Uint8Array | null } {
  const { scratch } = state.run;
  scratch.reset();
  try {
    const execution = new GroupedExecution(query, state, limits);
    const conversion = new Conversion(rule, query);
    let groups: SplitGroup[] = [];
    const flush = (): void => {
      for (const content of joinParts(groups, query.groupBy.length)) {
        execution.mergeJoined(content, asOf);
      }
      groups = [];
    };
    for (const { groupId, startUs, partial } of from) {
      const key = rule.keys.length === 0 ? [] : keyParts(directory.keyOf(groupId));
      groups.push(conversion.group(key, startUs, partial));
      if (groups.length >= JOINED_MAX) flush();
    }
    flush();
    return rest.length === 0
      ? { result: execution.finish(asOf), partial: null }
      : { result: null, partial: execution.partial() };
  } finally {
    scratch.reset();
  }
}
