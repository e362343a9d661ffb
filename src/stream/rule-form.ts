// The forms of an aggregation rule (JSON, the short one with one aggregate, SQL) as the rule that they mean.

import { didYouMean } from "../base/near.ts";
import { InputError } from "../errors.ts";
import { intervalOfText, parseDuration } from "../query/duration.ts";
import type { Interval } from "../query/expression/expression.ts";
import type { Pointer } from "../query/form/condition.ts";
import { conditionAt, placeOfPointer, refuse, rowScope } from "../query/form/condition.ts";
import { groupKey, selectItem } from "../query/form/query-form.ts";
import { parseShape } from "../query/form/shape.ts";
import { showLiteral } from "../query/literal.ts";
import { predicateOf } from "../query/predicate.ts";
import { parseOne } from "../query/sql/source.ts";
import { assembleQuery } from "../query/typing/assemble.ts";
import { zoneName } from "../query/typing/buckets.ts";
import { AggregateList } from "../query/typing/term.ts";
import type { WindowShape } from "./rule.ts";
import type { NewRule, RuleParts } from "./rule-parts.ts";
import { limitsOf, partsOf, roughUs } from "./rule-parts.ts";
import type { CommonForm, RuleForm, ShortRuleForm, WindowForm } from "./rule-schema.ts";
import {
  allowedLatenessDefault,
  ruleSchema,
  shortRuleSchema,
  sqlRuleSchema,
  windowTypes,
} from "./rule-schema.ts";
import { readRuleSql } from "./rule-sql.ts";
import type { Alignment, Blame } from "./rule-window.ts";
import { hoppingOf, sessionOf, tiersOf, tumblingOf } from "./rule-window.ts";

/** What an author has said. */
export interface RuleDraft {
  readonly rule: NewRule;
  /** The form, with what was left out filled in; the short form as the long one. */
  readonly definition: Readonly<Record<string, unknown>>;
  readonly backfill: boolean;
  readonly paused: boolean;
}

const code = "invalid_rule";

/**
 * A rule from any of its forms. Throws InputError with `detail.pointer`, for SQL with `detail.position`, that says what
 * was got and what was wanted.
 */
export function ruleFrom(body: unknown): RuleDraft {
  const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
  const has = (key: string): boolean => isObject && Object.hasOwn(body, key);
  if (has("sql")) {
    const { sql, ...form } = parseShape(sqlRuleSchema, body, code);
    const { window, parts } = atPointer("#/sql", () => readRuleSql(sql));
    return draftOf(form, window, parts, { sql });
  }
  if (has("aggregation_type") || has("time_window")) {
    return ruleOfForm(longForm(parseShape(shortRuleSchema, body, code)), [
      ["window", ["time_window"]],
      ["aggregations", ["aggregation_type"]],
    ]);
  }
  checkWindowType(body);
  return ruleOfForm(parseShape(ruleSchema, body, code), [
    ["window", ["window"]],
    ["aggregations", ["aggregations"]],
  ]);
}

/** Errors of the SQL have the member that it stands in, too. */
function atPointer<T>(pointer: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { message, detail, status } = error;
    throw new InputError(error.code, `${pointer}: ${message}`, { pointer, ...detail }, status);
  }
}

/** A slip in the type would make every other member of the window look wrong. */
function checkWindowType(body: unknown): void {
  const { window } = (body ?? {}) as { window?: unknown };
  if (typeof window !== "object" || window === null || !("type" in window)) return;
  const { type } = window;
  if (windowTypes.some((one) => one === type)) return;
  const near = typeof type === "string" ? didYouMean(type, windowTypes) : "";
  const wanted = `want one of ${windowTypes.map((one) => `"${one}"`).join(", ")}`;
  refuse(["window", "type"], `got ${showLiteral(type)}, ${wanted}${near}`, code);
}

function longForm(form: ShortRuleForm): RuleForm {
  const { aggregation_type, time_window, ...rest } = form;
  return {
    ...rest,
    window: { type: "tumbling", size: time_window },
    aggregations: [aggregation_type],
  };
}

type Places = readonly (readonly ["window" | "aggregations", Pointer])[];

/** `places` says where the author wrote the window and the aggregations. */
function ruleOfForm(form: RuleForm, places: Places): RuleDraft {
  const { event_filter, group_by = [], aggregations } = form;
  const at = new Map(places);
  const whole = at.get("aggregations") ?? [];
  const list = new AggregateList();
  const groupBy = group_by.map((one, i) => groupKey(one, ["group_by", i]));
  const select = aggregations.map((one, i) => {
    const place = whole[0] === "aggregation_type" ? whole : [...whole, i];
    return selectItem(one, groupBy, list, place);
  });
  const where =
    event_filter === undefined
      ? null
      : predicateOf(conditionAt(event_filter, ["event_filter"], rowScope));
  const query = assembleQuery({
    select,
    where,
    fromUs: null,
    toUs: null,
    groupBy,
    having: null,
    orderBy: [],
    limit: null,
    offset: 0,
    fill: null,
    aggregates: list,
  });
  if (query.aggregates.length === 0) {
    refuse(whole, 'got no aggregate, want one such as {"fn": "count"}', code);
  }
  const window = windowOf(form.window, at.get("window") ?? []);
  return draftOf(
    form,
    window,
    partsOf(query, () => placeOfPointer(whole)),
    {
      ...(event_filter !== undefined && { event_filter }),
      window: form.window,
      aggregations: aggregations.map((one, i) => ({ ...one, as: select[i]?.as })),
      group_by,
    },
  );
}

