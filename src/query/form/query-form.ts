// The JSON form of a question as a `Query`: the same parts as SQL makes, put together in the same way.

import { didYouMean } from "../../base/near.ts";
import type { Expression } from "../expression/expression.ts";
import { expressionKey, walkExpression } from "../expression/expression.ts";
import { showLiteral } from "../literal.ts";
import { lastKey } from "../paths.ts";
import { predicateOf } from "../predicate.ts";
import type { GroupKey, Order, Output, Query } from "../query.ts";
import { parseTime, timeFromNumber } from "../time.ts";
import { applyAggregate } from "../typing/aggregates.ts";
import { assembleQuery } from "../typing/assemble.ts";
import type { Term } from "../typing/term.ts";
import { AggregateList, literal, term } from "../typing/term.ts";
import { timeBucket } from "../typing/times.ts";
import type { FormScope, Pointer } from "./condition.ts";
import { conditionAt, fieldAt, placeOfPointer, refuse, rowScope, sqlAt } from "./condition.ts";
import type { GroupForm, QueryForm, SelectForm } from "./query-schema.ts";
import { querySchema } from "./query-schema.ts";
import { parseShape } from "./shape.ts";

export function timeAt(at: Pointer, value: string | number): bigint {
  const us = typeof value === "number" ? timeFromNumber(value) : parseTime(value);
  if (typeof us === "bigint") return us;
  const why = us === null ? "it is outside the years 0001 to 9999" : us;
  return refuse(at, `got ${showLiteral(value)}, want RFC 3339 with a zone; ${why}`);
}

type AggregateForm = Extract<SelectForm, { fn: string }>;
type OrderForm = NonNullable<QueryForm["order_by"]>[number];

const groupScope: FormScope = { ...rowScope, clause: "group_by" };

/** A key of groups; `at` is where the form stands. */
export function groupKey(form: GroupForm, at: Pointer): GroupKey {
  if (typeof form === "string") return { of: fieldAt(at, form).of, as: form };
  if ("expr" in form)
    return { of: sqlAt([...at, "expr"], form.expr, groupScope).of, as: form.as ?? form.expr };
  if (!("time_bucket" in form)) {
    return { of: fieldAt([...at, "field"], form.field).of, as: form.as ?? form.field };
  }
  const text = (key: string, value: string): Term =>
    term(literal("string", value), placeOfPointer([...at, key]), "text");
  const { origin, time_zone: zone } = form;
  const originPlace = placeOfPointer([...at, "origin"]);
  const of = timeBucket(
    {
      width: text("time_bucket", form.time_bucket),
      of: fieldAt([...at, "field"], form.field ?? "timestamp"),
      origin:
        origin === undefined
          ? undefined
          : term(literal("timestamp", timeAt([...at, "origin"], origin)), originPlace),
      zone: zone === undefined ? undefined : text("time_zone", zone),
    },
    "time_bucket",
  );
  return { of, as: form.as ?? "time_bucket" };
}

function parametersOf(form: AggregateForm, at: Pointer): { args: Term[]; array: Term[] | null } {
  const number = (key: string, value: number): Term =>
    term(literal("number", value), placeOfPointer([...at, key]));
  const wants: Readonly<Record<string, "q" | "k" | "bounds">> = {
    quantile: "q",
    percentile_cont: "q",
    percentile_disc: "q",
    topk: "k",
    histogram: "bounds",
  };
  const wanted = wants[form.fn];
  for (const key of ["q", "k", "bounds"] as const) {
    if (form[key] !== undefined && key !== wanted)
      refuse([...at, key], `"${form.fn}" takes no "${key}"`);
    if (form[key] === undefined && key === wanted) {
      refuse([...at, key], `got nothing, "${form.fn}" wants "${key}"`);
    }
  }
  const scalar = form.q ?? form.k;
  return {
    args: scalar === undefined ? [] : [number(form.q === undefined ? "k" : "q", scalar)],
    array: form.bounds ? form.bounds.map((bound) => number("bounds", bound)) : null,
  };
}

function aggregateItem(form: AggregateForm, at: Pointer, list: AggregateList): Output {
  const { fn, field, expr } = form;
  if (field !== undefined && expr !== undefined)
    refuse(at, 'got both "field" and "expr", want one');
  const value =
    field !== undefined
      ? fieldAt([...at, "field"], field)
      : expr !== undefined
        ? sqlAt([...at, "expr"], expr, { ...rowScope, clause: "an aggregate function" })
        : null;
  if (value === null && fn !== "count" && fn !== "rate") {
    refuse([...at, "field"], `got nothing, "${fn}" wants a field`);
  }
  const { args, array } = parametersOf(form, at);
  const ordered = fn === "percentile_cont" || fn === "percentile_disc";
  const place = value?.place ?? placeOfPointer(at);
  const filter =
    form.filter === undefined ? null : conditionAt(form.filter, [...at, "filter"], rowScope);
  const of = applyAggregate(
    {
      name: fn,
      star: value === null,
      args: [...(value && !ordered ? [value] : []), ...args],
      distinct: false,
      filter: filter === null ? null : predicateOf(filter),
      withinGroup: value && ordered ? { of: value, descending: false } : null,
      array,
      place,
    },
    list,
  );
  const plain = field === undefined ? fn : `${fn}_${lastKey(field)}`;
  return { of: term(of, place).of, as: form.as ?? plain };
}

