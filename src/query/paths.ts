// A path as it is stored: a fixed column, or `properties.` and keys joined by dots. Inside a key a dot is
// written `\.` and a backslash `\\`, so that {"a.b": 1} and {"a": {"b": 1}} stay two paths.

import { didYouMean } from "../base/near.ts";
import { InputError } from "../errors.ts";
import { pathBytesMax } from "../limits.ts";

/** What a path holds: which literals it compares with, and which aggregates it takes. */
export type PathType = "id" | "time" | "sequence" | "integer" | "text" | "property";

const fixedTypes: ReadonlyMap<string, PathType> = new Map<string, PathType>([
  ["id", "id"],
  ["timestamp", "time"],
  ["event_type", "text"],
  ["source", "text"],
  ["user_id", "text"],
  ["session_id", "text"],
  ["sequence", "sequence"],
  ["received_at", "time"],
  ["lateness_us", "integer"],
]);

export const fixedPaths: readonly string[] = [...fixedTypes.keys()];

export const propertiesPrefix = "properties.";

/** Joins the keys of nested objects; the result is what follows `properties.` in a stored path. */
export function joinKeys(keys: readonly string[]): string {
  return keys.map((key) => key.replace(/[\\.]/g, "\\$&")).join(".");
}

/** The keys of a joined path, or null when a backslash is followed by neither a dot nor a backslash. */
export function splitKeys(joined: string): string[] | null {
  const keys: string[] = [];
  let key = "";
  for (let i = 0; i < joined.length; i++) {
    const char = joined[i];
    if (char === ".") {
      keys.push(key);
      key = "";
    } else if (char !== "\\") {
      key += char;
    } else {
      const escaped = joined[++i];
      if (escaped !== "." && escaped !== "\\") return null;
      key += escaped;
    }
  }
  keys.push(key);
  return keys;
}

export function pathType(path: string): PathType {
  return fixedTypes.get(path) ?? "property";
}

/** Says what is wrong with `path`, or null when it is a stored path. */
export function pathProblem(path: string): string | null {
  if (fixedTypes.has(path)) return null;
  if (!path.startsWith(propertiesPrefix)) {
    if (path === "properties") return 'want one property, "properties.…", not all of them';
    const hint = didYouMean(path, fixedPaths);
    return `there is no field "${path.slice(0, 128)}"${hint || `; a property is "properties.…"`}`;
  }
  if (Buffer.byteLength(path) > pathBytesMax) return `a path has at most ${pathBytesMax} bytes`;
  if (splitKeys(path.slice(propertiesPrefix.length)) === null) {
    return `in "${path}" a backslash must be followed by "." or "\\"`;
  }
  return null;
}

/** `path` itself; throws InputError "unknown_field" when it can't be one. */
export function checkPath(path: string): string {
  const problem = pathProblem(path);
  if (problem !== null) throw new InputError("unknown_field", problem, { got: path.slice(0, 128) });
  return path;
}

/** The last key of a path, unescaped: how a column is called when nobody named it. */
export function lastKey(path: string): string {
  return splitKeys(path)?.at(-1) ?? path;
}
