import { randomUUID } from "node:crypto";
import type { Questions } from "../api/ask.ts";
import type { Clock } from "../base/clock.ts";
import type { Engine } from "../engine/engine.ts";
import { formatTime, parseTime } from "../query/time.ts";
import type { Rule } from "../stream/rule.ts";
import { type NewRule, roughUs } from "../stream/rule-parts.ts";
import type { RuleRecord } from "../stream/rule-record.ts";

/** Equal for questions that have the same answer. */
export function questionKey(question: object): string {
  return JSON.stringify(question, (_, value: unknown) =>
    typeof value === "bigint" ? { bigint: String(value) } : value,
  );
}

export interface PassingRule {
  readonly record: RuleRecord;
  /** Windows that begin before it would lack events. */
  readonly fromUs: bigint;
}

/**
 * A rule for a live subscription. The events of the windows that are open now are read first, so that these are whole;
 * those of windows before are not.
 */
export async function passingRule(
  engine: Engine,
  questions: Questions,
  clock: Clock,
  question: NewRule,
): Promise<PassingRule> {
  const nowUs = clock.nowUs();
  // The watermark is told about once a second: right after the first events there is none yet.
  const reachedUs = engine.streams.stats()?.watermarkUs ?? (await newestUs(questions)) ?? nowUs;
  const seenUs = reachedUs < nowUs ? reachedUs : nowUs;
  const fromUs = seenUs - spanUs(question) - question.allowedLatenessUs;
  const sql = "SELECT min(sequence) AS first FROM events WHERE timestamp >= $1::timestamptz";
  const { rows, asOf } = await questions.rows({ sql, params: [formatTime(fromUs)] });
  const first = rows[0]?.[0] ?? null;
  // What was published since the answer belongs to it too.
  const from = BigInt((first as bigint | number | string | null) ?? asOf);
  const number = engine.streams.takeNumber();
  const rule: Rule = {
    ...question,
    number,
    id: randomUUID(),
    version: 1,
    name: `passing_${number}`,
  };
  const record: RuleRecord = {
    rule,
    definition: {},
    createdAtUs: nowUs,
    fromSequence: from,
    paused: false,
    complete: true,
    backfill: { from, next: from, until: BigInt(asOf) },
    state: "passing",
  };
  return { record, fromUs };
}

/** The newest timestamp that is stored; null: nothing is. */
async function newestUs(questions: Questions): Promise<bigint | null> {
  const { rows } = await questions.rows({
    sql: "SELECT max(timestamp) AS newest FROM events",
    params: [],
  });
  const newest = rows[0]?.[0];
  const us = typeof newest === "string" ? parseTime(newest) : null;
  return typeof us === "bigint" ? us : null;
}

/** How far before an event a window that holds it may begin. */
function spanUs({ window }: NewRule): bigint {
  return window.kind === "session" ? window.gapUs : roughUs(window.size);
}
