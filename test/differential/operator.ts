// The form in which operators are listed: what they take, and how both engines write them.

import type { Type } from "./tree.ts";

/**
 * An argument of an operator. "literal": a constant of that type, not an expression. `lane`: the operator says which
 * type it wants, so a path with values of several types shows those of this type here.
 */
export interface Argument {
  readonly type: Type;
  readonly literal?: boolean;
  readonly lane?: boolean;
  /** Nothing but a path: what a constant is cast to must fit, or there is no query. */
  readonly path?: boolean;
  /** What constants to choose from; undefined: any. */
  readonly among?: readonly string[];
  /** Nothing but these, no NULL either: where the list's name is a capital. */
  readonly strict?: boolean;
}

type Write = (args: readonly string[]) => string;

export interface Operator {
  readonly op: string;
  readonly type: Type;
  readonly args: readonly Argument[];
  readonly millrace: Write;
  readonly duckdb: Write;
  /** How often it is taken, 1 by default. */
  readonly weight: number;
  /** The last argument may come again, up to three times. */
  readonly repeats: boolean;
}

/** `$1`, `$2`, … are the arguments, `$*` those from the second on. */
export function template(text: string): Write {
  return (args) =>
    text.replace(/\$(\d|\*)/g, (_, place: string) =>
      place === "*" ? args.slice(1).join(", ") : (args[Number(place) - 1] ?? ""),
    );
}

/**
 * An operator. `args` are types: `text~` sees the texts of a path with values of several types, `text!` is a
 * path, `text=` a constant, `text=a` one from the list `among.a`, `raw=u` a part of the form's own text. A last
 * `…` lets it repeat.
 */
export function operator(
  op: string,
  type: Type,
  args: string,
  millrace: string,
  more: {
    duckdb?: string;
    weight?: number;
    among?: Readonly<Record<string, readonly string[]>>;
  } = {},
): Operator {
  const words = args.split(" ").filter((word) => word !== "");
  return {
    op,
    type,
    args: words.map((word) => argument(word.replace("…", ""), more.among ?? {})),
    millrace: template(millrace),
    duckdb: template(more.duckdb ?? millrace),
    weight: more.weight ?? 1,
    repeats: args.endsWith("…"),
  };
}

function argument(word: string, among: Readonly<Record<string, readonly string[]>>): Argument {
  const [, type = "int", mark, list = ""] = /^(\w+)([~=!]?)(\w*)$/.exec(word) ?? [];
  const choices = among[list];
  if (list !== "" && !choices) throw new Error(`no list "${list}"`);
  return {
    type: type as Type,
    ...(mark === "~" && { lane: true }),
    ...(mark === "!" && { path: true }),
    ...(mark === "=" && { literal: true }),
    ...(choices && { among: choices, strict: list < "a" }),
  };
}

export const scalars: readonly Type[] = ["int", "float", "text", "bool", "time"];
