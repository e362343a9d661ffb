import type { Context } from "hono";
import type { Front } from "../api/front.ts";
import { queryParameters } from "../api/query-string.ts";
import { didYouMean } from "../base/near.ts";
import type { QueryOptions } from "../engine/engine.ts";
import { InputError } from "../errors.ts";
import {
  type AdHocWindows,
  parseAdHocWindows,
  parseRuleWindows,
} from "../query/form/windows-form.ts";
import type { QueryResult, Value } from "../query/result.ts";
import { uniqueNames, valueText } from "../query/result-text.ts";
import { formatTime, parseTime } from "../query/time.ts";
import type { Rule } from "../stream/rule.ts";
import { currentRules, ruleNamed } from "../stream/rule-names.ts";
import { WindowTexts } from "../stream/window-text.ts";
import type { AppEnv } from "./analytics.ts";

/**
 * `GET /analytics/aggregations`: windows of a rule, or of a question that no rule was made for. Answers
 * `{"windows":[…],"more":false,"as_of":"…"}`.
 */
export async function answerWindows(
  front: Front,
  c: Context<AppEnv>,
  options: QueryOptions,
): Promise<Response> {
  const params = queryParameters(new URL(c.req.url).search);
  if (Object.hasOwn(params, "rule") === Object.hasOwn(params, "aggregate")) {
    const got = Object.hasOwn(params, "rule") ? 'both "rule" and' : 'neither "rule" nor';
    throw new InputError("invalid_parameter", `#: got ${got} "aggregate", want one of them`, {
      pointer: "#",
    });
  }
  const isRule = Object.hasOwn(params, "rule");
  const { text, asOf } = isRule ? await ofRule(front, params) : await adHoc(front, params, options);
  c.header("Millrace-As-Of", asOf);
  return c.body(text, 200, { "Content-Type": "application/json" });
}

interface Answer {
  readonly text: string;
  readonly asOf: string;
}

function answerOf(windows: readonly string[], more: boolean, asOf: string): Answer {
  return { text: `{"windows":[${windows.join(",")}],"more":${more},"as_of":"${asOf}"}`, asOf };
}

async function ofRule(front: Front, params: Readonly<Record<string, string>>): Promise<Answer> {
  const { streams } = front.engine;
  const { rule, request } = parseRuleWindows(params, (name) => foundRule(streams.rules(), name));
  const { rows, more, asOf } = await streams.windows(request);
  const texts = new WindowTexts(rule);
  return answerOf(
    rows.map((row) => texts.text(row)),
    more,
    String(asOf),
  );
}

/** @throws InputError `rule_not_found` with the names that are near */
function foundRule(records: Parameters<typeof ruleNamed>[0], name: string): Rule {
  const found = ruleNamed(records, name);
  if (found) return found.rule;
  const names = currentRules(records).map((rule) => rule.name);
  throw new InputError(
    "rule_not_found",
    `#/rule: there is no rule "${name.slice(0, 200)}"${didYouMean(name, names)}`,
    { pointer: "#/rule" },
    404,
  );
}

async function adHoc(
  front: Front,
  params: Readonly<Record<string, string>>,
  options: QueryOptions,
): Promise<Answer> {
  const asked = parseAdHocWindows(params);
  const result = await front.engine.query(asked.query, options);
  const more = result.rows.length === asked.query.limit;
  return answerOf(adHocTexts(asked, result), more, result.asOf);
}

/** The same members as of a rule's windows, as far as a scan knows them. */
function adHocTexts({ buckets, keys, values, range }: AdHocWindows, result: QueryResult): string[] {
  const keyNames = namesOf(keys);
  const valueNames = namesOf(values);
  const first = buckets === null ? 0 : 1;
  const time = (us: bigint | null): string => (us === null ? "null" : `"${formatTime(us)}"`);
  return result.rows.map((row) => {
    const span = buckets?.span(parseTime(row[0] as string) as bigint);
    const [start, end] = span ? [span.startUs, span.endUs] : [range.fromUs, range.toUs];
    const afterKeys = first + keys.length;
    const [count, late] = row.slice(afterKeys + values.length);
    return (
      `{"start":${time(start)},"end":${time(end)},"group":${members(keyNames, row.slice(first))},` +
      `"values":${members(valueNames, row.slice(afterKeys))},"count":${count},"late":${late},` +
      '"revised":0,"too_late":0,"duplicate":0,"revision":0,"state":"scan","final":false}'
    );
  });
}

function namesOf(names: readonly string[]): string[] {
  return uniqueNames(names.map((name) => ({ name }))).map((name) => JSON.stringify(name));
}

function members(names: readonly string[], values: readonly Value[]): string {
  return `{${names.map((name, i) => `${name}:${valueText(values[i] ?? null)}`).join(",")}}`;
}
