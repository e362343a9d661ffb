import { z } from "zod";
import { didYouMean } from "../../base/near.ts";
import { InputError } from "../../errors.ts";
import { showLiteral } from "../literal.ts";

/** An object with these keys and no others; an unknown key is named with the one it resembles. */
export function strictShape<Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> {
  const names = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return undefined;
      const [key = ""] = issue.keys;
      return `got the unknown key "${key}"${didYouMean(key, names) || `; want ${names.join(", ")}`}`;
    },
  });
}

/** RFC 6901, as the fragment of a URL. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  const escaped = path.map((key) => String(key).replace(/~/g, "~0").replace(/\//g, "~1"));
  return ["#", ...escaped].join("/");
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

type Issue = z.core.$ZodIssue;

/** How far a value is from a branch of a union: wrong type, then keys missing or unknown, then details. */
function branchDistance(issues: readonly Issue[], root: unknown): number {
  let distance = 0;
  for (const issue of issues) {
    if (issue.code === "unrecognized_keys") distance += 10 * issue.keys.length;
    else if (issue.code === "invalid_type" && valueAt(root, issue.path) === undefined) {
      distance += 10;
    } else if (issue.path.length === 0 && issue.code !== "too_big" && issue.code !== "too_small") {
      distance += 1000;
    } else distance += 1;
  }
  return distance;
}

/** Issues with those of a union replaced by the ones of its branch that the value comes closest to. */
function flatten(issues: readonly Issue[], root: unknown, at: readonly PropertyKey[]): Issue[] {
  return issues.flatMap((issue) => {
    const path = [...at, ...issue.path];
    if (issue.code !== "invalid_union" || issue.errors.length === 0) return [{ ...issue, path }];
    const inner = valueAt(root, path);
    const atRoot = issue.errors.every((branch) => branchDistance(branch, inner) >= 1000);
    if (atRoot) {
      const expected = issue.errors.flatMap((branch) =>
        branch[0]?.code === "invalid_type" ? [branch[0].expected] : [],
      );
      return [{ ...issue, path, message: [...new Set(expected)].join(" or ") }];
    }
    const branches = issue.errors.map((branch) => flatten(branch, root, path));
    const distances = issue.errors.map((branch) => branchDistance(branch, inner));
    return branches[distances.indexOf(Math.min(...distances))] ?? [];
  });
}

function explain(issue: Issue, root: unknown): string {
  const value = valueAt(root, issue.path);
  const got = value === undefined ? "nothing" : showLiteral(value);
  switch (issue.code) {
    case "invalid_type":
      return `got ${got}, want ${issue.expected}`;
    case "invalid_value": {
      const wanted = issue.values.map((one) => showLiteral(one)).join(", ");
      const near = typeof value === "string" ? didYouMean(value, issue.values.map(String)) : "";
      return `got ${got}, want one of ${wanted}${near}`;
    }
    case "invalid_union":
      return `got ${got}, want ${issue.message}`;
    case "too_small":
      return `got ${got}, want at least ${issue.minimum}${issue.origin === "array" ? " items" : ""}`;
    case "too_big":
      return `got ${got}, want at most ${issue.maximum}${issue.origin === "array" ? " items" : ""}`;
    default:
      return issue.message;
  }
}

/** Nothing that is asked for is deeper; recursion over the input stays within the stack. */
const depthMax = 64;

function tooDeep(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => tooDeep(inner, depth - 1));
}

/**
 * `value` as the schema understands it.
 *
 * Throws InputError `code`: its message has the JSON pointer of the first problem and what was got and
 * wanted; `detail.pointer` is that pointer and `detail.errors` lists all as `{ pointer, detail }`.
 */
export function parseShape<T>(schema: z.ZodType<T>, value: unknown, code = "invalid_query"): T {
  if (tooDeep(value, depthMax)) {
    throw new InputError(code, `#: got more than ${depthMax} levels of nesting`, { pointer: "#" });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  // An unknown key is most often the slip that makes another one missing: it is said first.
  const slips = (issue: Issue): number => (issue.code === "unrecognized_keys" ? 0 : 1);
  const issues = flatten(parsed.error.issues, value, []).sort((a, b) => slips(a) - slips(b));
  const errors = issues.map((issue) => ({
    pointer: jsonPointer(issue.path),
    detail: explain(issue, value),
  }));
  const [first = { pointer: "#", detail: "it is not what was wanted" }] = errors;
  throw new InputError(code, `${first.pointer}: ${first.detail}`, {
    pointer: first.pointer,
    errors: errors.slice(0, 20),
  });
}
