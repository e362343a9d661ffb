import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Engine } from "../engine/engine.ts";
import { FrontCounters } from "../monitoring/counters.ts";
import type { Literal, Query } from "../query/schema.ts";
import type { Config } from "../settings.ts";
import type { BodyRules } from "./body.ts";
import { BodyBudget } from "./body-budget.ts";
import { openDecompressor } from "./compression.ts";

/** The query language as the front needs it. */
export interface QueryLanguage {
  /** The JSON form of a query. Integers beyond 2^53 come as bigints. */
  parseQuery(json: unknown): Query;
  parseSql(text: string, parameters: readonly (Literal | null)[]): Query | Promise<Query>;
}

export interface FrontParts {
  readonly config: Config;
  readonly engine: Engine;
  readonly language: QueryLanguage;
  readonly log: Log;
  readonly clock: Clock;
  readonly version: string;
}

/** What every route and every socket shares. */
export interface Front extends FrontParts {
  readonly counters: FrontCounters;
  readonly bodyRules: BodyRules;
  readonly startedMs: number;
  /** True once the server has been asked to stop. */
  stopping: boolean;
}

export function openFront(parts: FrontParts): Front {
  return {
    ...parts,
    counters: new FrontCounters(),
    bodyRules: {
      bytesMax: parts.config.bodyBytesMax,
      budget: new BodyBudget(parts.config.bodiesBytesMax),
      decompressor: openDecompressor(),
    },
    startedMs: parts.clock.monotonicMs(),
    stopping: false,
  };
}
