// What can be known of an expression before any row is read.

import type { Expression, ValueType } from "./expression.ts";
import { walkExpression } from "./expression.ts";

export type Path = Extract<Expression, { kind: "path" }>;

/** Types whose values are in the number lane. */
export function isNumeric(type: ValueType): boolean {
  return type === "number" || type === "timestamp" || type === "sequence" || type === "interval";
}

/** The different paths that an expression reads, those under `exists` too. */
export function pathsOf(expression: Expression): Path[] {
  const paths = new Map<string, Path>();
  walkExpression(expression, (one) => {
    if (one.kind === "path") paths.set(`${one.type} ${one.path}`, one);
  });
  return [...paths.values()];
}

/** The path of text that an expression reads, if it reads nothing else: it has one value for each text, then. */
export function onlyText(expression: Expression): Path | null {
  const [path, other] = pathsOf(expression);
  if (path === undefined || other !== undefined || path.type !== "string" || path.path === "id") {
    return null;
  }
  let isPlain = true;
  walkExpression(expression, (one) => {
    if (one.kind === "key" || one.kind === "aggregate") isPlain = false;
    if (one.kind === "call" && one.fn === "exists") isPlain = false;
  });
  return isPlain ? path : null;
}

/** `expression` with every path as `of` wants it; the same again where nothing changes. */
export function mapPaths(expression: Expression, of: (path: Path) => Expression): Expression {
  if (expression.kind === "path") return of(expression);
  if (expression.kind === "bucket") {
    const inner = mapPaths(expression.of, of);
    return inner === expression.of ? expression : { ...expression, of: inner };
  }
  // What `exists` asks for is the path itself, whatever it holds.
  if (expression.kind !== "call" || expression.fn === "exists") return expression;
  const args = expression.args.map((arg) => mapPaths(arg, of));
  if (args.every((arg, i) => arg === expression.args[i])) return expression;
  const [first] = args;
  if (expression.fn === "cast" && first?.type === expression.type) return first;
  return { ...expression, args };
}

/** Whether an expression depends on the row. */
export function readsRows(expression: Expression): boolean {
  let found = false;
  walkExpression(expression, ({ kind }) => {
    if (kind !== "literal" && kind !== "call" && kind !== "bucket") found = true;
  });
  return found;
}

export function asksExistence(expression: Expression): boolean {
  let found = false;
  walkExpression(expression, (one) => {
    if (one.kind === "call" && one.fn === "exists") found = true;
  });
  return found;
}
