import type { Clock } from "../base/clock.ts";
import { exactJsonText } from "../base/exact-json.ts";
import type { Engine, QueryOptions, ResultText } from "../engine/engine.ts";
import { MillraceError } from "../errors.ts";
import { resolveNow } from "../query/expression/now.ts";
import { parseQuery } from "../query/form/schema.ts";
import { chooseRollup, type RollupAnswer, type RollupPart } from "../query/plan/rollup.ts";
import type { Query } from "../query/query.ts";
import { snapshotChanged } from "../query/read/reader.ts";
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
    const query = this.#resolved(prepared.query);
    const isRun = prepared.kind === "select" || prepared.analyze;
    const { choice, result, part } = await this.#fromRollup(query, isRun, options);
    const done = result ?? (part && (await this.#rest(query, shown, part)));
    if (prepared.kind === "select") return done ?? this.#engine.query(query, shown);
    const { analyze, format } = prepared;
    const rollup = done === null && part !== null ? repeated(choice) : choice;
    return this.#engine.explain(query, { analyze, format, rollup, ...(done && { done }) }, shown);
  }

  /** The answer of what a rule's windows say and of what they leave; null: that has changed meanwhile. */
  async #rest(query: Query, options: QueryOptions, part: RollupPart): Promise<QueryResult | null> {
    try {
      return await this.#engine.query(query, options, part);
    } catch (error) {
      if (error instanceof MillraceError && error.code === snapshotChanged) return null;
      throw error;
    }
  }

  /** The same as bytes of a format; the rest of a large result is made as it is taken. */
  async text(
    question: Question,
    format: ResultFormat,
    options: QueryOptions = {},
  ): Promise<ResultText> {
    const prepared = this.#prepare(question);
    if (prepared.kind === "select") {
      const query = this.#resolved(prepared.query);
      if (chooseRollup(query, this.#rollups()).rule === null) {
        return this.#engine.answer(query, format, withText(question, options));
      }
    }
    const result = await this.rows(question, options);
    return { asOf: result.asOf, pieces: [...resultBytes(format, result)], rest: null };
  }

  /** A rule's windows and what is read beside them are asked about one instant. */
  #resolved(query: Query): Query {
    return resolveNow(query, this.#clock.nowUs());
  }

  #prepare(question: Question): Prepared {
    if ("query" in question) return { kind: "select", query: parseQuery(question.query) };
    return this.#statements.prepare(question.sql, question.params, (name) => {
      return ruleNamed(this.#engine.streams.rules(), name)?.rule ?? null;
    });
  }

  /** Rules that have left out no event since they began. */
  #rollups(): Rule[] {
    return this.#engine.streams
      .rules()
      .filter(({ state, complete, paused, backfill }) => {
        return state === "live" && complete && !paused && backfill === null;
      })
      .map(({ rule }) => rule);
  }

  /** What a rule's windows say to a question. */
  async #fromRollup(query: Query, isRun: boolean, options: QueryOptions): Promise<FromRollup> {
    const { rule, ...choice } = chooseRollup(query, this.#rollups());
    if (rule === null || !isRun) return { choice, result: null, part: null };
    const limits = this.#engine.resultLimits(options);
    const question = { query, rule: rule.number, limits };
    const { why, ...reply } = await this.#engine.streams.rollup(question);
    if (reply.result === null && reply.part === null) {
      return { choice: { rollup: null, why: `${rule.name}: ${why}` }, ...reply };
    }
    return { choice: { rollup: rule.name, why }, ...reply };
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

interface FromRollup {
  readonly choice: RollupAnswer;
  /** The whole answer; null: it isn't. */
  readonly result: QueryResult | null;
  /** What there is of it where that is less. */
  readonly part: RollupPart | null;
}

function repeated({ rollup }: RollupAnswer): RollupAnswer {
  return { rollup: null, why: `${rollup}: events were dropped while the question was answered` };
}

/** With the text that the list of running queries shows. */
function withText(question: Question, options: QueryOptions): QueryOptions {
  const text = "sql" in question ? question.sql : (exactJsonText(question.query) ?? "");
  return { ...options, text: text.slice(0, textCharsMax) };
}
