// Why a rule would never have a row, or a value: fields that no event has, values of another type, texts that never
// come, a filter that nothing has passed for days. These are warnings: what isn't there yet may come tomorrow.

import { nearest } from "../base/near.ts";
import type { Engine } from "../engine/engine.ts";
import { MillraceError } from "../errors.ts";
import type { Expression, ValueType } from "../query/expression/expression.ts";
import { barePath, walkExpression } from "../query/expression/expression.ts";
import { showLiteral } from "../query/literal.ts";
import { pathType, propertiesPrefix } from "../query/paths.ts";
import { both } from "../query/predicate.ts";
import type { Literal, Predicate, Query } from "../query/query.ts";
import type { CatalogPath, LaneType } from "../query/sql/catalog.ts";
import type { Rule } from "./rule.ts";

export interface RuleWarning {
  readonly code: "no_events" | "unknown_field" | "wrong_type" | "unseen_value" | "no_match";
  readonly message: string;
  readonly field?: string;
  /** What was perhaps meant. */
  readonly near?: string;
}

/** How far back it is looked for events, by the time at which they came in. */
export const lookBackDays = 7;
/** Time of one question about what is stored. */
const timeoutMs = 1_000;
/** Values of a field that a text is compared with for its near ones. */
const valuesMost = 1_000;
/** Texts of a filter that are looked for one by one. */
const textsMost = 8;
/** Of the first event that a data folder ever has. */
const firstSequence = 1n;
const dayUs = 86_400_000_000n;

interface Use {
  readonly path: string;
  readonly want: ValueType;
  readonly where: string;
}

function expressionUses(of: Expression, where: string): Use[] {
  const uses: Use[] = [];
  walkExpression(of, (part) => {
    if (part.kind === "path") uses.push({ path: part.path, want: part.type, where });
  });
  return uses;
}

function typeOf(value: Literal): ValueType {
  if (typeof value === "boolean") return "boolean";
  return typeof value === "string" ? "string" : "number";
}

function predicateUses(predicate: Predicate | null, where: string): Use[] {
  if (predicate === null) return [];
  switch (predicate.kind) {
    case "and":
    case "or":
      return predicate.of.flatMap((one) => predicateUses(one, where));
    case "not":
      return predicateUses(predicate.of, where);
    case "compare":
      return [{ path: predicate.path, want: typeOf(predicate.value), where }];
    case "in": {
      const types = new Set(predicate.values.map(typeOf));
      const [only, ...more] = types;
      const want = only !== undefined && more.length === 0 ? only : "variant";
      return [{ path: predicate.path, want, where }];
    }
    case "prefix":
      return [{ path: predicate.path, want: "string", where }];
    case "exists":
    case "is-null":
      return [{ path: predicate.path, want: "variant", where }];
    case "test":
      return expressionUses(predicate.of, where);
    default:
      return [];
  }
}

function usesOf({ where, keys, aggregates }: Rule): Use[] {
  return [
    ...predicateUses(where, "the filter"),
    ...keys.flatMap((key) => expressionUses(key.of, `the group "${key.as}"`)),
    ...aggregates.flatMap(({ fn, of, filter }) => [
      ...(of === null ? [] : expressionUses(of, `${fn}()`)),
      ...predicateUses(filter, `the filter of ${fn}()`),
    ]),
  ];
}

const lanes: ReadonlySet<ValueType> = new Set(["number", "string", "boolean", "json"]);

function fieldWarning(use: Use, catalog: readonly CatalogPath[]): RuleWarning | null {
  const { path, want, where } = use;
  if (pathType(path) !== "property" || path === "properties") return null;
  const found = catalog.find((one) => one.path === path);
  if (found === undefined) {
    const within = catalog.find((one) => one.path.startsWith(`${path}.`));
    const near = nearPath(path, catalog);
    const hint =
      within !== undefined
        ? `; it has fields of its own, such as "${within.path}"`
        : near === null
          ? ""
          : `; did you mean "${near}"?`;
    const message = `no stored event has ${path}, which ${where} reads${hint}`;
    return { code: "unknown_field", message, field: path, ...(near !== null && { near }) };
  }
  if (!lanes.has(want) || found.types.includes(want as LaneType)) return null;
  const held = found.types.join(" and ");
  const message = `${where} reads ${path} as ${want}, but all that is stored there is ${held}`;
  return { code: "wrong_type", message, field: path };
}

/** What all paths begin with would make short names alike. */
function nearPath(path: string, catalog: readonly CatalogPath[]): string | null {
  const names = catalog.map((one) => one.path.slice(propertiesPrefix.length));
  const near = nearest(path.slice(propertiesPrefix.length), names);
  return near === null ? null : propertiesPrefix + near;
}

