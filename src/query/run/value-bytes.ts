// Values in the bytes of a partial: a tag u8, then what it has. Integers beyond 2^53 are bigints on both sides.

import type { ErrorDetail, MillraceError } from "../../errors.ts";
import { CorruptionError, InputError, LimitError } from "../../errors.ts";
import type { PartialReader, PartialWriter } from "../aggregate/partial-bytes.ts";
import type { Value } from "../result.ts";
import { JsonText } from "../result.ts";

const nullTag = 0;
const falseTag = 1;
const trueTag = 2;
const f64Tag = 3;
const i64Tag = 4;
const textTag = 5;
const jsonTag = 6;

export function writeValue(value: Value, out: PartialWriter): void {
  if (value === null) out.u8(nullTag);
  else if (typeof value === "boolean") out.u8(value ? trueTag : falseTag);
  else if (typeof value === "number") {
    out.u8(f64Tag);
    out.f64(value);
  } else if (typeof value === "bigint") {
    out.u8(i64Tag);
    out.i64(value);
  } else if (typeof value === "string") {
    out.u8(textTag);
    out.text(value);
  } else {
    out.u8(jsonTag);
    out.text(value.text);
  }
}

/** Throws CorruptionError. */
export function readValue(from: PartialReader): Value {
  const tag = from.u8();
  switch (tag) {
    case nullTag:
      return null;
    case falseTag:
      return false;
    case trueTag:
      return true;
    case f64Tag:
      return from.f64();
    case i64Tag:
      return from.i64();
    case textTag:
      return from.text();
    case jsonTag:
      return new JsonText(from.text());
    default:
      throw new CorruptionError("partial_value", `a value begins with ${tag}`);
  }
}

/** What a row's values could not be told for: 0 or 1 u8 for a LimitError, code, message and detail as JSON. */
export function writeError(error: MillraceError, out: PartialWriter): void {
  out.u8(error instanceof LimitError ? 1 : 0);
  out.text(error.code);
  out.text(error.message);
  out.text(JSON.stringify(error.detail));
}

export function readError(from: PartialReader): MillraceError {
  const isLimit = from.u8() === 1;
  const code = from.text();
  const message = from.text();
  const detail = JSON.parse(from.text()) as ErrorDetail;
  return isLimit ? new LimitError(code, message, detail) : new InputError(code, message, detail);
}
