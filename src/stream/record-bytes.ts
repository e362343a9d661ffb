// A rule's record as it is stored: JSON in which what JSON has no form for is a text that begins with `#`.
//
//   #i123   the integer 123, a bigint      #f-0   a double that JSON changes: -0, NaN, an infinity
//   #sabc   the text "abc" where it begins with `#` itself

import { CorruptionError } from "../errors.ts";
import type { RuleRecord } from "./rule-record.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

function packed(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return `#i${value}`;
  if (typeof value === "number" && (Object.is(value, -0) || !Number.isFinite(value))) {
    return `#f${Object.is(value, -0) ? "-0" : value}`;
  }
  return typeof value === "string" && value.startsWith("#") ? `#s${value}` : value;
}

function unpacked(_: string, value: unknown): unknown {
  if (typeof value !== "string" || !value.startsWith("#")) return value;
  const rest = value.slice(2);
  if (value[1] === "i") return BigInt(rest);
  return value[1] === "f" ? Number(rest) : rest;
}

export function encodeRecord(record: RuleRecord): Uint8Array {
  return encoder.encode(JSON.stringify(record, packed));
}

/** @throws CorruptionError naming the rule's number. */
export function decodeRecord(number: number, bytes: Uint8Array): RuleRecord {
  try {
    const record = JSON.parse(decoder.decode(bytes), unpacked) as RuleRecord;
    if (record.rule?.number === number) return record;
  } catch (cause) {
    throw new CorruptionError("rule_corrupt", `rule ${number} can't be read`, {}, { cause });
  }
  throw new CorruptionError("rule_corrupt", `the record of rule ${number} is of another one`);
}

/** Key of the table of rules: the number, big-endian. */
export function recordKey(number: number): Uint8Array {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, number);
  return key;
}

export function numberOfKey(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0);
}
