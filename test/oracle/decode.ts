// The plain twin of the JSON decoder and the batch builder: JSON.parse decides what is JSON, a reader of tokens
// recovers what JSON.parse forgets (digits, raw text, the order of keys), and maps stand in for columns.
import { createHash } from "node:crypto";
import type { BodyFormat } from "../../src/engine/ingest.ts";
import * as limits from "../../src/limits.ts";
import { readTokens, type Token } from "./json-tokens.ts";
import { firstInvalidUtf8, parseTimestamp, timestampFromInteger } from "./leaves.ts";

export type PlainCell = bigint | number | string | boolean | null | { readonly json: string };

export interface PlainRow {
  /** Hexadecimal; undefined: the engine makes one. */
  readonly id: string | undefined;
  /** Undefined: the time of receipt. */
  readonly timestampUs: bigint | undefined;
  readonly cells: ReadonlyMap<string, PlainCell>;
}

export interface PlainBody {
  /** The body is refused whole. */
  readonly refused: boolean;
  readonly rows: readonly PlainRow[];
  readonly errors: readonly { index: number; code: string }[];
}

const REFUSED: PlainBody = { refused: true, rows: [], errors: [] };
const TEXT_FIELDS = ["event_type", "source", "user_id", "session_id"];
const FIELDS = ["id", "timestamp", ...TEXT_FIELDS, "properties"];

class Rejection extends Error {}

/** The token of a text that the decoder must accept; null when it must not. */
function parseStrictly(bytes: Uint8Array): Token | null {
  if (firstInvalidUtf8(bytes) !== bytes.length) return null;
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const token = readTokens(text);
  return depthOf(token) > limits.bodyDepthMax || hasLoneSurrogate(token) ? null : token;
}

function children(token: Token): readonly Token[] {
  if (token.kind === "array") return token.items;
  return token.kind === "object" ? token.members.map(([, value]) => value) : [];
}

function depthOf(token: Token): number {
  if (token.kind !== "array" && token.kind !== "object") return 0;
  return 1 + Math.max(0, ...children(token).map(depthOf));
}

function hasLoneSurrogate(token: Token): boolean {
  const own = token.kind === "string" ? [token.text] : [];
  const keys = token.kind === "object" ? token.members.map(([key]) => key) : [];
  if ([...own, ...keys].some((text) => /\p{Surrogate}/u.test(text))) return true;
  return children(token).some(hasLoneSurrogate);
}

/** What the decoder makes of a body, for the JSON formats. */
export function decodePlain(body: Uint8Array, format: BodyFormat): PlainBody {
  if (format === "ndjson") return decodeLines(body);
  const token = parseStrictly(body);
  if (token === null) return REFUSED;
  if (format === "json-event") return token.kind === "object" ? decodeEvents([token]) : REFUSED;
  if (token.kind === "array") return decodeEvents(token.items);
  if (token.kind !== "object") return REFUSED;
  const lists = token.members.filter(([key, value]) => key === "events" && value.kind === "array");
  if (lists.length === 0 || token.members.some(([key]) => key === "event_type")) {
    return decodeEvents([token]);
  }
  return token.members.length > 1
    ? REFUSED
    : decodeEvents(
        children(token)[0]?.kind === "array" ? children(children(token)[0] as Token) : [],
      );
}

function decodeLines(body: Uint8Array): PlainBody {
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) return REFUSED;
  const lines: Uint8Array[] = [];
  for (let begin = 0; begin <= body.length; ) {
    const found = body.indexOf(10, begin);
    const end = found < 0 ? body.length : found;
    const line = body.subarray(begin, end);
    if (line.some((byte) => ![32, 9, 13].includes(byte))) lines.push(line);
    begin = end + 1;
  }
  return lines.length === 0 ? REFUSED : decodeEvents(lines.map(parseStrictly));
}

/** A null event is a line that is not JSON. */
function decodeEvents(tokens: readonly (Token | null)[]): PlainBody {
  const rows: PlainRow[] = [];
  const errors: { index: number; code: string }[] = [];
  tokens.forEach((token, index) => {
    try {
      if (token === null) throw new Rejection("malformed");
      if (token.kind !== "object") throw new Rejection("not_an_object");
      rows.push(decodeEvent(token.members));
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      errors.push({ index, code: error.message });
    }
  });
  return { refused: false, rows, errors };
}

function decodeEvent(members: readonly (readonly [string, Token])[]): PlainRow {
  const fields = new Map<string, Token>();
  // Which key put a property there: a later duplicate of that key takes it away again.
  const properties = new Map<string, { value: Token; owner: string }>();
  for (const [key, value] of members) {
    checkKey(key);
    if (FIELDS.includes(key)) {
      for (const [name, { owner }] of properties) if (owner === key) properties.delete(name);
      fields.set(key, value);
      checkValue(value, 2, key !== "properties");
      if (key === "id" && value.kind === "string" && !isUuid(value.text)) {
        properties.set("id", { value, owner: "id" });
      }
      if (key === "properties" && value.kind === "object") {
        for (const [name, inner] of value.members)
          properties.set(name, { value: inner, owner: key });
      }
    } else {
      checkValue(value, 2, false);
      properties.set(key, { value, owner: "" });
    }
  }
  const cells = new Map<string, PlainCell>();
  for (const [name, { value }] of properties)
    flatten(cells, `properties.${escapeKey(name)}`, value);
  return { ...readFields(fields, cells), cells };
}

