import type {
  RollupReply,
  StreamStats,
  WatchRequest,
  WindowsAnswer,
  WindowsRequest,
} from "../../src/stream/messages.ts";
import type { RuleRecord } from "../../src/stream/rule-record.ts";
import type { Streams, Watch, WatchUpdate } from "../../src/stream/streams.ts";
import type { FinalPlace, Recomputed } from "../../src/stream/window-row.ts";

/** Rules without windows, in memory: tests put in what is to be answered. */
export class FakeStreams implements Streams {
  readonly #rules = new Map<number, RuleRecord>();
  readonly #listeners = new Set<() => void>();
  readonly #watchers = new Map<number, Set<(update: WatchUpdate) => void>>();
  #next = 1;
  answer: WindowsAnswer = { rows: [], more: false, asOf: 1n, executionUs: 1 };
  snapshot: WatchUpdate = { rows: [], asOf: 1n };
  lost: FinalPlace | null = null;
  readonly asked: WindowsRequest[] = [];
  readonly watches: WatchRequest[] = [];
  figures: StreamStats | null = null;
  /** What the next request fails with. */
  failNext: Error | null = null;

  rules(): readonly RuleRecord[] {
    return [...this.#rules.values()].sort((a, b) => a.rule.number - b.rule.number);
  }

  onRules(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  takeNumber(): number {
    return this.#next++;
  }

  async change(put: readonly RuleRecord[], gone: readonly number[]): Promise<void> {
    this.#fail();
    for (const record of put) {
      this.#next = Math.max(this.#next, record.rule.number + 1);
      if (record.state !== "passing") this.#rules.set(record.rule.number, record);
    }
    for (const number of gone) this.#rules.delete(number);
    for (const listener of this.#listeners) listener();
  }

  async windows(request: WindowsRequest): Promise<WindowsAnswer> {
    this.#fail();
    this.asked.push(request);
    return this.answer;
  }

  async watch(request: WatchRequest, listener: (update: WatchUpdate) => void): Promise<Watch> {
    this.#fail();
    this.watches.push(request);
    const listeners = this.#watchers.get(request.rule) ?? new Set();
    this.#watchers.set(request.rule, listeners.add(listener));
    return {
      snapshot: this.snapshot,
      lost: this.lost,
      close: () => void listeners.delete(listener),
    };
  }

  /** Tells those who watch the rule. */
  update(rule: number, update: WatchUpdate): void {
    for (const listener of [...(this.#watchers.get(rule) ?? [])]) listener(update);
  }

  /** How many watch the rule. */
  watching(rule: number): number {
    return this.#watchers.get(rule)?.size ?? 0;
  }

  async rollup(): Promise<RollupReply> {
    this.#fail();
    return { result: null, part: null, why: "it has no windows" };
  }

  async recompute(): Promise<Recomputed> {
    this.#fail();
    return { windows: 0, folded: 0, kept: 0 };
  }

  stats(): StreamStats | null {
    return this.figures;
  }

  #fail(): void {
    const failure = this.failNext;
    this.failNext = null;
    if (failure !== null) throw failure;
  }
}
