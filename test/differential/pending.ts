// Which parts of the language the engine refuses as not implemented: found out by asking, so that what lands is tested
// from that moment on. A part that is refused and not named in `allowed` fails the tests.

import { type AggregateForm, aggregates } from "./aggregates.ts";
import type { Bed } from "./bed.ts";
import type { Argument } from "./operator.ts";
import { operators } from "./operators.ts";
import { querySql } from "./render.ts";
import type { Expr, QueryTree } from "./tree.ts";

const paths: Readonly<Record<string, string>> = {
  text: "event_type",
  time: "timestamp",
  int: "lateness_us",
  sequence: "sequence",
};

const constants: Readonly<Record<string, string | boolean>> = {
  text: "a",
  time: "0",
  int: "1",
  float: "1.5",
  bool: true,
};

function argumentOf({ type, literal, among }: Argument): Expr {
  if (literal) return { k: "literal", type, value: among?.[0] ?? constants[type] ?? "1" };
  return { k: "path", type, path: paths[type] ?? `properties.probe_${type}` };
}

const nothing: QueryTree = {
  select: [{ k: "aggregate", type: "int", fn: "count", args: [] }],
  where: null,
  groupBy: [],
  having: null,
  orderBy: [],
  limit: null,
  offset: 0,
};

function probes(): [string, QueryTree][] {
  const truth: Expr = {
    k: "call",
    type: "bool",
    op: "int=literal",
    args: [argumentOf({ type: "int" }), argumentOf({ type: "int", literal: true })],
  };
  const count = nothing.select[0] as Extract<Expr, { k: "aggregate" }>;
  const lower: Expr = {
    k: "call",
    type: "text",
    op: "lower",
    args: [argumentOf({ type: "text" })],
  };
  return [
    ["expressions", { ...nothing, select: [lower], groupBy: [lower] }],
    ["distinct", { ...nothing, select: [lower], distinct: true }],
    ["filter", { ...nothing, select: [{ ...count, filter: truth }] }],
    ["having", { ...nothing, having: { ...truth, args: [count, truth.args[1] as Expr] } }],
    ...operators.map(({ op, type, args }): [string, QueryTree] => {
      const expr: Expr = { k: "call", type, op, args: args.map(argumentOf) };
      // Buckets were grouped by before any other expression was.
      if (op.startsWith("time_bucket")) return [op, { ...nothing, groupBy: [expr] }];
      return [op, type === "bool" ? { ...nothing, where: expr } : { ...nothing, select: [expr] }];
    }),
    ...aggregates.map((form): [string, QueryTree] => [
      form.fn,
      { ...nothing, select: [probeOf(form)] },
    ]),
  ];
}

function probeOf({ fn, argument, type }: AggregateForm): Expr {
  const [of] = argument;
  const args = of ? [argumentOf({ type: of })] : [];
  return { k: "aggregate", type: type === "argument" ? (of ?? "int") : type, fn, args };
}

/** The parts that are refused, each with what the engine says. */
export function findPending(bed: Bed): Map<string, string> {
  const refused = new Map<string, string>();
  for (const [name, query] of probes()) {
    try {
      bed.query(querySql(query));
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      refused.set(name, `${code}: ${message} — ${querySql(query)}`);
    }
  }
  return refused;
}
