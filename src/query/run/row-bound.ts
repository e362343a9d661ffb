// Which rows can be among the first of an order, given the last of the best so far.

import { LANE_BOOLEAN, LANE_JSON, LANE_NUMBER, LANE_STRING } from "../../core/layout.ts";
import { lanesOfType } from "../columns/row-values.ts";
import { pathType } from "../paths.ts";
import { numberRange } from "../plan/bounds.ts";
import type { Filter } from "../plan/filter.ts";
import { joinFilters } from "../plan/filter.ts";
import type { Order } from "../query.ts";
import type { Value } from "../result.ts";

/** In the order of a variant. */
const laneOrder: readonly number[] = [LANE_BOOLEAN, LANE_NUMBER, LANE_STRING, LANE_JSON];

/**
 * A filter that passes every row whose value is not after `last` in the order, and as few others as it can tell:
 * for stored paths with numbers or texts, NULLs last. Otherwise it passes all.
 */
export function boundFilter({ of, descending, nullsFirst }: Order, last: Value): Filter {
  const all: Filter = { kind: "all" };
  if (of.kind !== "path" || of.path === "properties" || last === null || nullsFirst) return all;
  const type = pathType(of.path);
  if (type !== "property" && type !== "time" && type !== "text" && type !== "integer") return all;
  const { path } = of;
  const lane = typeof last === "string" ? LANE_STRING : LANE_NUMBER;
  if (typeof last === "boolean" || typeof last === "object") return all;
  const lanes = lanesOfType(path, of.type);
  const own = ownBound(path, descending, last);
  const at = laneOrder.indexOf(lane);
  const better = laneOrder.filter(
    (one, i) => lanes.includes(one) && (descending ? i > at : i < at),
  );
  if (better.length === 0) return own;
  return joinFilters("or", [own, { kind: "presence", path, lanes: better, present: true }]);
}

function ownBound(path: string, descending: boolean, last: string | number | bigint): Filter {
  if (typeof last === "string") {
    const op = descending ? ">=" : "<=";
    return { kind: "text", path, op, text: Buffer.from(last), negated: false };
  }
  const range = numberRange(descending ? ">=" : "<=", last);
  if (path !== "received_at") return { kind: "number", path, range, negated: false };
  return { kind: "received", low: range.i64Low, high: range.i64High };
}
