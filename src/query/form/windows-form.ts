// The parameters of `GET /analytics/aggregations`.

import { z } from "zod";
import { didYouMean } from "../../base/near.ts";
import { InputError } from "../../errors.ts";
import type { WindowsRequest } from "../../stream/messages.ts";
import type { Rule } from "../../stream/rule.ts";
import { intervalOfText, parseDuration } from "../duration.ts";
import { Buckets } from "../expression/bucket.ts";
import type { Interval } from "../expression/expression.ts";
import type { Query } from "../query.ts";
import { refuse } from "./condition.ts";
import { textTime } from "./events-form.ts";
import { checkRange, parseQuery } from "./query-form.ts";
import { parseShape, strictShape } from "./shape.ts";

/** Windows that one answer has at most, and without `limit`. */
export const windowsPageMax = 100_000;
const windowsPageDefault = 1000;

const common = {
  from: z
    .string()
    .optional()
    .meta({ description: "Windows that end after it, RFC 3339 or a number" }),
  to: z.string().optional().meta({ description: "Windows that begin before it" }),
  order: z
    .enum(["asc", "desc"])
    .optional()
    .meta({ description: "By start; asc where it isn't said" }),
  limit: z.coerce.number().int().min(1).max(windowsPageMax).optional(),
  window: z.string().optional().meta({
    description:
      "A duration: of a rule, its windows are merged into such ones; else the size of the windows",
  }),
};

/** Windows of a rule; `group.NAME=value` takes only that value of a key. */
export const ruleWindowsSchema = strictShape({
  rule: z.string().min(1).max(256).meta({ description: "A rule's name, `name@2` or its id" }),
  ...common,
});

/** A question that no rule was made for. */
export const adHocWindowsSchema = strictShape({
  aggregate: z
    .string()
    .min(1)
    .meta({
      description: "SQL aggregates, with commas between them",
      examples: ["count(*), sum(properties.amount) AS revenue"],
    }),
  where: z.string().optional().meta({ description: "SQL expression text" }),
  group_by: z.string().optional().meta({ description: "Fields with commas between them" }),
  ...common,
});

const groupPrefix = "group.";

interface Range {
  readonly fromUs: bigint | null;
  readonly toUs: bigint | null;
}

function rangeOf(form: { from?: string | undefined; to?: string | undefined }): Range {
  const fromUs = form.from === undefined ? null : textTime("from", form.from);
  const toUs = form.to === undefined ? null : textTime("to", form.to);
  checkRange(fromUs, toUs);
  return { fromUs, toUs };
}

function widthOf(text: string | undefined): bigint | null {
  if (text === undefined) return null;
  let widthUs: bigint;
  try {
    widthUs = parseDuration(text);
  } catch (error) {
    return refuse(["window"], (error as Error).message);
  }
  return widthUs > 0n ? widthUs : refuse(["window"], "want a window that is longer than nothing");
}

/** What larger windows are merged from, so that they hold whole ones, each once: else their values would be wrong. */
function mergedFrom(
  rule: Rule,
  text: string | undefined,
): Pick<WindowsRequest, "tier" | "widthUs"> {
  const { window, tiers } = rule;
  if (text === undefined) return { tier: 0, widthUs: null };
  if (window.kind === "hopping") {
    return refuse(["window"], "hopping windows overlap, so they can't be merged into others");
  }
  if (window.kind === "session") return { tier: 0, widthUs: widthOf(text) };
  const asked = sizeOf(text);
  const same = tiers.findIndex(({ size }) => isSameSize(size, asked));
  if (same >= 0) return { tier: same + 1, widthUs: null };
  const widthUs = widthOf(text);
  if (isSameSize(window.size, asked)) return { tier: 0, widthUs: null };
  const sizes = [{ size: window.size, retentionUs: rule.retentionUs }, ...tiers];
  let best = -1;
  for (const [tier, { size, retentionUs }] of sizes.entries()) {
    const fixedUs = fixedOf(size, window.zone);
    if (fixedUs === null || widthUs === null || widthUs % fixedUs !== 0n) continue;
    const kept = best < 0 ? 0n : (sizes[best]?.retentionUs ?? null);
    if (kept !== null && (retentionUs === null || retentionUs > kept)) best = tier;
  }
  if (best >= 0) return { tier: best, widthUs };
  const want = "want the size of one of its tiers, or a multiple of the size of its windows";
  const why = fixedOf(window.size, window.zone) === null ? " that has a fixed length" : "";
  return refuse(["window"], `${want}${why}`);
}

/** µs of a size that has a fixed length. */
function fixedOf({ months, days, us }: Interval, zone: string): bigint | null {
  if (months !== 0 || (days !== 0 && zone !== "UTC")) return null;
  return BigInt(days) * 86_400_000_000n + us;
}

