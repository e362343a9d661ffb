import type { Clock } from "../base/clock.ts";
import { exactJsonText } from "../base/exact-json.ts";
import type { Engine, QueryOptions, ResultText } from "../engine/engine.ts";
import { parseQuery } from "../query/form/schema.ts";
import type { QueryResult } from "../query/result.ts";
import { type ResultFormat, resultBytes } from "../query/result-text.ts";
import type { Prepared } from "../query/sql/prepare.ts";
import { StatementCache } from "../query/sql/statement-cache.ts";

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
    const shown = withText(question, options);
    if (prepared.kind === "select") return this.#engine.query(prepared.query, shown);
    const { query, analyze, format } = prepared;
    return this.#engine.explain(query, { analyze, format }, shown);
  }

  /** The same as bytes of a format; the rest of a large result is made as it is taken. */
  async text(
    question: Question,
    format: ResultFormat,
    options: QueryOptions = {},
  ): Promise<ResultText> {
    const prepared = this.#prepare(question);
    if (prepared.kind === "select") {
      return this.#engine.answer(prepared.query, format, withText(question, options));
    }
    const result = await this.rows(question, options);
    return { asOf: result.asOf, pieces: [...resultBytes(format, result)], rest: null };
  }

  #prepare(question: Question): Prepared {
    if ("query" in question) return { kind: "select", query: parseQuery(question.query) };
    return this.#statements.prepare(question.sql, question.params);
  }

  #read(prepared: Extract<Prepared, { kind: "rows" }>): QueryResult {
    const startedMs = this.#clock.monotonicMs();
    const { columns, rows } = prepared.read({
      catalog: () => this.#engine.catalog(),
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
