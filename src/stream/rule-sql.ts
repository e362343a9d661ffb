// One SQL statement as a rule: the question of `SELECT … FROM events … GROUP BY` and the windows that it is answered
// for. A window is a `time_bucket` of `timestamp`, or one of the group window functions that Apache Calcite and Flink
// have: TUMBLE, HOP and SESSION.

import type { FuncCall, Node, SelectStmt } from "libpg-query";
import { InputError } from "../errors.ts";
import { intervalOfText } from "../query/duration.ts";
import type { Expression, Interval } from "../query/expression/expression.ts";
import { expressionKey, walkExpression } from "../query/expression/expression.ts";
import { placeOfPointer } from "../query/form/condition.ts";
import { predicateOf } from "../query/predicate.ts";
import type { GroupKey, Query } from "../query/query.ts";
import { windowFunctions } from "../query/sql/calls.ts";
import { compileTerm } from "../query/sql/compile.ts";
import type { SqlScope } from "../query/sql/scope.ts";
import { locationOf, nameOf, placeAt } from "../query/sql/scope.ts";
import { compileClauses, eventsAlias, refuseClauses } from "../query/sql/select.ts";
import type { SqlSource } from "../query/sql/source.ts";
import { parseOne } from "../query/sql/source.ts";
import { compiling, eventsScope } from "../query/sql/statement.ts";
import { parseTime } from "../query/time.ts";
import { assembleQuery } from "../query/typing/assemble.ts";
import type { Place, Term } from "../query/typing/term.ts";
import { AggregateList, placeOf, term } from "../query/typing/term.ts";
import { constantText, widthOf, zoneOfTerm } from "../query/typing/times.ts";
import type { WindowShape } from "./rule.ts";
import type { NewRule, RuleLimits, RuleParts } from "./rule-parts.ts";
import { bucketKey, limitsOf, partsOf, roughUs } from "./rule-parts.ts";
import type { Alignment, Blame } from "./rule-window.ts";
import { hoppingOf, sessionOf, tumblingOf, unaligned } from "./rule-window.ts";

export interface RuleQuestion {
  readonly window: WindowShape;
  readonly parts: RuleParts;
}

/** Stand for the start and the end of the window while the statement is compiled. */
const startPath = "window_start";
const endPath = "window_end";

/** The window functions of a statement as they are met. */
class WindowCalls {
  #first: WindowShape | null = null;

  get shape(): WindowShape | null {
    return this.#first;
  }

