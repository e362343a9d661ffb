// Expressions over a few coded values (texts, booleans, and the day, hour or minute of a time): computed once for
// each combination that occurs in the segment, and given to the rows by the combination's number.

import {
  COLUMN_DICT_COUNT,
  COLUMN_PAGES,
  LANE_BOOLEAN,
  LANE_NUMBER,
  LANE_STRING,
  PAGE_ROWS,
  PAGE_U32,
  PAGE_VALUES,
} from "../../core/layout.ts";
import type { Expression } from "../expression/expression.ts";
import { dayFields, fieldName } from "../expression/fields.ts";
import type { LeafValue } from "../expression/scalar.ts";
import { constantOf, fit } from "../expression/scalar.ts";
import { formatSeconds } from "../expression/to-char.ts";
import { zoneOf } from "../expression/zone.ts";
import type { Value } from "../result.ts";
import type { LaneColumn } from "./cells.ts";
import { CodeValues } from "./code-values.ts";
import type { Derivation } from "./derivation.ts";
import { checked, derivedColumn } from "./derivation.ts";
import type { Compiled } from "./derive-texts.ts";
import { textColumns, watchOf } from "./derive-texts.ts";
import type { Span } from "./derive-times.ts";
import { mapSpans, partSpans, rangeOf } from "./derive-times.ts";
import { valuesBytes } from "./expression-kernels.ts";
import { finished } from "./kernels.ts";

/** Combinations that a segment may have, whether they occur or not. */
const combinationsMax = 1 << 20;

/** What an expression reads of a row. */
interface Inputs {
  readonly paths: Map<string, Extract<Expression, { kind: "path" }>>;
  /** The parts of `timestamp` that it sees have this many seconds, in one zone. */
  seconds: number;
  zone: string | null;
}

/** Null: it reads something that has no codes. */
function inputsOf(expression: Expression): Inputs | null {
  const inputs: Inputs = { paths: new Map(), seconds: 0, zone: null };
  return visit(expression, inputs) ? inputs : null;
}

function visit(one: Expression, inputs: Inputs): boolean {
  switch (one.kind) {
    case "literal":
      return true;
    case "path":
      if (one.path === "id" || (one.type !== "string" && one.type !== "boolean")) return false;
      inputs.paths.set(`${one.type} ${one.path}`, one);
      return true;
    case "call": {
      if (one.fn === "exists") return false;
      const part = timePart(one);
      if (part === null) return one.args.every((arg) => visit(arg, inputs));
      if (part.seconds === 0 || (inputs.zone !== null && inputs.zone !== part.zone)) return false;
      inputs.zone = part.zone;
      inputs.seconds = Math.min(inputs.seconds || part.seconds, part.seconds);
      return true;
    }
    default:
      return false;
  }
}

/** Which part of `timestamp` a call shows; null: it is no such call. */
function timePart({ fn, args }: Extract<Expression, { kind: "call" }>) {
  const [times, name] = fn === "to_char" ? args : fn === "extract" ? [args[1], args[0]] : [];
  if (times?.kind !== "path" || times.path !== "timestamp") return null;
  const [shown, zone] = [constantOf(name), args[2] === undefined ? "UTC" : constantOf(args[2])];
  if (typeof shown !== "string" || typeof zone !== "string") return { seconds: 0, zone: "" };
  if (fn === "to_char") return { seconds: formatSeconds(shown), zone };
  const field = fieldName(shown);
  const seconds =
    field in dayFields ? 86_400 : field === "hour" ? 3600 : field === "minute" ? 60 : 0;
  return { seconds, zone };
}

/** One of the values that make a combination: code 0 stands for NULL, so a code is one more than in its column. */
interface Part {
  readonly size: number;
  readonly combine: (target: number) => number;
  /** Sets what the leaf shows for a code. */
  readonly show: (code: number) => void;
}

