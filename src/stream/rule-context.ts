import type { Cells } from "../query/columns/cells.ts";
import type { QueryRun } from "../query/columns/kernels.ts";
import type { GroupDirectory } from "../rollup/store.ts";
import type { Arena } from "./arena.ts";
import type { Rule } from "./rule.ts";
import type { RuleFilters } from "./rule-filters.ts";
import type { RuleSink } from "./rule-state.ts";

/** What a rule's state works with. All but the rule, its directory and its sink are the thread's. */
export interface RuleContext {
  readonly rule: Rule;
  /** The thread's: what its scratch takes lives as long as the chunk at most. Nothing is kept in it. */
  readonly run: QueryRun;
  readonly cells: Cells;
  readonly arena: Arena;
  /** Entered for each chunk before the rules take it, and left after them. */
  readonly filters: RuleFilters;
  readonly directory: GroupDirectory;
  readonly sink: RuleSink;
}
