// Field mappings: checked, and written as the bytes that the decoder keeps them by.
import type { FieldMapping } from "../engine/ingest.ts";
import { InputError } from "../errors.ts";
import { pathBytesMax, stringBytesMax } from "../limits.ts";
import * as layout from "./layout.ts";

const ROLES = new Map<string, number>([
  ["id", layout.ROLE_ID],
  ["timestamp", layout.ROLE_TIMESTAMP],
  ["event_type", layout.ROLE_EVENT_TYPE],
  ["source", layout.ROLE_SOURCE],
  ["user_id", layout.ROLE_USER_ID],
  ["session_id", layout.ROLE_SESSION_ID],
]);
const UNITS = new Map<string, number>([
  ["s", 1],
  ["ms", 2],
  ["us", 3],
  ["ns", 4],
]);
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

function refuse(parameter: string, message: string): InputError {
  return new InputError("invalid_mapping", `${parameter}: ${message}`, { parameter });
}

/** The parts of a dotted path, unescaped. */
function parsePath(parameter: string, path: string): string[] {
  const parts = [""];
  for (let i = 0; i < path.length; i++) {
    const character = path.charAt(i);
    if (character === ".") {
      parts.push("");
      continue;
    }
    const escaped = character === "\\";
    if (escaped && i + 1 === path.length) {
      throw refuse(parameter, `got \`${path}\`, which ends in a backslash`);
    }
    parts[parts.length - 1] += escaped ? path.charAt(++i) : character;
  }
  if (parts.includes("")) throw refuse(parameter, `got \`${path}\`, want no empty name in it`);
  return parts;
}

/** The text of `'…'`, in which two single quotes are one; null for a path. */
function parseConstant(parameter: string, value: string): string | null {
  if (!value.startsWith("'")) return null;
  const inner = value.slice(1, -1);
  if (value.length < 2 || !value.endsWith("'") || inner.replaceAll("''", "").includes("'")) {
    throw refuse(parameter, `got ${value}, want a constant between single quotes`);
  }
  const text = inner.replaceAll("''", "'");
  if (text === "") throw refuse(parameter, "got an empty constant, want text");
  if (parameter === "id") throw refuse(parameter, "got a constant, want a field: ids differ");
  if (parameter === "timestamp" && !RFC_3339.test(text)) {
    throw refuse(parameter, `got '${text}', want RFC 3339 text with a zone`);
  }
  return text;
}

/** Refuses two fields at one path, or one inside the other's value. */
function checkOverlap(paths: ReadonlyMap<string, readonly string[]>): void {
  const named = [...paths].map(([parameter, parts]) => {
    const inProperties = parts.length > 1 && parts[0] !== "properties";
    return { parameter, key: (inProperties ? ["properties", ...parts] : parts).join("\0") };
  });
  for (const a of named) {
    for (const b of named) {
      if (a === b || !(b.key === a.key || b.key.startsWith(`${a.key}\0`))) continue;
      throw refuse(b.parameter, `got a field that ${a.parameter} names already`);
    }
  }
}

/** A mapping as layout.ts draws it. Throws InputError that names the parameter. */
export function mappingBytes(mapping: FieldMapping): Uint8Array {
  const unit = mapping.timestamp_unit;
  const unitCode = unit === undefined ? 0 : UNITS.get(unit);
  if (unitCode === undefined) {
    throw refuse("timestamp_unit", `got ${String(unit)}, want s, ms, us or ns`);
  }
  const bytes: number[] = [unitCode];
  const paths = new Map<string, readonly string[]>();
  for (const [parameter, value] of Object.entries(mapping) as [string, string | undefined][]) {
    if (parameter === "timestamp_unit" || value === undefined) continue;
    const role = ROLES.get(parameter);
    if (role === undefined) {
      throw refuse(parameter, `got an unknown field, want one of ${[...ROLES.keys()].join(", ")}`);
    }
    const constant = parseConstant(parameter, value);
    if (constant === null) {
      const parts = parsePath(parameter, value);
      if (value === "properties") throw refuse(parameter, "got properties, want a field in it");
      paths.set(parameter, parts);
    }
    const text = new TextEncoder().encode(constant ?? value);
    const most = constant === null ? pathBytesMax : Math.min(pathBytesMax, stringBytesMax);
    if (text.length > most) throw refuse(parameter, `got more than ${most} bytes`);
    bytes.push(role, constant === null ? 0 : 1, text.length & 255, text.length >> 8, ...text);
  }
  checkOverlap(paths);
  return Uint8Array.from(bytes);
}