function sizeOf(text: string): Interval {
  try {
    return intervalOfText(text);
  } catch (error) {
    return refuse(["window"], (error as Error).message);
  }
}

function isSameSize(a: Interval, b: Interval): boolean {
  return a.months === b.months && a.days === b.days && a.us === b.us;
}

/** What is asked of a rule's windows; `find` answers the rule of a name and throws where there is none. */
export function parseRuleWindows(
  params: Readonly<Record<string, string>>,
  find: (name: string) => Rule,
): { readonly rule: Rule; readonly request: WindowsRequest } {
  const isGroup = (name: string): boolean => name.startsWith(groupPrefix);
  const entries = Object.entries(params);
  const plain = Object.fromEntries(entries.filter(([name]) => !isGroup(name)));
  const form = parseShape(ruleWindowsSchema, plain, "invalid_parameter");
  const rule = find(form.rule);
  const groups = entries
    .filter(([name]) => isGroup(name))
    .map(([name, value]) => groupFilter(rule, name, value));
  const request: WindowsRequest = {
    rule: rule.number,
    ...rangeOf(form),
    groups,
    ...mergedFrom(rule, form.window),
    descending: form.order === "desc",
    limit: form.limit ?? windowsPageDefault,
  };
  return { rule, request };
}

/** A value is text: whoever finds the group takes the text of a number for the number. */
function groupFilter(
  { keys }: Rule,
  parameter: string,
  text: string,
): WindowsRequest["groups"][number] {
  const name = parameter.slice(groupPrefix.length);
  const key = keys.findIndex(({ as }) => as === name);
  if (key < 0) {
    const names = keys.map(({ as }) => as);
    const hint = didYouMean(name, names) || (names.length > 0 ? `; want ${names.join(", ")}` : "");
    throw new InputError(
      "invalid_parameter",
      `#/${parameter}: the rule has no group "${name}"${hint}`,
      {
        pointer: `#/${parameter}`,
      },
    );
  }
  return { key, value: text };
}

/** A question that no rule was made for, as a query whose columns are those of `shape`, in this order. */
export interface AdHocWindows {
  readonly query: Query;
  /** Of the windows, the first column of the result; null: there is one window, of all that is asked for. */
  readonly buckets: Buckets | null;
  readonly keys: readonly string[];
  /** After the keys; then come the count and the count of late events. */
  readonly values: readonly string[];
  readonly range: Range;
}

export function parseAdHocWindows(params: Readonly<Record<string, string>>): AdHocWindows {
  const form = parseShape(adHocWindowsSchema, params, "invalid_parameter");
  const keys = listed(form.group_by ?? "");
  const values = listed(form.aggregate).map(namedExpression);
  const range = rangeOf(form);
  const query = parseQuery({
    select: [
      ...(form.window === undefined ? [] : ["window"]),
      ...keys,
      ...values,
      { fn: "count", as: "events" },
      { fn: "count", filter: "lateness_us > 0", as: "late" },
    ].map((one, i) =>
      typeof one === "string" ? { field: one, as: `c${i}` } : { ...one, as: `c${i}` },
    ),
    group_by: [
      ...(form.window === undefined ? [] : [{ time_bucket: form.window, as: "window" }]),
      ...keys,
    ],
    ...(form.where !== undefined && { where: form.where }),
    ...(form.from !== undefined && { from: form.from }),
    ...(form.to !== undefined && { to: form.to }),
    order_by:
      form.order === "desc" && form.window !== undefined ? [{ by: "c0", direction: "desc" }] : [],
    limit: form.limit ?? windowsPageDefault,
  });
  const [first] = query.groupBy;
  const buckets = first?.of.kind === "bucket" ? new Buckets(first.of) : null;
  return { query, buckets, keys, values: values.map(({ as }) => as), range };
}

/** Parts between commas that stand outside parentheses and quotes. */
function listed(text: string): string[] {
  const parts: string[] = [];
  let [depth, start, quote] = [0, 0, ""];
  for (let i = 0; i <= text.length; i++) {
    const char = text[i];
    if (quote !== "") quote = char === quote ? "" : quote;
    else if (char === "'" || char === '"') quote = char;
    else if (char === "(") depth++;
    else if (char === ")") depth--;
    else if (char === undefined || (char === "," && depth === 0)) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return parts.filter((part) => part !== "");
}

/** `sum(x) AS total`; without a name it is its own. */
function namedExpression(text: string): { expr: string; as: string } {
  const [, expr = text, quoted, plain] = /^(.*\S)\s+as\s+(?:"([^"]+)"|(\w+))$/is.exec(text) ?? [];
  return { expr, as: quoted ?? plain ?? text };
}
