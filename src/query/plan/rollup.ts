import type { Query } from "../query.ts";

/** Whether a rollup answers a query instead of a scan. */
export interface RollupAnswer {
  /** The rollup that does; null: none. */
  readonly rollup: string | null;
  readonly why: string;
}

/** The door for rollups: there are none yet, so that every query is a scan. */
export function answerFromRollup(_query: Query): RollupAnswer {
  return { rollup: null, why: "no rollups" };
}
