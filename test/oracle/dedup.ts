/** The plain twin of the dedup table: a map in insertion order, which forgets its oldest key beyond `capacity`. */
export class DedupOracle {
  readonly #capacity: number;
  readonly #ids = new Map<string, true>();
  evicted = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get held(): number {
    return this.#ids.size;
  }

  /** True when `id` is known; otherwise it is known from now on. */
  seen(id: string): boolean {
    if (this.#ids.has(id)) return true;
    if (this.#ids.size === this.#capacity) {
      this.#ids.delete(this.#ids.keys().next().value as string);
      this.evicted++;
    }
    this.#ids.set(id, true);
    return false;
  }
}
