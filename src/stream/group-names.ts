import { JsonText, type Value } from "../query/result.ts";
import { groupKeyValues } from "../query/run/fold-bytes.ts";
import type { GroupDirectory } from "../rollup/store.ts";

/** The values of a rule's groups by their numbers, and the groups by their values. */
export class GroupNames {
  readonly #directory: GroupDirectory;
  readonly #keys: number;
  readonly #values: (readonly Value[])[] = [[]];
  /** By key and value, the groups that have it. */
  readonly #groups: readonly Map<string, number[]>[];

  constructor(directory: GroupDirectory, keys: number) {
    this.#directory = directory;
    this.#keys = keys;
    this.#values[0] = new Array<Value>(keys).fill(null);
    this.#groups = Array.from({ length: keys }, () => new Map());
  }

  #enter(): void {
    for (let id = this.#values.length; id <= this.#directory.count; id++) {
      const values = groupKeyValues(this.#directory.keyOf(id));
      this.#values.push(values);
      for (let key = 0; key < this.#keys; key++) {
        const groups = this.#groups[key] as Map<string, number[]>;
        const name = nameOf(values[key]);
        const known = groups.get(name);
        if (known) known.push(id);
        else groups.set(name, [id]);
      }
    }
  }

  /** All NULL of `other`. */
  of(groupId: number): readonly Value[] {
    this.#enter();
    return this.#values[groupId] ?? (this.#values[0] as readonly Value[]);
  }

  /** The groups with all these values, ascending. */
  find(wanted: readonly { readonly key: number; readonly value: unknown }[]): readonly number[] {
    this.#enter();
    const lists = wanted.map(({ key, value }) => this.#groups[key]?.get(nameOf(value)) ?? []);
    lists.sort((a, b) => a.length - b.length);
    const [shortest = []] = lists;
    return shortest.filter((id) =>
      wanted.every(({ key, value }) => nameOf(this.of(id)[key]) === nameOf(value)),
    );
  }
}

/** Equal for equal values; a number and a bigint of the same integer are. */
function nameOf(value: unknown): string {
  if (value instanceof JsonText) return `j${value.text}`;
  if (typeof value === "string") return `s${value}`;
  if (typeof value === "number" || typeof value === "bigint") return `n${value}`;
  return String(value);
}
