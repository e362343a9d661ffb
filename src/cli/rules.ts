import { readFileSync } from "node:fs";
import { text as readAll } from "node:stream/consumers";
import { exactJsonText, parseExactJson } from "../base/exact-json.ts";
import { ConfigError, MillraceError } from "../errors.ts";
import { type ApiRequest, callApi, RefusedError } from "./api-client.ts";
import { refusalText } from "./query-error.ts";
import {
  parseRulesOptions,
  type RuleMembers,
  type RulesAction,
  type RulesOptions,
  rulesHelp,
} from "./rules-options.ts";
import { type Rule, rulesText, ruleText, type StreamHealth, shownName } from "./rules-text.ts";

const rulesPath = "/api/v1/aggregations";
/** Rules whose warnings are asked for: each may take the server a moment. */
const warnedMax = 100;
const askedAtOnce = 4;
/** Recomputing reads what is stored. */
const recomputeMsMax = 3_600_000;

/** `millrace rules`: the exit code is 0, 1 after a failure, 2 for flags. */
export async function runRules(argv: string[]): Promise<number> {
  let options: RulesOptions | undefined;
  try {
    options = parseRulesOptions(argv, process.stdout.isTTY);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(`millrace rules: ${error.message}`);
    return 2;
  }
  if (options === undefined) {
    console.log(rulesHelp);
    return 0;
  }
  try {
    await new Rules(options).run();
    return 0;
  } catch (error) {
    // Whatever else has a code has happened to a file.
    if (!(error instanceof MillraceError || (error instanceof Error && "code" in error)))
      throw error;
    console.error(`millrace rules: ${error.message}`);
    return error instanceof ConfigError ? 2 : 1;
  }
}

class Rules {
  readonly #url: URL;
  readonly #action: RulesAction;
  readonly #isTable: boolean;

  constructor({ url, format, action }: RulesOptions) {
    this.#url = url;
    this.#action = action;
    this.#isTable = format === "table";
  }