function checkKey(key: string): void {
  if (Buffer.byteLength(key) > limits.keyBytesMax) throw new Rejection("key_too_long");
}

/** The limits of one value, in the order of the text. `skipsObject`: an object here is only skipped. */
function checkValue(value: Token, level: number, skipsObject: boolean): void {
  if (value.kind === "string" && Buffer.byteLength(value.text) > limits.stringBytesMax) {
    throw new Rejection("string_too_long");
  }
  if (value.kind === "number") checkNumber(value);
  if (value.kind === "array") {
    if (level - 1 + depthOf(value) > limits.eventDepthMax) throw new Rejection("event_too_deep");
    checkNumbers(value);
  }
  if (value.kind === "object") {
    if (level > limits.eventDepthMax) throw new Rejection("event_too_deep");
    if (skipsObject) return;
    for (const [key, inner] of value.members) {
      checkKey(key);
      checkValue(inner, level + 1, false);
    }
  }
}

function checkNumbers(value: Token): void {
  if (value.kind === "number") checkNumber(value);
  for (const inner of children(value)) checkNumbers(inner);
}

function checkNumber(value: Token): void {
  if (!Number.isFinite(Number(value.source))) throw new Rejection("number_range");
}

export function escapeKey(key: string): string {
  return key.replace(/[.\\]/g, "\\$&");
}

function flatten(cells: Map<string, PlainCell>, path: string, value: Token): void {
  // What a duplicate key has put here before is gone, and all below it.
  for (const known of cells.keys()) {
    if (known === path || known.startsWith(`${path}.`)) cells.delete(known);
  }
  if (value.kind === "object" && value.members.length > 0) {
    for (const [key, inner] of value.members) flatten(cells, `${path}.${escapeKey(key)}`, inner);
  } else if (value.kind === "object" || value.kind === "array") {
    cells.set(path, { json: value.source });
  } else if (value.kind === "number") cells.set(path, numberOf(value.source));
  else cells.set(path, value.kind === "string" ? value.text : value.value);
}

function numberOf(source: string): bigint | number {
  if (!/^-?\d+$/.test(source) || source === "-0") return Number(source);
  const integer = BigInt(source);
  return BigInt.asIntN(64, integer) === integer ? integer : Number(source);
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);
}

/** The fixed fields, checked in their order; null is the same as absent. */
function readFields(fields: ReadonlyMap<string, Token>, cells: Map<string, PlainCell>) {
  const given = (name: string) => {
    const token = fields.get(name);
    return token?.kind === "literal" && token.value === null ? undefined : token;
  };
  const id = given("id");
  if (id && id.kind !== "string") throw new Rejection("field_type");
  const timestampUs = readTime(given("timestamp"));
  let missing = false;
  for (const name of TEXT_FIELDS) {
    const token = given(name);
    if (token && token.kind !== "string") throw new Rejection("field_type");
    if (token?.kind === "string" && name === "event_type" && token.text === "") {
      throw new Rejection("event_type_empty");
    }
    if (token?.kind === "string") cells.set(name, token.text);
    else missing ||= name === "event_type";
  }
  const properties = given("properties");
  if (properties && properties.kind !== "object") throw new Rejection("properties_type");
  if (missing) throw new Rejection("event_type_missing");
  return { id: id?.kind === "string" ? idOf(id.text) : undefined, timestampUs };
}

function idOf(text: string): string {
  if (isUuid(text)) return text.replaceAll("-", "").toLowerCase();
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex");
}

function readTime(token: Token | undefined): bigint | undefined {
  if (token === undefined) return undefined;
  let time: bigint;
  if (token.kind === "string") time = parseTimestamp(token.text);
  else if (token.kind === "number") time = timeOfNumber(numberOf(token.source));
  else throw new Rejection("field_type");
  const error = time + 2n ** 63n;
  if (error > 2n) return time;
  throw new Rejection(["invalid_timestamp", "timestamp_zone", "timestamp_range"][Number(error)]);
}

/** Fractions are floored to µs; the fuzz has none so close to a whole one that rounding could matter. */
function timeOfNumber(value: bigint | number): bigint {
  if (typeof value === "bigint" || Number.isInteger(value))
    return timestampFromInteger(BigInt(value), 0);
  const size = Math.abs(value);
  const factor = size < 1e11 ? 1e6 : size < 1e14 ? 1e3 : 1;
  return timestampFromInteger(BigInt(Math.floor(value * factor)), 3);
}
