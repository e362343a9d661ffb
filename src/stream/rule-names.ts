import type { Rule } from "./rule.ts";
import type { RuleRecord } from "./rule-record.ts";

/** The newest version of each rule. */
export function currentRules(records: readonly RuleRecord[]): Rule[] {
  return records.filter(({ state }) => state === "live").map(({ rule }) => rule);
}

/** The version that `name` (the current one), `name@2` or an id means. */
export function ruleNamed(records: readonly RuleRecord[], name: string): RuleRecord | undefined {
  const [, base = name, version] = /^(.*)@(\d+)$/.exec(name) ?? [];
  const isAsked = (rule: Rule): boolean => rule.name === base || rule.id === base;
  if (version === undefined) {
    return records.find(({ rule, state }) => state === "live" && isAsked(rule));
  }
  return records.find(({ rule, state }) => {
    return state !== "passing" && isAsked(rule) && rule.version === Number(version);
  });
}
