// Whether a segment can have rows that pass a filter, by its time range, its columns and its zone maps.
// A false "yes" costs a scan; a false "no" would be a wrong answer, so every doubt is a yes.

import { LANE_BOOLEAN, LANE_NUMBER, LANE_STRING } from "../../core/layout.ts";
import { rowRange } from "../run/select.ts";
import type { Segment, Zone } from "../segments/source.ts";
import type { NumberRange } from "./bounds.ts";
import { compareNumbers } from "./bounds.ts";
import type { Filter } from "./filter.ts";

export function mayMatch(filter: Filter, segment: Segment): boolean {
  switch (filter.kind) {
    case "all":
      return true;
    case "none":
      return false;
    case "and":
      return filter.of.every((one) => mayMatch(one, segment));
    case "or":
      return filter.of.some((one) => mayMatch(one, segment));
    case "number":
    case "numbers":
      return mayHoldNumber(filter, segment);
    case "boolean":
      return segment.has(filter.path, LANE_BOOLEAN);
    case "text":
    case "texts":
    case "prefix":
      return mayHoldText(filter, segment);
    case "presence":
      return !filter.present || filter.lanes.some((lane) => segment.has(filter.path, lane));
    case "sequence":
    case "received": {
      const [from, to] = rowRange(filter, segment);
      return from < to;
    }
    case "id":
    case "test":
      return true;
  }
}

/** Why a segment is not read. */
export type PruneReason = "time" | "rows" | "column" | "zone" | "texts" | "false";

/** The lane that a filter of this kind looks at. */
export function laneOfFilter(kind: "number" | "boolean" | "text"): number {
  if (kind === "number") return LANE_NUMBER;
  return kind === "boolean" ? LANE_BOOLEAN : LANE_STRING;
}

/** Why the filter passes no row of the segment, as far as that is known; null where it may pass some. */
export function pruneReason(filter: Filter, segment: Segment): PruneReason | null {
  if (mayMatch(filter, segment)) return null;
  switch (filter.kind) {
    case "and": {
      const one = filter.of.find((some) => !mayMatch(some, segment));
      return one ? pruneReason(one, segment) : null;
    }
    case "or":
      return pruneReason(filter.of[0] ?? { kind: "none" }, segment);
    case "sequence":
    case "received":
      return "rows";
    case "number":
    case "numbers":
      if (filter.path === "timestamp") return "time";
      return segment.has(filter.path, LANE_NUMBER) ? "zone" : "column";
    case "text":
    case "texts":
    case "prefix":
      return textReason(filter, segment);
    case "boolean":
    case "presence":
      return "column";
    default:
      return "false";
  }
}

function textReason(
  filter: Extract<Filter, { kind: "text" | "texts" | "prefix" }>,
  segment: Segment,
): PruneReason {
  if (!segment.has(filter.path, LANE_STRING)) return "column";
  // What the zone map lets pass, the filter of the texts has refused.
  return mayHoldText(filter, { ...zoneOnly(segment), mayHaveText: () => true }) ? "texts" : "zone";
}

function zoneOnly(segment: Segment): Pick<Segment, "has" | "zone" | "mayHaveText"> {
  return {
    has: (path, lane) => segment.has(path, lane),
    zone: (path, lane) => segment.zone(path, lane),
    mayHaveText: (path, text) => segment.mayHaveText(path, text),
  };
}

function mayHoldNumber(
  filter: Extract<Filter, { kind: "number" | "numbers" }>,
  segment: Segment,
): boolean {
  const { path, negated } = filter;
  const ranges = filter.kind === "number" ? [filter.range] : filter.ranges;
  if (path === "timestamp" && !negated) {
    return ranges.some(
      ({ i64Low, i64High }) => i64Low <= segment.timeMaxUs && segment.timeMinUs <= i64High,
    );
  }
  // A lateness of 0 is not stored.
  if (path === "lateness_us") return true;
  if (!segment.has(path, LANE_NUMBER)) return false;
  const zone = segment.zone(path, LANE_NUMBER);
  return zone === null || negated || ranges.some((range) => overlaps(range, zone));
}

/** An integer may be compared in either domain: only a zone outside both ranges says no. */
function overlaps(range: NumberRange, zone: Zone): boolean {
  const { min, max } = zone;
  if (typeof min === "string" || typeof max === "string") return true;
  const integers =
    compareNumbers(range.i64Low, max) <= 0 && compareNumbers(min, range.i64High) <= 0;
  const floats = compareNumbers(range.f64Low, max) <= 0 && compareNumbers(min, range.f64High) <= 0;
  return integers || floats;
}

function mayHoldText(
  filter: Extract<Filter, { kind: "text" | "texts" | "prefix" }>,
  segment: Pick<Segment, "has" | "zone" | "mayHaveText">,
): boolean {
  if (!segment.has(filter.path, LANE_STRING)) return false;
  const zone = segment.zone(filter.path, LANE_STRING);
  if (zone === null || filter.negated) return true;
  const { min, max } = zone;
  if (typeof min !== "string" || typeof max !== "string") return true;
  const [first, last] = [Buffer.from(min), Buffer.from(max)];
  const within = (text: Uint8Array): boolean =>
    Buffer.compare(first, text) <= 0 && Buffer.compare(text, last) <= 0;
  const mayHave = (text: Uint8Array): boolean =>
    within(text) && segment.mayHaveText(filter.path, text);
  if (filter.kind === "texts") return filter.texts.some(mayHave);
  const { text } = filter;
  if (filter.kind === "prefix") {
    const cut = first.subarray(0, text.length);
    return Buffer.compare(cut, text) <= 0 && Buffer.compare(text, last) <= 0;
  }
  if (filter.op === "=") return mayHave(text);
  if (filter.op === "<" || filter.op === "<=") return Buffer.compare(first, text) <= 0;
  return Buffer.compare(text, last) <= 0;
}
