// Rows that came when windows that they belong to were final: counted by group, for each of these windows.

import { PartialWriter } from "../query/aggregate/partial-bytes.ts";
import type { BucketSpan } from "../query/expression/bucket.ts";
import { splitGroups } from "../query/run/fold-bytes.ts";
import { GroupFold } from "../query/run/group-fold.ts";
import { type PaneRows, paneRun } from "./pane.ts";
import { PaneScratch } from "./pane-scratch.ts";
import type { RuleContext } from "./rule-context.ts";
import type { ChunkRows } from "./rule-filters.ts";
import { foldCount, ruleFold } from "./rule-fold.ts";

/** Tells the sink how many of the rows came too late for each of the windows, by group. */
export function countTooLate(
  context: RuleContext,
  own: ChunkRows,
  rows: PaneRows,
  windows: readonly BucketSpan[],
): void {
  const { rule, cells, arena, directory, sink, run } = context;
  const scratch = new PaneScratch(arena, run.scratch);
  const mark = run.scratch.mark();
  try {
    const query = ruleFold(rule, 0n, 1n);
    const fold = new GroupFold({
      query: { ...query, aggregates: query.aggregates.slice(0, 1) },
      run: paneRun(context, scratch),
      cells,
      computed: own.computed,
      filters: own.filters,
      select: (filter, segment, mask, out) => own.filter(filter, segment, mask, out),
      small: true,
    });
    fold.add(rows.segment, rows.mask, rows.count);
    const out = new PartialWriter();
    fold.encode(out);
    const count = fold.values()[foldCount];
    splitGroups(out.bytes(), rule.keys.length).forEach(({ key }, group) => {
      const groupId = directory.idOf(key);
      for (const { startUs, endUs } of windows) {
        sink.tooLate(rule, { startUs, endUs, groupId, count: Number(count?.(group) ?? 0) });
      }
    });
  } finally {
    run.scratch.release(mark);
    scratch.reset();
  }
}
