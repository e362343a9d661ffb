import type { GroupIds } from "./group-keys.ts";
import type { Measure, Partial } from "./measure.ts";
import { emptyPartial } from "./measure.ts";
import type { Value } from "./result.ts";
import { JsonText } from "./result.ts";

export interface Group {
  readonly keys: readonly Value[];
  readonly partials: readonly Partial[];
}

/** The distinct values of one key over all segments. */
class Domain {
  readonly #values: Value[] = [];
  readonly #indexes = new Map<unknown, number>();
  /** Texts of JSON cells are not equal to strings. */
  readonly #json = new Map<string, number>();

  index(value: Value): number {
    const [map, key]: [Map<unknown, number>, unknown] =
      value instanceof JsonText ? [this.#json, value.text] : [this.#indexes, value];
    let index = map.get(key);
    if (index === undefined) {
      index = this.#values.length;
      this.#values.push(value);
      map.set(key, index);
    }
    return index;
  }

  value(index: number): Value {
    return this.#values[index] ?? null;
  }
}

/** Indexes fit 26 bits (see resultGroupsMax), so that two of them make one exact number. */
const pair = 2 ** 26;

/** Groups of all segments by the values of their keys; a key's values are hashed once a segment, not once a group. */
export class Groups {
  readonly #measures: readonly Measure[];
  readonly #domains: readonly Domain[];
  /** For the second key on: index of a combination, by that of the keys before and of this one. */
  readonly #combined: readonly Map<number, number>[];
  readonly #groups: { indexes: number[]; partials: Partial[] }[] = [];
  /** By the index of the whole combination. */
  readonly #byIndex: number[] = [];

  constructor(keyCount: number, measures: readonly Measure[]) {
    this.#measures = measures;
    this.#domains = Array.from({ length: keyCount }, () => new Domain());
    this.#combined = Array.from({ length: keyCount - 1 }, () => new Map());
  }

  get count(): number {
    return this.#groups.length;
  }

  /** The groups of the ids `used` of one segment, in that order. */
  enter(ids: GroupIds, used: readonly number[]): { partials: readonly Partial[] }[] {
    const known = ids.keys.map(() => new Map<number, number>());
    return used.map((id) => {
      const indexes = ids.split(id).map((local, k) => {
        const map = known[k] as Map<number, number>;
        let index = map.get(local);
        if (index === undefined) {
          index = (this.#domains[k] as Domain).index(ids.keys[k]?.value(local) ?? null);
          map.set(local, index);
        }
        return index;
      });
      return this.#group(indexes);
    });
  }

  #group(indexes: number[]): { partials: readonly Partial[] } {
    let combined = indexes[0] as number;
    for (let k = 1; k < indexes.length; k++) {
      const map = this.#combined[k - 1] as Map<number, number>;
      const key = combined * pair + (indexes[k] as number);
      const index = map.get(key);
      if (index === undefined) {
        combined = map.size;
        map.set(key, combined);
      } else combined = index;
    }
    let at = this.#byIndex[combined];
    if (at === undefined) {
      at = this.#groups.length;
      this.#byIndex[combined] = at;
      this.#groups.push({ indexes, partials: this.#measures.map(emptyPartial) });
    }
    return this.#groups[at] as { partials: readonly Partial[] };
  }

  list(): Group[] {
    return this.#groups.map(({ indexes, partials }) => ({
      keys: indexes.map((index, k) => (this.#domains[k] as Domain).value(index)),
      partials,
    }));
  }
}
