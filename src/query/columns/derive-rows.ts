// Expressions that no kernel computes: row by row, for the rows that are wanted alone.

import type { Expression } from "../expression/expression.ts";
import { asksExistence, isNumeric, type Path, pathsOf, readsRows } from "../expression/shape.ts";
import type { Value } from "../result.ts";
import { JsonText } from "../result.ts";
import type { Segment } from "../segments/source.ts";
import type { LaneColumn } from "./cells.ts";
import type { Derivation } from "./derivation.ts";
import type { Compiled } from "./derive-texts.ts";
import { CancelledError } from "./kernels.ts";
import { lanesOfType, RowValues, typeOfLane } from "./row-values.ts";

/** Numbers whose results are remembered. */
const memoMax = 4096;

/** A path of any type as one of the type that it has in this segment, where that is one; NULL where it has none. */
export function narrowPath(path: Path, segment: Segment): Expression {
  if (path.path === "properties") return path;
  const lanes = lanesOfType(path.path, path.type);
  const present = isComputed(path.path)
    ? lanes
    : lanes.filter((lane) => segment.has(path.path, lane));
  const [lane, other] = present;
  if (lane === undefined) return { kind: "literal", type: path.type, value: null };
  if (path.type !== "variant" || other !== undefined) return path;
  return { ...path, type: typeOfLane(lane) };
}

function isComputed(path: string): boolean {
  return path === "sequence" || path === "received_at" || path === "lateness_us";
}

/** The column of an expression that reads nothing; undefined: it reads something. */
export function constantColumn(
  of: Derivation,
  { expression, evaluate }: Compiled,
  mask: number,
): LaneColumn[] | undefined {
  if (readsRows(expression)) return undefined;
  if (of.run.kernels.selectionCount(mask, of.words) === 0) return [];
  const value = evaluate(() => null);
  return value === null ? [] : [of.writer.constant(value)];
}

/** The lanes of an expression, computed for one row of the mask after the other. */
export function valuesByRow(of: Derivation, compiled: Compiled, mask: number): LaneColumn[] {
  const { run, segment, words, writer } = of;
  const { core, kernels, scratch, cancel } = run;
  const mark = scratch.mark();
  const list = scratch.take(kernels.selectionCount(mask, words) * 4);
  const count = kernels.selectionRows(mask, words, list);
  const rows = core.u32.slice(list >>> 2, (list >>> 2) + count);
  scratch.release(mark);
  const source = new RowValues(segment, of.cells, of.find);
  const compute = remembered(compiled, source);
  const values: Value[] = new Array(count);
  const texts = new TextSizes();
  const room = scratch.left;
  for (let i = 0; i < count; i++) {
    if ((i & 1023) === 0 && Atomics.load(core.u32, cancel >>> 2) !== 0) throw new CancelledError();
    if (texts.size > room) scratch.demand(texts.different(values, i));
    source.at(rows[i] as number);
    const value = compute();
    values[i] = value;
    texts.add(value);
  }
  return writer.lanes(rows, values);
}

/** What one number alone decides is computed once for each that occurs, as long as they are few. */
function remembered({ expression, evaluate }: Compiled, source: RowValues): () => Value {
  const [path, other] = pathsOf(expression);
  const isOne = path !== undefined && other === undefined && isNumeric(path.type);
  if (!isOne || asksExistence(expression)) return () => evaluate(source.leaf);
  let known: Map<Value, Value> | null = new Map();
  return () => {
    if (known === null) return evaluate(source.leaf);
    const number = source.leaf(path);
    const before = known.get(number);
    if (before !== undefined) return before;
    const value = evaluate(source.leaf);
    known.set(number, value);
    if (known.size > memoMax) known = null;
    return value;
  };
}

/** How large the texts of a derived column get at least, which has each of them once. */
class TextSizes {
  /** Of all texts, until somebody asked for that of the different ones. */
  size = 0;
  #known: Set<string> | undefined;

  add(value: Value): void {
    const text = value instanceof JsonText ? value.text : value;
    if (typeof text !== "string" || this.#known?.has(text)) return;
    this.#known?.add(text);
    this.size += text.length;
  }

  /** The size of the different ones among the first `count` values, which are all that were added. */
  different(values: readonly Value[], count: number): number {
    if (this.#known === undefined) {
      this.#known = new Set();
      this.size = 0;
      for (let i = 0; i < count; i++) this.add(values[i] ?? null);
    }
    return this.size;
  }
}