  async run(): Promise<void> {
    const action = this.#action;
    switch (action.kind) {
      case "list":
        return this.#list();
      case "show":
        return this.#print(await this.#rule(action.rule), ruleText);
      case "create":
        return this.#create(action);
      case "pause":
      case "resume": {
        const path = `${pathOf(action.rule)}/${action.kind}`;
        const rule = (await this.#call({ method: "POST", path })) as Rule;
        const state = action.kind === "pause" ? "is paused" : "goes on";
        return this.#print(rule, () => `${shownName(rule)} ${state}`);
      }
      case "delete":
        await this.#call({ method: "DELETE", path: pathOf(action.rule) });
        if (this.#isTable) console.log(`${action.rule} is deleted, with its windows`);
        return;
      case "recompute":
        return this.#recompute(action);
    }
  }

  #call(request: ApiRequest, timeoutMs?: number): Promise<unknown> {
    return callApi(this.#url, request, timeoutMs);
  }

  async #rule(reference: string): Promise<Rule> {
    return (await this.#call({ method: "GET", path: pathOf(reference) })) as Rule;
  }

  /** What the server has answered, as it stands or in words. */
  #print<T>(answer: T, text: (answer: T) => string): void {
    console.log(this.#isTable ? text(answer) : (exactJsonText(answer) ?? ""));
  }

  async #list(): Promise<void> {
    const answer = await this.#call({ method: "GET", path: rulesPath });
    const { aggregations: rules } = answer as { aggregations: readonly Rule[] };
    if (!this.#isTable) {
      for (const rule of rules) console.log(exactJsonText(rule));
      return;
    }
    const health = (await this.#call({ method: "GET", path: "/api/v1/health" })) as {
      stream?: StreamHealth;
    };
    const { columns = Infinity, isTTY } = process.stdout;
    const warned = await this.#warned(rules);
    console.log(rulesText(warned, health.stream ?? null, isTTY ? columns : Infinity));
  }

  /** The rules with their warnings, a few asked for at once. */
  async #warned(rules: readonly Rule[]): Promise<readonly Rule[]> {
    const warned = [...rules];
    const waiting = [...rules.slice(0, warnedMax).entries()];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [i, { id }] = next;
        try {
          warned[i] = await this.#rule(id);
        } catch (error) {
          // It may be gone by now.
          if (!(error instanceof RefusedError && error.status === 404)) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: askedAtOnce }, work));
    return warned;
  }

  async #create(action: Extract<RulesAction, { kind: "create" }>): Promise<void> {
    const { replaces, source, members } = action;
    const form = formOf(await sourceText(source), members, replaces !== null);
    const rule = await this.#put(form, replaces);
    this.#print(rule, () => {
      const verb = replaces === null ? "is made" : "is the version from now on";
      return `${shownName(rule)} ${verb}; its windows: millrace query "SELECT * FROM ${rule.name}"`;
    });
    // They stand in the document too.
    if (!this.#isTable) return;
    for (const { message } of rule.warnings ?? []) console.error(`warning: ${message}`);
  }

  async #put(form: Readonly<Record<string, unknown>>, replaces: string | null): Promise<Rule> {
    const body = exactJsonText(form) ?? "";
    try {
      const request: ApiRequest =
        replaces === null
          ? { method: "POST", path: rulesPath, body }
          : { method: "PUT", path: pathOf(replaces), body };
      return (await this.#call(request)) as Rule;
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      throw new MillraceError(error.code, refusedText(error, form), {}, { cause: error });
    }
  }

  async #recompute({ rule, from, to }: Extract<RulesAction, { kind: "recompute" }>): Promise<void> {
    const body = JSON.stringify({ from, to });
    const request: ApiRequest = { method: "POST", path: `${pathOf(rule)}/recompute`, body };
    const answer = await this.#call(request, recomputeMsMax);
    this.#print(answer as { windows: number; folded: number }, ({ windows, folded }) => {
      const [some, events] = [windows.toLocaleString("en-US"), folded.toLocaleString("en-US")];
      return `${some} windows computed again, with ${events} events that had been too late`;
    });
  }
}

function pathOf(reference: string): string {
  return `${rulesPath}/${encodeURIComponent(reference)}`;
}

/** SQL and JSON tell by how they begin; anything else names a file. */
async function sourceText(source: string): Promise<string> {
  if (source === "-") return readAll(process.stdin);
  return /^\s*(?:\{|\(|--|\/\*|(?:select|with)\s)/i.test(source)
    ? source
    : readFileSync(source, "utf8");
}

/** The body for the server; flags come before what the text says. */
function formOf(
  text: string,
  members: RuleMembers,
  isReplacing: boolean,
): Readonly<Record<string, unknown>> {
  if (!text.trimStart().startsWith("{")) {
    const sql = text.trim().replace(/;$/, "");
    if (sql === "") throw new MillraceError("missing_rule", "want a rule, got nothing");
    if (members.name === undefined && !isReplacing) {
      throw new ConfigError(
        "missing_name",
        "--name: want a name for a rule that is written in SQL",
      );
    }
    return { ...members, sql };
  }
  try {
    return { ...(parseExactJson(text) as Record<string, unknown>), ...members };
  } catch (error) {
    throw new MillraceError("invalid_json", `the rule is no JSON: ${(error as Error).message}`);
  }
}

/** With a caret below the place, where the refusal is about SQL. */
function refusedText(error: RefusedError, form: Readonly<Record<string, unknown>>): string {
  const { message, position } = error;
  const about = "sql" in form ? form.sql : form.event_filter;
  const isAbout = typeof about === "string" && typeof position === "number";
  if (!isAbout) return message;
  const [sentence = "", ...lines] = refusalText(message, about, position).split("\n");
  return [sentence.replace(/^ERROR: (?:#\/sql: )?/, ""), ...lines].join("\n");
}
