import type { z } from "zod";
import { didYouMean } from "../base/near.ts";
import { InputError } from "../errors.ts";

/**
 * What `schema` makes of `value`. The InputError of the first thing that is wrong names the member by its
 * path, such as `body.sql` or `limit`.
 */
export function validated<S extends z.ZodType>(
  schema: S,
  value: unknown,
  code: string,
  root = "",
): z.output<S> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const issue = result.error.issues[0] as z.core.$ZodIssue;
  const parameter = pathOf(root, issue.path);
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    const name = pathOf(root, [...issue.path, key]);
    const message = `${name}: no such member${didYouMean(key, membersOf(schema))}`;
    throw new InputError(code, message, { parameter: name });
  }
  const got = JSON.stringify(issue.input, (_key, part: unknown) =>
    typeof part === "bigint" ? String(part) : part,
  );
  const shown =
    got === undefined ? "" : ` (got ${got.length > 100 ? `${got.slice(0, 100)}…` : got})`;
  const message = `${parameter || "the value"}: ${lowerFirst(issue.message)}${shown}`;
  throw new InputError(code, message, { parameter });
}

function pathOf(root: string, path: readonly PropertyKey[]): string {
  return [root, ...path.map(String)].filter((part) => part !== "").join(".");
}

function membersOf(schema: z.ZodType): string[] {
  const { shape } = schema as { shape?: object };
  return Object.keys(shape ?? {});
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** The query string as an object; a name that comes twice is refused. */
export function queryParameters(search: string): Record<string, string> {
  const parameters: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(search)) {
    if (name in parameters) {
      throw new InputError("invalid_parameter", `${name}: got it twice, want it once`, {
        parameter: name,
      });
    }
    parameters[name] = value;
  }
  return { ...parameters };
}