/** What a plain name in `select` means: a key of that name, a key of that field, a field. */
function selectField(wanted: string, groupBy: readonly GroupKey[], at: Pointer): Expression {
  const named = groupBy.find((key) => key.as === wanted);
  const key = named ?? groupBy.find((one) => one.of.kind === "path" && one.of.path === wanted);
  if (key) return key.of;
  if (wanted === "properties")
    return term({ kind: "path", type: "json", path: wanted }, placeOfPointer(at)).of;
  return fieldAt(at, wanted).of;
}

/** A column of the result; its aggregates are entered into `list`. */
export function selectItem(
  form: SelectForm,
  groupBy: readonly GroupKey[],
  list: AggregateList,
  at: Pointer,
): Output {
  if (typeof form === "string") return { of: selectField(form, groupBy, at), as: form };
  if ("fn" in form) return aggregateItem(form, at, list);
  if ("expr" in form) {
    const keys = namesOf(groupBy);
    const scope: FormScope = { named: keys, aggregates: list, clause: "select" };
    return { of: sqlAt([...at, "expr"], form.expr, scope).of, as: form.as ?? form.expr };
  }
  return { of: selectField(form.field, groupBy, [...at, "field"]), as: form.as ?? form.field };
}

function namesOf(items: readonly Output[]): (name: string) => Expression | null {
  return (name) => items.find((one) => one.as === name)?.of ?? null;
}

function orderKey(
  form: OrderForm,
  select: readonly Output[],
  grouped: boolean,
  list: AggregateList,
  at: Pointer,
): Order {
  const { direction, nulls } =
    typeof form === "string" ? { direction: undefined, nulls: undefined } : form;
  const descending = direction === "desc";
  const nullsFirst = nulls === undefined ? descending : nulls === "first";
  if (typeof form === "object" && "expr" in form) {
    const scope: FormScope = { named: namesOf(select), aggregates: list, clause: "order_by" };
    return { of: sqlAt([...at, "expr"], form.expr, scope).of, descending, nullsFirst };
  }
  const by = typeof form === "string" ? form : form.by;
  const named = namesOf(select)(by);
  if (named !== null) return { of: named, descending, nullsFirst };
  const where = typeof form === "string" ? at : [...at, "by"];
  if (grouped) {
    const names = select.map((one) => one.as);
    refuse(where, `there is no column "${by}"${didYouMean(by, names)}`);
  }
  return { of: fieldAt(where, by).of, descending, nullsFirst };
}

function holdsAggregate(of: Expression): boolean {
  let holds = false;
  walkExpression(of, (part) => {
    if (part.kind === "aggregate") holds = true;
  });
  return holds;
}

/**
 * Where every row makes one group, each plain field must be a group key; keys that `select` leaves out come
 * first in the result, in their order.
 */
function selectItems(form: QueryForm, groupBy: readonly GroupKey[], list: AggregateList): Output[] {
  const select = (form.select ?? []).map((one, i) => selectItem(one, groupBy, list, ["select", i]));
  const grouped = groupBy.length > 0 || select.some((one) => holdsAggregate(one.of));
  const keys = new Set(groupBy.map((key) => expressionKey(key.of)));
  const loose = select.findIndex(({ of }) => of.kind === "path" && !keys.has(expressionKey(of)));
  if (grouped && loose >= 0) {
    refuse(["select", loose], `"${select[loose]?.as}" is neither in group_by nor in a function`);
  }
  const selected = new Set(select.map((one) => expressionKey(one.of)));
  const missing = groupBy.filter((key) => !selected.has(expressionKey(key.of)));
  const items = [...missing, ...select];
  if (items.length === 0) refuse(["select"], "got nothing to select");
  const double = items.findIndex((one, i) => items.findIndex((other) => other.as === one.as) < i);
  if (double >= 0) refuse(["select"], `two columns are named "${items[double]?.as}"; use "as"`);
  return items;
}

export function checkRange(fromUs: bigint | null, toUs: bigint | null): void {
  if (fromUs !== null && toUs !== null && fromUs > toUs) refuse(["from"], '"from" is after "to"');
}

/** A query from its JSON form; InputError with `detail.pointer` says where it isn't one. */
export function parseQuery(value: unknown): Query {
  const form = parseShape(querySchema, value);
  const list = new AggregateList();
  const groupBy = (form.group_by ?? []).map((one, i) => groupKey(one, ["group_by", i]));
  const select = selectItems(form, groupBy, list);
  const grouped = groupBy.length > 0 || select.some((one) => holdsAggregate(one.of));
  const fromUs = form.from === undefined ? null : timeAt(["from"], form.from);
  const toUs = form.to === undefined ? null : timeAt(["to"], form.to);
  checkRange(fromUs, toUs);
  const groups: FormScope = { named: namesOf(select), aggregates: list, clause: "having" };
  if (form.fill !== undefined && !groupBy.some((key) => key.of.kind === "bucket")) {
    refuse(["fill"], '"fill" wants a time_bucket in group_by');
  }
  return assembleQuery({
    select,
    where:
      form.where === undefined ? null : predicateOf(conditionAt(form.where, ["where"], rowScope)),
    fromUs,
    toUs,
    groupBy,
    having: form.having === undefined ? null : conditionAt(form.having, ["having"], groups),
    orderBy: (form.order_by ?? []).map((one, i) =>
      orderKey(one, select, grouped, list, ["order_by", i]),
    ),
    limit: form.limit ?? null,
    offset: form.offset ?? 0,
    fill: form.fill ?? null,
    aggregates: list,
  });
}
