// Which part of a segment's rows a filter passes, as far as time ranges and zone maps tell without reading a column.
// Good for the order of conditions and for the figures of a plan; nothing depends on it being right.

import { rowRange } from "../run/select.ts";
import type { Segment, Zone } from "../segments/source.ts";
import type { NumberRange } from "./bounds.ts";
import { i64Max, i64Min } from "./bounds.ts";
import type { Filter } from "./filter.ts";
import { laneOfFilter, mayMatch } from "./prune.ts";

/** Where nothing is known: of an equality, a comparison, an expression; and of a path that is there at all. */
const equalPart = 0.05;
const comparedPart = 1 / 3;
const presentPart = 0.9;

/** In [0, 1]. */
export function selectivity(filter: Filter, segment: Segment): number {
  if (segment.rows === 0 || !mayMatch(filter, segment)) return 0;
  switch (filter.kind) {
    case "all":
      return 1;
    case "none":
      return 0;
    case "and":
      return filter.of.reduce((part, one) => part * selectivity(one, segment), 1);
    case "or":
      return 1 - filter.of.reduce((part, one) => part * (1 - selectivity(one, segment)), 1);
    case "sequence":
    case "received": {
      const [from, to] = rowRange(filter, segment);
      return Math.max(0, to - from) / segment.rows;
    }
    case "presence":
      return filter.present ? presentPart : 1 - presentPart;
    case "boolean":
      return filter.values.length / 2;
    case "number":
      return turned(filter.negated, numberPart(filter.path, filter.range, segment));
    case "text":
      return turned(filter.negated, filter.op === "=" ? equalPart : comparedPart);
    case "numbers":
      return turned(filter.negated, Math.min(1, equalPart * filter.ranges.length));
    case "texts":
      return turned(filter.negated, Math.min(1, equalPart * filter.texts.length));
    case "prefix":
      return turned(filter.negated, equalPart * 2);
    case "id":
      return turned(filter.negated, 1 / segment.rows);
    case "test":
      return comparedPart;
  }
}

function turned(negated: boolean, part: number): number {
  return negated ? 1 - part : part;
}

/** The part of the zone that the range covers, as if its values were spread evenly. */
function numberPart(path: string, range: NumberRange, segment: Segment): number {
  const zone: Zone | null =
    path === "timestamp"
      ? { min: segment.timeMinUs, max: segment.timeMaxUs }
      : segment.zone(path, laneOfFilter("number"));
  const isPoint = range.f64Low === range.f64High;
  if (zone === null || typeof zone.min === "string" || typeof zone.max === "string") {
    return isPoint ? equalPart : comparedPart;
  }
  const [min, max] = [Number(zone.min), Number(zone.max)];
  const isEmpty = range.i64Low > range.i64High;
  const low = isEmpty || range.i64Low <= i64Min ? range.f64Low : Number(range.i64Low);
  const high = isEmpty || range.i64High >= i64Max ? range.f64High : Number(range.i64High);
  if (isPoint) return Math.max(1 / segment.rows, Math.min(1, 1 / (max - min + 1)));
  if (max === min) return 1;
  if (!Number.isFinite(max - min)) return comparedPart;
  const covered = Math.min(high, max) - Math.max(low, min);
  return Math.min(1, Math.max(1 / segment.rows, covered / (max - min)));
}
