import type { Clock } from "../base/clock.ts";
import type { StreamWrite } from "./messages.ts";

export interface CheckpointsParts {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Everything that has changed since it was last asked, and the sequence that it reflects. */
  collect(): { readonly writes: readonly StreamWrite[]; readonly reflected: bigint };
  commit(id: number, reflected: bigint, writes: readonly StreamWrite[]): void;
  /** What was collected last is on disk. */
  committed(): void;
}

/** Final windows that somebody waits for are committed after this long at the latest. */
const SOON_MS = 100;
/** Collecting takes at most one part of so many of the time. */
const SHARE = 10;

/** When checkpoints are made: one at a time, and as often as the interval and their cost allow. */
export class Checkpoints {
  count = 0;
  /** What the last one took on this thread, and its bytes. */
  ms = 0;
  bytes = 0;
  /** What the newest one on disk reflects. */
  reflected = 0n;
  readonly #parts: CheckpointsParts;
  #id = 0;
  #begunMs: number;
  #inFlight: { readonly id: number; readonly reflected: bigint } | null = null;
  #inFlightAnswers: (() => void)[] = [];
  /** To be called when the next one is on disk. */
  #answers: (() => void)[] = [];

  constructor(parts: CheckpointsParts) {
    this.#parts = parts;
    this.#begunMs = parts.clock.monotonicMs();
  }

  get isInFlight(): boolean {
    return this.#inFlight !== null;
  }

  /** Calls `answer` when everything that has happened until now is on disk. */
  after(answer: () => void): void {
    this.#answers.push(answer);
  }

  /** Milliseconds until the next one may be begun. `soon`: somebody waits for what is final. */
  dueInMs(soon: boolean): number {
    if (this.#inFlight !== null) return Number.POSITIVE_INFINITY;
    if (this.#answers.length > 0) return 0;
    const least = Math.max(soon ? SOON_MS : this.#parts.intervalMs, this.ms * SHARE);
    const wait = Math.min(least, Math.max(this.#parts.intervalMs, this.ms * SHARE));
    return Math.max(0, this.#begunMs + wait - this.#parts.clock.monotonicMs());
  }

  begin(): void {
    const { clock, collect, commit } = this.#parts;
    const startMs = clock.monotonicMs();
    const { writes, reflected } = collect();
    this.#begunMs = startMs;
    this.#inFlightAnswers = this.#answers;
    this.#answers = [];
    this.#inFlight = { id: ++this.#id, reflected };
    let bytes = 0;
    for (const { key, value } of writes) bytes += key.length + (value?.length ?? 0);
    this.bytes = bytes;
    commit(this.#id, reflected, writes);
    this.ms = clock.monotonicMs() - startMs;
  }

  committed(id: number): void {
    if (this.#inFlight?.id !== id) return;
    this.reflected = this.#inFlight.reflected;
    this.#inFlight = null;
    this.count++;
    this.#parts.committed();
    const answers = this.#inFlightAnswers;
    this.#inFlightAnswers = [];
    for (const answer of answers) answer();
  }
}
