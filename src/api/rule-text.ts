import { formatDuration } from "../query/duration.ts";
import type { Interval } from "../query/expression/expression.ts";
import { formatTime } from "../query/time.ts";
import type { WindowShape } from "../stream/rule.ts";
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
  readonly window: ShownWindow;
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

/** The kind of windows, however the rule was written; spans are text: `1m`, `3 months`. */
export interface ShownWindow {
  readonly type: "tumbling" | "hopping" | "session";
  readonly size?: string;
  readonly slide?: string;
  readonly gap?: string;
  /** Left out for UTC. */
  readonly time_zone?: string;
}

export function shownWindow(window: WindowShape): ShownWindow {
  if (window.kind === "session") return { type: "session", gap: formatDuration(window.gapUs) };
  const zone = window.zone === "UTC" ? {} : { time_zone: window.zone };
  const size = spanText(window.size);
  if (window.kind === "tumbling") return { type: "tumbling", size, ...zone };
  return { type: "hopping", size, slide: spanText(window.slide), ...zone };
}

/** A span is of one unit: of the calendar, or of time. */
function spanText({ months, days, us }: Interval): string {
  const [count, unit] = months !== 0 ? [months, "month"] : [days, "day"];
  return count === 0 ? formatDuration(us) : `${count} ${unit}${count === 1 ? "" : "s"}`;
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
    window: shownWindow(rule.window),
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
