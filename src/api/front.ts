import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Engine } from "../engine/engine.ts";
import { FrontCounters } from "../monitoring/counters.ts";
import type { Config } from "../settings.ts";
import { RuleBook } from "../stream/rule-book.ts";
import { Questions } from "./ask.ts";
import { BodyBudget } from "./body-budget.ts";

export interface FrontParts {
  readonly config: Config;
  readonly engine: Engine;
  readonly log: Log;
  readonly clock: Clock;
  readonly version: string;
  /** The one book of the engine's rules; made where nobody else has one. */
  readonly ruleBook?: RuleBook;
}

/** What every route and every socket shares. */
export interface Front extends FrontParts {
  readonly counters: FrontCounters;
  readonly questions: Questions;
  readonly ruleBook: RuleBook;
  /** Bytes of all bodies being received. */
  readonly bodyBudget: BodyBudget;
  readonly startedMs: number;
  /** True once the server has been asked to stop. */
  stopping: boolean;
}

export function openFront(parts: FrontParts): Front {
  return {
    ...parts,
    counters: new FrontCounters(),
    questions: new Questions(parts.engine, parts.clock),
    ruleBook: parts.ruleBook ?? new RuleBook(parts.engine, parts.clock, parts.log),
    bodyBudget: new BodyBudget(parts.config.bodiesBytesMax),
    startedMs: parts.clock.monotonicMs(),
    stopping: false,
  };
}