/** The columns of an expression over coded values; undefined: another way is needed. */
export function codedColumns(
  of: Derivation,
  compiled: Compiled,
  mask: number,
): LaneColumn[] | undefined {
  const { expression } = compiled;
  if (expression.type === "variant") return undefined;
  const inputs = inputsOf(expression);
  if (inputs === null || (inputs.paths.size === 0 && inputs.zone === null)) return undefined;
  const values = new Map<string, Value>();
  const parts = partsOf(of, inputs, mask, values);
  const sizes = parts?.reduce((product, { size }) => product * size, 1) ?? Infinity;
  const { run, words } = of;
  const { scratch, kernels } = run;
  const selected = kernels.selectionCount(mask, words);
  if (parts === null || sizes > combinationsMax || sizes > Math.max(4096, selected * 4))
    return undefined;

  const mark = scratch.mark();
  const target = combined(of, parts, mask);
  const used = scratch.take(sizes);
  run.core.u8.fill(0, used, used + sizes);
  finished(kernels.usedCodes(target, words, mask, used, run.cancel));
  const leaf: LeafValue = (one) =>
    one.kind === "path" ? (values.get(`${one.type} ${one.path}`) ?? null) : null;
  const results = new CodeValues(null);
  const whole = results.extend(
    sizes,
    expression.type,
    (combination) => {
      if (run.core.u8[used + combination] === 0) return null;
      let rest = combination;
      for (let i = parts.length - 1; i >= 0; i--) {
        const { size, show } = parts[i] as Part;
        show(rest % size);
        rest = Math.floor(rest / size);
      }
      return compiled.evaluate(leaf);
    },
    watchOf(run),
  );
  // Who is to throw what went wrong is the way that goes row by row.
  const columns = whole
    ? textColumns(of, expression.type, { column: target, count: sizes, values: results }, mask)
    : null;
  if (columns === null) scratch.release(mark);
  return columns ?? undefined;
}

function combined(of: Derivation, parts: readonly Part[], mask: number): number {
  const { u8, u32 } = of.run.core;
  const target = derivedColumn(of, LANE_NUMBER, PAGE_U32, mask);
  for (let index = 0; index * (PAGE_ROWS / 64) < of.words; index++) {
    const page = u32[(target + COLUMN_PAGES + index * 4) >>> 2] as number;
    if (page !== 0) u8.fill(0, page + PAGE_VALUES, page + PAGE_VALUES + PAGE_ROWS * 4);
  }
  for (const { combine } of parts) checked(combine(target), "");
  return target;
}

function partsOf(
  of: Derivation,
  { paths, seconds, zone }: Inputs,
  mask: number,
  values: Map<string, Value>,
): Part[] | null {
  const parts: Part[] = [];
  const { run, kernels, words, cells } = of;
  if (zone !== null) {
    const times: Expression = { kind: "path", type: "timestamp", path: "timestamp" };
    const range = rangeOf(of, times);
    const spans = range && partSpans(zoneOf(zone), range, seconds, (part) => part);
    if (spans === null) return null;
    parts.push(timesPart(of, spans, mask, values));
  }
  for (const [name, { path, type }] of paths) {
    const isText = type === "string";
    const column = of.find(path, isText ? LANE_STRING : LANE_BOOLEAN);
    const count =
      column === 0 || !isText ? 2 : Atomics.load(run.core.u32, (column + COLUMN_DICT_COUNT) >>> 2);
    const valueOf = (code: number): Value => (isText ? cells.text(column, code) : code === 1);
    parts.push({
      size: count + 1,
      combine: (target) => kernels.combineCodes(column, target, words, mask, count, run.cancel),
      show: (code) => values.set(name, code === 0 ? null : valueOf(code - 1)),
    });
  }
  return parts;
}

/** The first part: the numbers of the spans are the target's own. */
function timesPart(
  of: Derivation,
  spans: readonly Span[],
  mask: number,
  values: Map<string, Value>,
): Part {
  const { scratch } = of.run;
  const numbered = spans.map(({ from }, i): Span => ({ from, value: i }));
  return {
    size: spans.length,
    combine: (target) => {
      const mark = scratch.mark();
      const column = of.find("timestamp", LANE_NUMBER);
      const buffer = scratch.take(valuesBytes);
      const answer = mapSpans(of, column, target, numbered, false, mask, buffer);
      scratch.release(mark);
      return answer;
    },
    show: (code) => values.set("timestamp timestamp", fit(spans[code]?.from ?? 0n)),
  };
}
