import { unpackFailure } from "../engine/failure.ts";
import { OverloadError } from "../errors.ts";
import type {
  FromStream,
  RollupQuestion,
  RollupReply,
  StreamAnswer,
  StreamRequest,
  StreamStats,
  ToStream,
  WatchRequest,
  WindowsAnswer,
  WindowsRequest,
} from "./messages.ts";
import type { RuleRecord } from "./rule-record.ts";
import type { Streams, Watch, WatchUpdate } from "./streams.ts";
import type { Recomputed } from "./window-row.ts";

type AnswerOf<T extends StreamRequest["type"]> = Extract<StreamAnswer, { type: T }>;

interface Waiting {
  /** Takes the answer in the turn in which it comes. */
  take(answer: StreamAnswer): void;
  fail(error: Error): void;
}

interface Watcher {
  readonly listener: (update: WatchUpdate) => void;
  /** Updates that came before its snapshot was handed over; null: it is told at once. */
  held: WatchUpdate[] | null;
  closed: boolean;
}

/** Who watches a rule. The stream thread sends its updates once, whatever their number. */
interface WatchedRule {
  readonly watchers: Set<Watcher>;
  /** Requests for snapshots that are not answered yet. */
  opening: number;
}

/** The stream thread as the HTTP thread sees it: requests by id, watches by rule. */
export class StreamClient implements Streams {
  readonly #post: (message: ToStream) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watched = new Map<number, WatchedRule>();
  readonly #listeners = new Set<() => void>();
  readonly #rules = new Map<number, RuleRecord>();
  /** What was last said of a rule: how far it is, which who changes it can't know. It may come before the answer. */
  readonly #told = new Map<number, RuleRecord>();
  /** Rules that are being changed, once for each change: nobody sees half of one. */
  readonly #changing: number[] = [];
  #sorted: readonly RuleRecord[] | null = null;
  #requestId = 0;
  #nextNumber = 1;
  #stats: StreamStats | null = null;
  #failure: Error | null = null;

  constructor(post: (message: ToStream) => void) {
    this.#post = post;
  }

  rules(): readonly RuleRecord[] {
    this.#sorted ??= [...this.#rules.values()].sort((a, b) => a.rule.number - b.rule.number);
    return this.#sorted;
  }