/** Texts that every row must have: what one of several alternatives wants says nothing. */
function wantedTexts(where: Predicate | null): { path: string; value: string }[] {
  if (where === null) return [];
  if (where.kind === "and") return where.of.flatMap(wantedTexts);
  if (where.kind === "compare" && where.op === "=" && typeof where.value === "string") {
    return [{ path: where.path, value: where.value }];
  }
  if (where.kind !== "in") return [];
  const { path, values } = where;
  return values.flatMap((value) => (typeof value === "string" ? [{ path, value }] : []));
}

const counted: Pick<Query, "aggregates" | "select"> = {
  aggregates: [{ fn: "count", of: null, filter: null, type: "number", parameters: [] }],
  select: [{ of: { kind: "aggregate", type: "number", aggregate: 0 }, as: "n" }],
};

function queryOf(where: Predicate, more: Partial<Query> = {}): Query {
  return {
    ...counted,
    where,
    fromUs: null,
    toUs: null,
    groupBy: [],
    having: null,
    orderBy: [],
    limit: null,
    offset: 0,
    fill: null,
    ...more,
  };
}

/** Asks what is stored; null where that takes too long or can't be told now. */
class Looking {
  readonly #engine: Engine;
  readonly #since: Predicate;

  constructor(engine: Engine, nowUs: bigint) {
    this.#engine = engine;
    const value = nowUs - BigInt(lookBackDays) * dayUs;
    this.#since = { kind: "compare", path: "received_at", op: ">=", value };
  }

  async count(where: Predicate | null): Promise<number | null> {
    const all = where === null ? this.#since : both([where, this.#since]);
    const result = await this.#ask(queryOf(all));
    const value = result?.[0]?.[0];
    return typeof value === "number" || typeof value === "bigint" ? Number(value) : null;
  }

  /** Texts of a field, the most frequent first. */
  async texts(path: string): Promise<string[]> {
    const of = barePath(path);
    const n = counted.select[0] as (typeof counted.select)[number];
    const key = { kind: "key", type: of.type, key: 0 } as const;
    const query = queryOf(this.#since, {
      groupBy: [{ of, as: "value" }],
      select: [{ of: key, as: "value" }, n],
      orderBy: [{ of: n.of, descending: true, nullsFirst: false }],
      limit: valuesMost,
    });
    const rows = (await this.#ask(query)) ?? [];
    return rows.flatMap(([value]) => (typeof value === "string" ? [value] : []));
  }

  async #ask(query: Query): Promise<readonly (readonly unknown[])[] | null> {
    try {
      return (await this.#engine.query(query, { timeoutMs, text: "a rule's diagnostics" })).rows;
    } catch (error) {
      // It is no answer to the question whether events match; the rule is as good as before.
      if (error instanceof MillraceError) return null;
      throw error;
    }
  }
}

async function valueWarnings(rule: Rule, looking: Looking): Promise<RuleWarning[]> {
  const warnings: RuleWarning[] = [];
  for (const { path, value } of wantedTexts(rule.where).slice(0, textsMost)) {
    const where: Predicate = { kind: "compare", path, op: "=", value };
    if ((await looking.count(where)) !== 0) continue;
    const near = nearest(value, await looking.texts(path));
    const hint = near === null ? "" : `; did you mean ${showLiteral(near)}?`;
    warnings.push({
      code: "unseen_value",
      message: `no event of the last ${lookBackDays} days has ${path} = ${showLiteral(value)}${hint}`,
      field: path,
      ...(near !== null && { near }),
    });
  }
  return warnings;
}

/** What stands in the way of a rule now. Reads little: a few counts, each with a limit of time. */
export async function diagnose(rule: Rule, engine: Engine, nowUs: bigint): Promise<RuleWarning[]> {
  if (engine.nextSequence() <= firstSequence) {
    const message = "no event has been stored yet: whether the rule matches any can't be told";
    return [{ code: "no_events", message }];
  }
  const catalog = engine.catalog();
  const fields = usesOf(rule).flatMap((use) => fieldWarning(use, catalog) ?? []);
  const warnings = fields.filter(
    (one, i) => fields.findIndex((other) => other.message === one.message) === i,
  );
  const looking = new Looking(engine, nowUs);
  if ((await looking.count(rule.where)) !== 0) return warnings;
  if (rule.where !== null && (await looking.count(null)) === 0) {
    const message = `no event has come in for ${lookBackDays} days`;
    return [...warnings, { code: "no_match", message }];
  }
  const values = await valueWarnings(rule, looking);
  const what = rule.where === null ? "has come in" : "passes the filter";
  const message = `no event of the last ${lookBackDays} days ${what}`;
  return [...warnings, ...values, { code: "no_match", message }];
}
