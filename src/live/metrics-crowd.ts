/** Who is fed by a channel. */
export interface Fed {
  /** More has come: sends what there is up to the channel's `until`. */
  advance(): void;
}

/** Those who are fed together, and those who are about to be. */
export class Crowd {
  readonly #members = new Set<Fed>();
  readonly #empty: () => void;
  #holds = 0;

  /** `empty` is called when nobody is left. */
  constructor(empty: () => void) {
    this.#empty = empty;
  }

  /** Somebody will join, or not: until `release` it is not empty. */
  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
    this.#check();
  }

  join(member: Fed): void {
    this.#members.add(member);
  }

  leave(member: Fed): void {
    if (this.#members.delete(member)) this.#check();
  }

  /** Lets everyone have what has come. */
  advance(): void {
    for (const one of this.#members) one.advance();
  }

  #check(): void {
    if (this.#members.size === 0 && this.#holds === 0) this.#empty();
  }
}