  onRules(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  takeNumber(): number {
    return this.#nextNumber++;
  }

  async change(put: readonly RuleRecord[], gone: readonly number[]): Promise<void> {
    const numbers = put.map(({ rule }) => rule.number);
    for (const number of numbers) this.#told.delete(number);
    this.#changing.push(...numbers);
    const settle = (): void => {
      for (const number of numbers) this.#changing.splice(this.#changing.indexOf(number), 1);
    };
    const asked = this.#ask({ type: "rules", put, gone }, () => {
      settle();
      let changed = false;
      for (const record of put) {
        const { number } = record.rule;
        changed = this.#put(this.#told.get(number) ?? record) || changed;
        this.#told.delete(number);
      }
      for (const number of gone) {
        this.#told.delete(number);
        changed = this.#rules.delete(number) || changed;
      }
      if (changed) this.#changed();
    });
    try {
      await asked;
    } catch (error) {
      settle();
      // What was said meanwhile holds all the same.
      const said = numbers.flatMap((number) => this.#told.get(number) ?? []);
      const known = said.filter(({ rule }) => this.#rules.has(rule.number));
      for (const record of known) this.#put(record);
      if (known.length > 0) this.#changed();
      throw error;
    }
  }

  async windows(request: WindowsRequest): Promise<WindowsAnswer> {
    return (await this.#ask({ type: "windows", request })).answer;
  }

  async rollup(question: RollupQuestion): Promise<RollupReply> {
    const { result, part, why } = await this.#ask({ type: "rollup", question });
    return { result, part, why };
  }

  async recompute(rule: number, fromUs: bigint, toUs: bigint): Promise<Recomputed> {
    const { type: _, ...answer } = await this.#ask({ type: "recompute", rule, fromUs, toUs });
    return answer;
  }

  async watch(request: WatchRequest, listener: (update: WatchUpdate) => void): Promise<Watch> {
    const { rule } = request;
    const watched = this.#watched.get(rule) ?? { watchers: new Set(), opening: 0 };
    this.#watched.set(rule, watched);
    watched.opening++;
    const watcher: Watcher = { listener, held: [], closed: false };
    try {
      // Joins in the turn of the answer: the next message may be an update.
      const { rows, asOf, lost } = await this.#ask({ type: "watch", watch: request }, () => {
        watched.watchers.add(watcher);
      });
      // Who asked has the snapshot before the first update.
      setImmediate(() => release(watcher));
      return { snapshot: { rows, asOf }, lost, close: () => this.#leave(rule, watched, watcher) };
    } finally {
      watched.opening--;
      this.#rest(rule, watched);
    }
  }

  stats(): StreamStats | null {
    return this.#stats;
  }

  /** Takes what the stream thread says. */
  take(message: FromStream): void {
    switch (message.type) {
      case "ready":
        this.#rules.clear();
        for (const record of message.rules) this.#put(record);
        this.#nextNumber = Math.max(this.#nextNumber, message.nextNumber ?? 1);
        this.#changed();
        break;
      case "rule":
        this.#told.set(message.record.rule.number, message.record);
        // One that is gone meanwhile does not come back.
        if (!this.#rules.has(message.record.rule.number)) break;
        // The version that is replaced is told of before the one that takes its place is there.
        if (this.#changing.includes(message.record.rule.number)) break;
        this.#put(message.record);
        this.#changed();
        break;
      case "answer":
        this.#settle(message.id)?.take(message.answer);
        break;
      case "failed":
        this.#settle(message.id)?.fail(unpackFailure(message.failure));
        break;
      case "updates":
        this.#update(message.rule, { rows: message.rows, asOf: message.asOf });
        break;
      case "stats":
        this.#stats = message.stats;
    }
  }

  /** The stream thread answers nothing more. */
  end(error: Error = ended()): void {
    this.#failure = error;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) one.fail(error);
  }

  /** False: it serves one subscription and is not listed. */
  #put(record: RuleRecord): boolean {
    const { number } = record.rule;
    if (number >= this.#nextNumber) this.#nextNumber = number + 1;
    if (record.state === "passing") return false;
    this.#rules.set(number, record);
    return true;
  }

  #changed(): void {
    this.#sorted = null;
    for (const listener of [...this.#listeners]) listener();
  }

  /** `taken` is called with the answer in the turn in which it comes. */
  #ask<R extends StreamRequest>(
    request: R,
    taken: (answer: AnswerOf<R["type"]>) => void = () => {},
  ): Promise<AnswerOf<R["type"]>> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) throw this.#failure;
      const id = ++this.#requestId;
      const take = (answer: StreamAnswer): void => {
        if (answer.type !== request.type) {
          reject(new Error(`BUG: got an answer to ${answer.type}, want one to ${request.type}`));
          return;
        }
        taken(answer as AnswerOf<R["type"]>);
        resolve(answer as AnswerOf<R["type"]>);
      };
      this.#waiting.set(id, { take, fail: reject });
      this.#post({ type: "request", id, request });
    });
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #update(rule: number, update: WatchUpdate): void {
    // A listener may close its watch, or another one.
    for (const watcher of [...(this.#watched.get(rule)?.watchers ?? [])]) {
      if (watcher.held !== null) watcher.held.push(update);
      else if (!watcher.closed) watcher.listener(update);
    }
  }

  #leave(rule: number, watched: WatchedRule, watcher: Watcher): void {
    watcher.closed = true;
    if (watched.watchers.delete(watcher)) this.#rest(rule, watched);
  }

  /** Tells the stream thread once nobody watches the rule any more. */
  #rest(rule: number, watched: WatchedRule): void {
    if (watched.watchers.size + watched.opening > 0 || this.#watched.get(rule) !== watched) return;
    this.#watched.delete(rule);
    if (this.#failure === null) void this.#ask({ type: "unwatch", rule }).catch(() => {});
  }
}

function release(watcher: Watcher): void {
  const { held } = watcher;
  watcher.held = null;
  for (const update of held ?? []) if (!watcher.closed) watcher.listener(update);
}

function ended(): OverloadError {
  return new OverloadError("not_ready", "the engine is stopping", 1, 503);
}
