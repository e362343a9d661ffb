import type { Clock } from "../base/clock.ts";
import { exactJsonText } from "../base/exact-json.ts";
import type { Engine, QueryOptions, ResultText } from "../engine/engine.ts";
import { resolveNow } from "../query/expression/now.ts";
import { parseQuery } from "../query/form/schema.ts";
import { chooseRollup, type RollupAnswer } from "../query/plan/rollup.ts";
import type { QueryResult } from "../query/result.ts";
import { type ResultFormat, resultBytes } from "../query/result-text.ts";
import type { Prepared } from "../query/sql/prepare.ts";
import type { WindowsSelect } from "../query/sql/rule-table.ts";
import { StatementCache } from "../query/sql/statement-cache.ts";
import type { Rule } from "../stream/rule.ts";
import { currentRules, ruleNamed } from "../stream/rule-names.ts";

/** SQL text with the values of `$1`, `$2`, …, or a query in its JSON form. */
export type Question =
  | { readonly sql: string; readonly params: readonly unknown[] }
  | { readonly query: unknown };

/** Characters of a question that the list of running queries shows. */
const textCharsMax = 4096;

/**
 * The one way from a question to its answer, whoever asks: statements that read events go to the engine, those that
 * look around are answered here.
 */
export class Questions {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #statements = new StatementCache();

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** @throws InputError as `parseStatement` and `parseQuery` do; what the engine throws */
  async rows(question: Question, options: QueryOptions = {}): Promise<QueryResult> {
    const prepared = this.#prepare(question);
    if (prepared.kind === "rows") return this.#read(prepared);
    if (prepared.kind === "windows") return this.#windows(prepared.select);
    const shown = withText(question, options);
    const { query } = prepared;
    const { choice, result } = await this.#fromRollup(prepared);
    if (prepared.kind === "select") return result ?? this.#engine.query(query, shown);
    const { analyze, format } = prepared;
    const explain = { analyze, format, rollup: choice, ...(result && { done: result }) };
    return this.#engine.explain(query, explain, shown);
  }

  /** The same as bytes of a format; the rest of a large result is made as it is taken. */
  async text(
    question: Question,
    format: ResultFormat,
    options: QueryOptions = {},
  ): Promise<ResultText> {
    const prepared = this.#prepare(question);
    if (prepared.kind === "select" && chooseRollup(prepared.query, this.#rollups()).rule === null) {
      return this.#engine.answer(prepared.query, format, withText(question, options));
    }
    const result = await this.rows(question, options);
    return { asOf: result.asOf, pieces: [...resultBytes(format, result)], rest: null };
  }

  #prepare(question: Question): Prepared {
    if ("query" in question) return { kind: "select", query: parseQuery(question.query) };
    return this.#statements.prepare(question.sql, question.params, (name) => {
      return ruleNamed(this.#engine.streams.rules(), name)?.rule ?? null;
    });
  }

  /** Rules whose windows have every event that is stored. */
  #rollups(): Rule[] {
    const { nextSequence, storedRows } = this.#engine.stats();
    const oldest = BigInt(nextSequence) - BigInt(storedRows);
    return this.#engine.streams
      .rules()
      .filter(({ state, complete, paused, backfill, fromSequence, rule }) => {
        const isWhole = complete && !paused && backfill === null && fromSequence === oldest;
        return state === "live" && isWhole && rule.retentionUs === null;
      })
      .map(({ rule }) => rule);
  }

  /** The answer of a rule's windows; where some window lacks events, a scan has to give it. */
  async #fromRollup(
    prepared: Exclude<Prepared, { kind: "rows" | "windows" }>,
  ): Promise<{ choice: RollupAnswer; result: QueryResult | null }> {
    const query = resolveNow(prepared.query, this.#clock.nowUs());
    const { rule, ...choice } = chooseRollup(query, this.#rollups());
    const isRun = prepared.kind === "select" || prepared.analyze;
    if (rule === null || !isRun) return { choice, result: null };
    const { result, why } = await this.#engine.streams.rollup({ query, rule: rule.number });
    if (result !== null) return { choice, result };
    return { choice: { rollup: null, why: `${rule.name}: ${why}` }, result };
  }

  /** A SELECT from a rule's windows. */
  async #windows(select: WindowsSelect): Promise<QueryResult> {
    const { request, answer } = select.at(this.#clock.nowUs());
    const windows = await this.#engine.streams.windows(request);
    const { columns, rows } = answer(windows);
    return {
      columns,
      rows,
      asOf: String(windows.asOf),
      stats: {
        rowsScanned: windows.rows.length,
        rowsMatched: rows.length,
        segmentsScanned: 0,
        segmentsPruned: 0,
        executionUs: windows.executionUs,
      },
    };
  }

  #read(prepared: Extract<Prepared, { kind: "rows" }>): QueryResult {
    const startedMs = this.#clock.monotonicMs();
    const { columns, rows } = prepared.read({
      catalog: () => this.#engine.catalog(),
      rules: () => currentRules(this.#engine.streams.rules()),
      nowUs: () => this.#clock.nowUs(),
    });
    return {
      columns,
      rows,
      asOf: String(this.#engine.nextSequence()),
      stats: {
        rowsScanned: 0,
        rowsMatched: rows.length,
        segmentsScanned: 0,
        segmentsPruned: 0,
        executionUs: Math.round((this.#clock.monotonicMs() - startedMs) * 1000),
      },
    };
  }
}

/** With the text that the list of running queries shows. */
function withText(question: Question, options: QueryOptions): QueryOptions {
  const text = "sql" in question ? question.sql : (exactJsonText(question.query) ?? "");
  return { ...options, text: text.slice(0, textCharsMax) };
}
