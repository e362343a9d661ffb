import { formatTime } from "../query/time.ts";
import type { RuleBook } from "../stream/rule-book.ts";
import type { RuleRecord } from "../stream/rule-record.ts";

/** A rule as the API and the library show it; sequences are text. */
export interface ShownRule {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  /** Whose windows can be read, as `name@version`. */
  readonly versions: readonly number[];
  readonly state: "live" | "replaced" | "passing";
  readonly paused: boolean;
  readonly created_at: string;
  readonly from_sequence: string;
  readonly complete: boolean;
  /** The form, with what was left out filled in. */
  readonly definition: Readonly<Record<string, unknown>>;
  readonly backfill: {
    readonly from: string;
    readonly next: string;
    readonly until: string;
    readonly events_left: number;
  } | null;
  /** Since the process started; null while the stream thread has not told. */
  readonly stats: Readonly<Record<string, number>> | null;
}

export function shownRule(book: RuleBook, record: RuleRecord): ShownRule {
  const { rule, backfill, state, paused, complete } = record;
  return {
    id: rule.id,
    name: rule.name,
    version: rule.version,
    versions: book.versions(rule.id).map((one) => one.rule.version),
    state,
    paused,
    created_at: formatTime(record.createdAtUs),
    from_sequence: String(record.fromSequence),
    complete,
    definition: record.definition,
    backfill:
      backfill === null
        ? null
        : {
            from: String(backfill.from),
            next: String(backfill.next),
            until: String(backfill.until),
            events_left: Number(backfill.until - backfill.next),
          },
    stats: figuresOf(book, record),
  };
}

function figuresOf(book: RuleBook, record: RuleRecord): ShownRule["stats"] {
  const found = book.stats(record);
  if (found === null) return null;
  return {
    events: found.rows,
    too_late: found.tooLate,
    dropped: found.dropped,
    overflowed: found.overflowed,
    open_windows: found.openWindows,
    open_groups: found.openGroups,
    final_windows: found.finalWindows,
    memory_bytes: found.memoryBytes,
    busy_ms: found.busyMs,
    batches: found.batches,
    subscribers: found.watchers,
  };
}
