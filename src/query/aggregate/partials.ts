import type { Measure, Partial } from "./measure.ts";
import { emptyPartial } from "./measure.ts";

/** The partials of one measure by group. Counts are bare numbers: there may be a million groups. */
export class Partials {
  readonly #measure: Measure;
  readonly #counts: number[] = [];
  readonly #others: Partial[] = [];
  readonly #counting: boolean;

  constructor(measure: Measure) {
    this.#measure = measure;
    this.#counting = measure.kind === "rows" || measure.kind === "count";
  }

  /** One more group. */
  add(): void {
    if (this.#counting) this.#counts.push(0);
    else this.#others.push(emptyPartial(this.#measure));
  }

  /** Of a measure that counts. */
  increase(group: number, count: number): void {
    this.#counts[group] = (this.#counts[group] as number) + count;
  }

  at(group: number): Partial {
    return this.#counting
      ? { count: this.#counts[group] as number }
      : (this.#others[group] as Partial);
  }
}
