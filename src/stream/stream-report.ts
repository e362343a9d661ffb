import type { Backfills } from "./backfill.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { Follower } from "./follower.ts";
import type { SourceTime, StreamStats } from "./messages.ts";
import type { RuleSet } from "./rule-set.ts";
import type { StreamParts } from "./stream-parts.ts";
import { noWatermark } from "./timed-chunk.ts";

const INTERVAL_MS = 250;
const SOURCES_MAX = 100;
/** The same is not said again for so long. */
const SILENCE_MS = 60_000;

/** Figures and warnings of the stream thread. */
export class StreamReport {
  readonly #parts: StreamParts;
  #reportedMs = Number.NEGATIVE_INFINITY;
  readonly #warnedMs = new Map<string, number>();
  readonly #futureRows = new Map<string, number>();
  readonly #dropped = new Map<number, number>();
  readonly #overflowed = new Map<number, number>();

  constructor(parts: StreamParts) {
    this.#parts = parts;
  }

  dueInMs(): number {
    return Math.max(0, this.#reportedMs + INTERVAL_MS - this.#parts.clock.monotonicMs());
  }

  /** Says something, if it was not said within the last minute. */
  warn(key: string, message: string): void {
    const now = this.#parts.clock.monotonicMs();
    if (now - (this.#warnedMs.get(key) ?? Number.NEGATIVE_INFINITY) < SILENCE_MS) return;
    if (this.#warnedMs.size > 10_000) this.#warnedMs.clear();
    this.#warnedMs.set(key, now);
    this.#parts.emit({ type: "warning", message });
  }

  gone(from: bigint, to: bigint): void {
    this.warn("gone", `events ${from} to ${to - 1n} were dropped before rules took them`);
  }

  send(live: Follower, rules: RuleSet, backfills: Backfills, checkpoints: Checkpoints): void {
    this.#reportedMs = this.#parts.clock.monotonicMs();
    const stats = this.stats(live, rules, backfills, checkpoints);
    this.#warnSources(stats.sources);
    this.#warnRules(stats);
    this.#parts.emit({ type: "stats", stats });
  }

  stats(
    live: Follower,
    rules: RuleSet,
    backfills: Backfills,
    checkpoints: Checkpoints,
  ): StreamStats {
    const watermarkUs = live.time.watermarkUs();
    const rowsLeft = (number: number): number => {
      const behind = backfills.of(number);
      return behind === null ? 0 : Number(live.next - behind.follower.next);
    };
    return {
      next: String(live.next),
      checkpoint: String(checkpoints.reflected),
      checkpoints: checkpoints.count,
      checkpointMs: checkpoints.ms,
      checkpointBytes: checkpoints.bytes,
      watermarkUs: watermarkUs === noWatermark ? null : watermarkUs,
      sources: live.time.sources(SOURCES_MAX),
      sourceCount: live.time.sourceCount,
      rules: [...rules.values()].map((rule) => rule.stats(rowsLeft(rule.rule.number))),
      memoryBytes: this.#parts.memoryBytes(),
      memoryMax: this.#parts.settings.memoryMax,
    };
  }

  #warnSources(sources: readonly SourceTime[]): void {
    for (const { source, futureRows } of sources) {
      const key = source === null ? "-" : `+${source}`;
      const before = this.#futureRows.get(key) ?? 0;
      if (futureRows <= before) continue;
      this.#futureRows.set(key, futureRows);
      const who = source === null ? "events without a source" : `source ${JSON.stringify(source)}`;
      this.warn(
        `ahead ${key}`,
        `${who}: the clock is ahead; ${futureRows} events lie beyond --max-skew, which advance no watermark`,
      );
    }
  }

  #warnRules({ rules }: StreamStats): void {
    for (const { rule, name, version, dropped, overflowed } of rules) {
      const who = `rule ${JSON.stringify(name)} (version ${version})`;
      if (dropped > (this.#dropped.get(rule) ?? 0)) {
        this.warn(
          `dropped ${rule}`,
          `${who} has as many open windows as it may have: ${dropped} events are in none; they are stored`,
        );
      }
      if (overflowed > (this.#overflowed.get(rule) ?? 0)) {
        this.warn(
          `overflowed ${rule}`,
          `${who} has windows with as many groups as it may have: ${overflowed} events are in the group "other"`,
        );
      }
      this.#dropped.set(rule, dropped);
      this.#overflowed.set(rule, overflowed);
    }
  }
}
