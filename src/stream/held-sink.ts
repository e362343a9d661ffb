import type { Rule } from "./rule.ts";
import type { RuleSink } from "./rule-state.ts";
import type { FinalWindow, TooLate } from "./window-row.ts";

/** Passes on what leaves a rule's windows; what comes after `hold` waits until it is known to stay. */
export class HeldSink implements RuleSink {
  readonly #sink: RuleSink;
  #held: (() => void)[] | null = null;

  constructor(sink: RuleSink) {
    this.#sink = sink;
  }

  final(rule: Rule, window: FinalWindow): void {
    this.#say(() => this.#sink.final(rule, window));
  }

  tooLate(rule: Rule, late: TooLate): void {
    this.#say(() => this.#sink.tooLate(rule, late));
  }

  #say(one: () => void): void {
    if (this.#held === null) one();
    else this.#held.push(one);
  }

  hold(): void {
    this.#held = [];
  }

  /** What waits is passed on, or forgotten. */
  release(stays: boolean): void {
    const held = this.#held ?? [];
    this.#held = null;
    if (stays) for (const one of held) one();
  }
}
