// The values that an expression reads in one row after the other of a segment: its stored cells.

import {
  LANE_BOOLEAN,
  LANE_ID,
  LANE_JSON,
  LANE_NULL,
  LANE_NUMBER,
  LANE_STRING,
} from "../../core/layout.ts";
import { EventText } from "../events/event-text.ts";
import type { Expression, ValueType } from "../expression/expression.ts";
import type { Leaf, LeafValue } from "../expression/scalar.ts";
import { isTotal, lanesOf } from "../plan/filter.ts";
import { JsonText, type Value } from "../result.ts";
import type { Segment } from "../segments/source.ts";
import type { Cells, LaneColumn } from "./cells.ts";

/** Finds a column of a segment, stored or computed; 0 where there is none. */
export type FindColumn = (path: string, lane: number) => number;

const allLanes: readonly number[] = [LANE_BOOLEAN, LANE_NUMBER, LANE_STRING, LANE_JSON];

/** The lanes of a path whose values a type shows. */
export function lanesOfType(path: string, type: ValueType): readonly number[] {
  const lanes = lanesOf(path);
  if (type === "variant") return lanes;
  const wanted = {
    number: LANE_NUMBER,
    string: LANE_STRING,
    boolean: LANE_BOOLEAN,
    json: LANE_JSON,
  };
  const lane = type in wanted ? wanted[type as keyof typeof wanted] : LANE_NUMBER;
  return lanes.filter((one) => one === lane || (lane === LANE_STRING && one === LANE_ID));
}

/** The type of the values of a lane of a property. */
export function typeOfLane(lane: number): ValueType {
  if (lane === LANE_STRING || lane === LANE_ID) return "string";
  if (lane === LANE_BOOLEAN) return "boolean";
  return lane === LANE_JSON ? "json" : "number";
}

/** The stored columns that hold the values of a path seen as `type`. */
export function pathColumns(path: string, type: ValueType, find: FindColumn): LaneColumn[] {
  return lanesOfType(path, type)
    .map((lane) => ({ lane, address: find(path, lane) }))
    .filter(({ address }) => address !== 0);
}

/** Reads the leaves of expressions in the row that `at` was last given. Good while the segment's columns are. */
export class RowValues {
  readonly #segment: Segment;
  readonly #cells: Cells;
  readonly #find: FindColumn;
  readonly #readers = new Map<Leaf, () => Value>();
  #events: EventText | undefined;
  #row = 0;

  constructor(segment: Segment, cells: Cells, find: FindColumn) {
    this.#segment = segment;
    this.#cells = cells;
    this.#find = find;
  }

  at(row: number): void {
    this.#row = row;
  }

  readonly leaf: LeafValue = (leaf) => {
    let reader = this.#readers.get(leaf);
    if (reader === undefined) {
      reader = this.#reader(leaf);
      this.#readers.set(leaf, reader);
    }
    return reader();
  };

  #reader(leaf: Leaf): () => Value {
    if (leaf.kind === "path") return this.#pathReader(leaf);
    if (leaf.kind === "call") return this.#existsReader(leaf.args[0]);
    throw new Error("BUG: a row has no keys and no aggregates");
  }

  #pathReader({ path, type }: Extract<Expression, { kind: "path" }>): () => Value {
    if (path === "properties") {
      return () => {
        this.#events ??= new EventText(this.#segment, this.#cells);
        return new JsonText(this.#events.properties(this.#row));
      };
    }
    const columns = pathColumns(path, type, this.#find);
    return () => this.#cells.value(columns, this.#row);
  }

  #existsReader(of: Expression | undefined): () => Value {
    const path = of?.kind === "path" ? of.path : "";
    if (path === "" || isTotal(path)) return () => true;
    const columns = [...allLanes, LANE_NULL]
      .map((lane) => this.#find(path, lane))
      .filter((address) => address !== 0);
    return () => columns.some((address) => this.#cells.page(address, this.#row) !== 0);
  }
}