  /** The expression of a call, whose window must be that of all others. */
  take(node: FuncCall, scope: SqlScope): Term {
    const name = nameOf(node.funcname);
    const place = placeAt(scope.source, node.location ?? 0);
    if (scope.aggregates === null && scope.clause !== "GROUP BY") {
      const problem = `${name}() in ${scope.clause}: a window stands in SELECT and GROUP BY`;
      throw place.error("sql_semantics", problem);
    }
    const shape = shapeOfCall(node, name, place, scope);
    this.#first ??= shape;
    if (textOf(shape) !== textOf(this.#first)) {
      throw place.error("sql_semantics", `${name}() is another window: a rule has one`);
    }
    const path = name.endsWith("_end") ? endPath : startPath;
    return term({ kind: "path", type: "timestamp", path }, place);
  }
}

function textOf(shape: WindowShape): string {
  return JSON.stringify(shape, (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
}

function shapeOfCall(node: FuncCall, name: string, place: Place, scope: SqlScope): WindowShape {
  const kind = name.replace(/_(?:start|end)$/, "");
  const inner: SqlScope = { ...scope, aggregates: null, clause: `${name}()` };
  const [of, ...args] = (node.args ?? []).map((one) => inner.compile(one, inner));
  const wanted = kind === "hop" ? 2 : 1;
  if (!of || args.length < wanted) {
    const shown = { tumble: "size", hop: "slide, size", session: "gap" }[kind];
    throw place.error("sql_semantics", `${name}() wants ${name}(timestamp, ${shown})`);
  }
  if (of.of.kind !== "path" || of.of.path !== "timestamp") {
    throw of.place.error("sql_semantics", `${name}(): windows go by timestamp, want it first`);
  }
  const widths = args.slice(0, wanted);
  const intervals = widths.map((one) => widthOf(one, `${name}()`));
  const [first, second] = intervals as [Interval, Interval];
  const more = args.slice(wanted);
  if (kind === "session") {
    const extra = more[0];
    if (extra) throw extra.place.error("sql_semantics", `${name}() takes a timestamp and a gap`);
    if (first.months > 0) {
      const problem = "a gap has no months: they have no fixed length";
      throw (widths[0] as Term).place.error("invalid_duration", problem);
    }
    return sessionOf(roughUs(first), blameAt(place));
  }
  const alignment = alignmentOf(more, name);
  return kind === "hop"
    ? hoppingOf(second, first, alignment, blameAt(place))
    : tumblingOf(first, alignment, blameAt(place));
}

function blameAt(place: Place): Blame {
  return (part, problem, code = "sql_semantics") => {
    throw place.error(code, `the window's ${part}: ${problem}`);
  };
}

/** What may follow the width: an origin (a time), an offset (an interval) and a time zone. */
function alignmentOf(args: readonly Term[], name: string): Alignment {
  let found: Alignment = unaligned;
  for (const one of args) {
    const { of, place } = one;
    const value = of.kind === "literal" ? of.value : null;
    const twice = (was: unknown): void => {
      if (was !== null) throw place.error("sql_semantics", `${name}() takes one of each argument`);
    };
    if (typeof value === "bigint" && of.type === "timestamp") {
      twice(found.originUs);
      found = { ...found, originUs: value };
    } else if (of.type === "interval") {
      twice(found.offset);
      found = { ...found, offset: widthOf(one, `${name}()`) };
    } else {
      const text = constantText(one, "an origin, an offset or a time zone");
      const origin = parseTime(text);
      if (typeof origin === "bigint") found = { ...found, originUs: origin };
      else if (/^\s*[-\dP]/.test(text)) found = { ...found, offset: intervalOfText(text) };
      else found = { ...found, zone: zoneOfTerm(one) };
    }
  }
  return found;
}

/** The first character of a part of the tree. */
function firstLocation(tree: unknown): number {
  if (typeof tree !== "object" || tree === null) return Number.POSITIVE_INFINITY;
  const own = (tree as { location?: unknown }).location;
  const from = typeof own === "number" && own >= 0 ? own : Number.POSITIVE_INFINITY;
  return Object.values(tree).reduce((least, one) => Math.min(least, firstLocation(one)), from);
}

/** What a standing question has no use for. */
function refuseParts(select: SelectStmt, source: SqlSource): void {
  refuseClauses(select, source);
  if (select.distinctClause) throw source.notImplementedAtWord("DISTINCT in a rule", "distinct");
  const parts: [Node | undefined, string, string][] = [
    [select.havingClause, "HAVING", "a rule keeps all its groups; ask for some when you read it"],
    [select.sortClause?.[0], "ORDER BY", "a rule's windows are in the order of time"],
    [select.limitCount, "LIMIT", "a rule keeps all its windows; its max_groups bounds a window"],
    [select.limitOffset, "OFFSET", "a rule keeps all its windows"],
  ];
  for (const [node, name, why] of parts) {
    if (!node) continue;
    const at = firstLocation(node);
    const location = Number.isFinite(at) ? at : 0;
    throw source.error("sql_semantics", `${name} has no place in a rule: ${why}`, location);
  }
}

function ruleScope(source: SqlSource, params: readonly unknown[], windows: WindowCalls): SqlScope {
  const compile = (node: Node | undefined, scope: SqlScope): Term => {
    if (!node || !("FuncCall" in node)) return compileTerm(node, scope);
    const name = nameOf(node.FuncCall.funcname);
    if (windowFunctions.has(name)) return windows.take(node.FuncCall, scope);
    if (name === "time_bucket_gapfill" || name === "locf") {
      const problem = `${name}() has no place in a rule: windows without events are not kept`;
      throw source.error("sql_semantics", problem, locationOf(node));
    }
    return compileTerm(node, scope);
  };
  return { ...eventsScope(source, params, "WHERE"), compile };
}

const isStart = (of: Expression): boolean => of.kind === "path" && of.path === startPath;
const isEnd = (of: Expression): boolean => of.kind === "path" && of.path === endPath;

function ruleOfBucket(of: Expression): WindowShape | null {
  if (of.kind !== "bucket") return null;
  return { kind: "tumbling", size: of.width, originUs: of.originUs, zone: of.zone };
}

/** The window of the keys, which of them it is, and the other keys. */
function takeWindow(
  groupBy: readonly GroupKey[],
  windows: WindowCalls,
  source: SqlSource,
): { window: WindowShape; isWindow(of: Expression): boolean; keys: GroupKey[] } {
  const { shape } = windows;
  if (shape !== null) {
    if (!groupBy.some(({ of }) => isStart(of))) {
      throw source.errorAt("sql_semantics", "the window must appear in GROUP BY", 1);
    }
    const isWindow = (of: Expression): boolean => isStart(of) || isEnd(of);
    return { window: shape, isWindow, keys: groupBy.filter(({ of }) => !isWindow(of)) };
  }
  const buckets = groupBy.filter(
    ({ of }) => of.kind === "bucket" && of.of.kind === "path" && of.of.path === "timestamp",
  );
  const [bucket, second] = buckets;
  const window = bucket ? ruleOfBucket(bucket.of) : null;
  if (!bucket || window === null) {
    const problem =
      "a rule has windows: want time_bucket('1 minute', timestamp), TUMBLE, HOP or SESSION in GROUP BY";
    throw source.errorAt("sql_semantics", problem, source.text.length + 1);
  }
  if (second) {
    const problem = "a second bucket of timestamp: a rule has one window";
    const place = placeOf(second.of) ?? placeAt(source, 0);
    throw place.error("sql_semantics", problem);
  }
  const key = expressionKey(bucket.of);
  const isWindow = (of: Expression): boolean => expressionKey(of) === key;
  return { window, isWindow, keys: groupBy.filter((one) => one !== bucket) };
}

function questionOf(
  select: SelectStmt,
  source: SqlSource,
  params: readonly unknown[],
): RuleQuestion {
  refuseParts(select, source);
  const windows = new WindowCalls();
  const aggregates = new AggregateList();
  const outer = ruleScope(source, params, windows);
  const scope: SqlScope = { ...outer, aggregates, table: eventsAlias(select, source) };
  const { targets, where, groupBy } = compileClauses(select, scope);
  const { window, isWindow, keys } = takeWindow(groupBy, windows, source);
  const outputs = targets.filter((one) => !isWindow(one.term.of));
  for (const { term: output } of outputs) {
    walkExpression(output.of, (part) => {
      if (!isWindow(part)) return;
      const problem = "a window's start and end are columns of their own; want them alone";
      throw output.place.error("sql_semantics", problem);
    });
  }
  const query = assembleQuery({
    select: outputs.map(({ term: { of }, as }) => ({ of, as })),
    where: where === null ? null : predicateOf(where),
    fromUs: null,
    toUs: null,
    groupBy: keys,
    having: null,
    orderBy: [],
    limit: null,
    offset: 0,
    fill: null,
    aggregates,
  });
  const parts = partsOf(query, (name) => outputs.findLast(({ as }) => as === name)?.term.place);
  if (query.aggregates.length === 0) {
    const problem = "a rule computes something of each window: want an aggregate, such as count(*)";
    throw source.errorAt("sql_semantics", problem, 1);
  }
  return { window, parts };
}

/**
 * The question of one statement `SELECT … FROM events … GROUP BY` a window; `params` are the values of `$1`, `$2`, ….
 * Throws InputError as `parseSql` does, with the character in `detail.position`.
 */
export function readRuleSql(text: string, params: readonly unknown[] = []): RuleQuestion {
  const { source, statement } = parseOne(text);
  if (!("SelectStmt" in statement)) {
    throw source.errorAt("sql_semantics", "want a SELECT; a rule is nothing else", 1);
  }
  const select = statement.SelectStmt;
  return compiling(source, () => questionOf(select, source, params));
}

/** The passing rule of a statement, for a live subscription. */
export function ruleOfSql(
  text: string,
  params: readonly unknown[] = [],
  limits: RuleLimits = {},
): NewRule {
  const { window, parts } = readRuleSql(text, params);
  return passingRule(window, parts, limits);
}

/** The passing rule of a query whose one bucket of `timestamp` is the window, for a live subscription. */
export function ruleOfQuery(query: Query, limits: RuleLimits = {}): NewRule {
  const extras: [boolean, string][] = [
    [query.having !== null, "having"],
    [query.orderBy.length > 0, "order_by"],
    [query.limit !== null, "limit"],
    [query.offset > 0, "offset"],
    [query.fill !== null, "fill"],
  ];
  const [extra] = extras.filter(([present]) => present);
  if (extra) {
    const problem = `#/${extra[1]}: "${extra[1]}" has no place in a subscription to windows`;
    throw new InputError("invalid_query", problem, { pointer: `#/${extra[1]}` });
  }
  const at = bucketKey(query);
  const window = at < 0 ? null : ruleOfBucket((query.groupBy[at] as GroupKey).of);
  if (window === null || query.aggregates.length === 0) {
    const wants = window === null ? "a time_bucket of timestamp in group_by" : "an aggregate";
    throw new InputError("invalid_query", `#/group_by: windows want ${wants}`, {
      pointer: "#/group_by",
    });
  }
  return passingRule(
    window,
    partsOf(withoutKey(query, at), () => placeOfPointer(["select"])),
    limits,
  );
}

function passingRule(window: WindowShape, parts: RuleParts, limits: RuleLimits): NewRule {
  const own = limitsOf(window, limits);
  return { name: "", window, ...parts, ...own, retentionUs: null, tiers: [] };
}

/** Without a key and the outputs that are it; the keys after it move up. */
function withoutKey(query: Query, at: number): Query {
  const moved = (of: Expression): Expression => {
    if (of.kind === "key") return { ...of, key: of.key > at ? of.key - 1 : of.key };
    if (of.kind === "call") return { ...of, args: of.args.map(moved) };
    return of.kind === "bucket" ? { ...of, of: moved(of.of) } : of;
  };
  const select = query.select.filter(({ of }) => of.kind !== "key" || of.key !== at);
  for (const { of, as } of select) {
    walkExpression(of, (part) => {
      if (part.kind !== "key" || part.key !== at) return;
      const problem = `"${as}" computes with the window's start, which stands alone in windows`;
      throw new InputError("invalid_query", `#/select: ${problem}`, { pointer: "#/select" });
    });
  }
  return {
    ...query,
    select: select.map((one) => ({ ...one, of: moved(one.of) })),
    groupBy: query.groupBy.filter((_, i) => i !== at),
  };
}
