import type { Measure, Partial } from "../aggregate/measure.ts";
import { Partials } from "../aggregate/partials.ts";
import type { Value } from "../result.ts";
import { JsonText } from "../result.ts";
import type { GroupIds } from "./group-keys.ts";

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
  readonly #domains: readonly Domain[];
  /** For the second key on: index of a combination, by that of the keys before and of this one. */
  readonly #combined: readonly Map<number, number>[];
  /** By key: the index of the value of each group. */
  readonly #indexes: readonly number[][];
  /** By measure: each group's partial. */
  readonly #partials: readonly Partials[];
  #count = 0;

  constructor(keyCount: number, measures: readonly Measure[]) {
    this.#domains = Array.from({ length: keyCount }, () => new Domain());
    this.#combined = Array.from({ length: keyCount - 1 }, () => new Map());
    this.#indexes = this.#domains.map(() => []);
    this.#partials = measures.map((measure) => new Partials(measure));
  }

  get count(): number {
    return this.#count;
  }

  partials(measure: number): Partials {
    return this.#partials[measure] as Partials;
  }

  /** The groups of the ids `used` of one segment, in that order. */
  enter(ids: GroupIds, used: Uint32Array): Uint32Array {
    const groups = new Uint32Array(used.length);
    if (ids.keys.length === 1) {
      // With one key the groups are its values, and each id occurs once.
      const [key, domain] = [ids.keys[0], this.#domains[0] as Domain];
      for (let i = 0; i < used.length; i++) {
        const index = domain.index(key?.value(used[i] as number) ?? null);
        groups[i] = this.#group(index, [index]);
      }
      return groups;
    }
    const known = ids.keys.map(() => new Map<number, number>());
    for (let i = 0; i < used.length; i++) {
      const indexes = ids.split(used[i] as number).map((local, k) => {
        const map = known[k] as Map<number, number>;
        let index = map.get(local);
        if (index === undefined) {
          index = (this.#domains[k] as Domain).index(ids.keys[k]?.value(local) ?? null);
          map.set(local, index);
        }
        return index;
      });
      groups[i] = this.#group(this.#combine(indexes), indexes);
    }
    return groups;
  }

  /** One number for the combination; they are given out in order. */
  #combine(indexes: readonly number[]): number {
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
    return combined;
  }

  /** A group's number is that of its combination of keys. */
  #group(combined: number, indexes: readonly number[]): number {
    if (combined === this.#count) {
      this.#count++;
      for (let k = 0; k < indexes.length; k++) {
        (this.#indexes[k] as number[]).push(indexes[k] as number);
      }
      for (const partials of this.#partials) partials.add();
    }
    return combined;
  }

  list(): Group[] {
    return Array.from({ length: this.#count }, (_, group) => ({
      keys: this.#indexes.map((list, k) =>
        (this.#domains[k] as Domain).value(list[group] as number),
      ),
      partials: this.#partials.map((partials) => partials.at(group)),
    }));
  }
}
