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

function mayHoldNumber(filter: Extract<Filter, { kind: "number" }>, segment: Segment): boolean {
  const { path, range, negated } = filter;
  if (path === "timestamp" && !negated) {
    return range.i64Low <= segment.timeMaxUs && segment.timeMinUs <= range.i64High;
  }
  // A lateness of 0 is not stored.
  if (path === "lateness_us") return true;
  if (!segment.has(path, LANE_NUMBER)) return false;
  const zone = segment.zone(path, LANE_NUMBER);
  return zone === null || negated || overlaps(range, zone);
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
  segment: Segment,
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