function blameAt(at: Pointer): Blame {
  const whole = at[0] === "time_window";
  return (part, problem, own = code) => refuse(whole ? at : [...at, part], problem, own);
}

/** What reads a text, its errors being at the text's place. */
function readAt<T>(at: Pointer, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) return refuse(at, error.message, error.code);
    throw error;
  }
}

function intervalAt(at: Pointer, text: string): Interval {
  return readAt(at, () => intervalOfText(text));
}

function durationAt(at: Pointer, text: string): bigint {
  return readAt(at, () => parseDuration(text));
}

function windowOf(form: WindowForm, at: Pointer): WindowShape {
  const blame = blameAt(at);
  const place = (part: string): Pointer => (at[0] === "time_window" ? at : [...at, part]);
  if (form.type === "session") return sessionOf(durationAt(place("gap"), form.gap), blame);
  const zone = zoneName(form.time_zone ?? "UTC");
  if (zone === null) {
    const problem = `there is no time zone ${showLiteral(form.time_zone)}; want a name such as "Europe/Berlin"`;
    return refuse(place("time_zone"), problem, "unknown_time_zone");
  }
  const offset = form.offset === undefined ? null : intervalAt(place("offset"), form.offset);
  const alignment: Alignment = { originUs: null, offset, zone };
  const size = intervalAt(place("size"), form.size);
  if (form.type === "tumbling") return tumblingOf(size, alignment, blame);
  return hoppingOf(size, intervalAt(place("slide"), form.slide), alignment, blame);
}

/** Names that mean something else to SQL. */
const taken: ReadonlySet<string> = new Set([
  "events",
  "information_schema",
  "pg_catalog",
  "public",
]);

/** A name must be a table's: one that SQL takes after FROM as it stands. */
export function checkRuleName(name: string): void {
  if (taken.has(name)) refuse(["name"], `"${name}" is reserved, want another name`, code);
  if (isTableName(name)) return;
  refuse(["name"], `"${name}" is a keyword of SQL, want a name that can follow FROM`, code);
}

function isTableName(name: string): boolean {
  try {
    const { statement } = parseOne(`SELECT 1 FROM ${name}`);
    const [from] = "SelectStmt" in statement ? (statement.SelectStmt.fromClause ?? []) : [];
    return from !== undefined && "RangeVar" in from && from.RangeVar.relname === name;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

function draftOf(
  form: CommonForm,
  window: WindowShape,
  parts: RuleParts,
  own: Readonly<Record<string, unknown>>,
): RuleDraft {
  checkRuleName(form.name);
  const lateness = form.allowed_lateness ?? allowedLatenessDefault;
  const limits = limitsOf(window, {
    allowedLatenessUs: durationAt(["allowed_lateness"], lateness),
    ...(form.max_groups !== undefined && { groupsMax: form.max_groups }),
    ...(form.max_windows !== undefined && { windowsMax: form.max_windows }),
  });
  const retention = form.retention ?? null;
  const retentionUs = retention === null ? null : durationAt(["retention"], retention);
  const length = window.kind === "session" ? window.gapUs : roughUs(window.size);
  if (retentionUs !== null && retentionUs < length) {
    refuse(["retention"], `got ${retention}, want at least the length of a window`, code);
  }
  const tiers = (form.tiers ?? []).map((one, i) => ({
    size: intervalAt(["tiers", i, "size"], one.size),
    retentionUs:
      typeof one.retention === "string"
        ? durationAt(["tiers", i, "retention"], one.retention)
        : null,
  }));
  for (const [i, tier] of tiers.entries()) {
    if (tier.retentionUs === null || tier.retentionUs >= roughUs(tier.size)) continue;
    const problem = `got ${form.tiers?.[i]?.retention}, want at least the length of a window`;
    refuse(["tiers", i, "retention"], problem, code);
  }
  const blameTier = (i: number): Blame =>
    i < 0 ? (_, problem) => refuse(["tiers"], problem, code) : blameAt(["tiers", i]);
  const { name, backfill = false, paused = false } = form;
  const rule: NewRule = {
    name,
    window,
    ...parts,
    ...limits,
    retentionUs,
    tiers: tiersOf(window, tiers, blameTier),
  };
  const definition = {
    name,
    ...own,
    allowed_lateness: lateness,
    retention,
    tiers: (form.tiers ?? []).map(({ size, retention: kept = null }) => ({
      size,
      retention: kept,
    })),
    backfill,
    max_groups: rule.groupsMax,
    max_windows: rule.windowsMax,
  };
  return { rule, definition, backfill, paused };
}
