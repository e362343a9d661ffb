// Open sessions by their ends, the earliest first: a binary heap whose keys may be too early, as ends only grow. A key
// is made right when it comes first.

export class SessionEnds {
  /** End of a session; null when it is none any more. */
  readonly #endOf: (slot: number) => bigint | null;
  #keys = new BigInt64Array(64);
  #slots = new Uint32Array(64);
  #count = 0;

  constructor(endOf: (slot: number) => bigint | null) {
    this.#endOf = endOf;
  }

  push(slot: number, endUs: bigint): void {
    if (this.#count === this.#keys.length) {
      const keys = new BigInt64Array(this.#count * 2);
      const slots = new Uint32Array(this.#count * 2);
      keys.set(this.#keys);
      slots.set(this.#slots);
      this.#keys = keys;
      this.#slots = slots;
    }
    this.#rise(this.#count++, slot, endUs);
  }

  /** The session that ends first, the one with the smaller slot of two that end together; -1: there is none. */
  first(): number {
    while (this.#count > 0) {
      const slot = this.#slots[0] as number;
      const end = this.#endOf(slot);
      if (end === this.#keys[0]) return slot;
      if (end === null) this.shift();
      else this.#sink(slot, end);
    }
    return -1;
  }

  /** Takes the first out. */
  shift(): void {
    const last = --this.#count;
    if (last > 0) this.#sink(this.#slots[last] as number, this.#keys[last] as bigint);
  }

  #before(slot: number, key: bigint, at: number): boolean {
    const other = this.#keys[at] as bigint;
    return key < other || (key === other && slot < (this.#slots[at] as number));
  }

  #rise(from: number, slot: number, key: bigint): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!this.#before(slot, key, parent)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#keys[at] = key;
    this.#slots[at] = slot;
  }

  /** Puts a session in the place of the first. */
  #sink(slot: number, key: bigint): void {
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= this.#count) break;
      const right = child + 1;
      if (right < this.#count) {
        if (this.#before(this.#slots[right] as number, this.#keys[right] as bigint, child))
          child = right;
      }
      if (this.#before(slot, key, child)) break;
      this.#move(child, at);
      at = child;
    }
    this.#keys[at] = key;
    this.#slots[at] = slot;
  }

  #move(from: number, to: number): void {
    this.#keys[to] = this.#keys[from] as bigint;
    this.#slots[to] = this.#slots[from] as number;
  }
}
