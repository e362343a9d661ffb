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
        const name = nameOf(values[key] ?? null);
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
      wanted.every(({ key, value }) => isSameValue(this.of(id)[key] ?? null, value)),
    );
  }
}

/**
 * Whether a value is one that was asked for. Parameters are text, whatever the group's type is: the text of a number is
 * as good as the number.
 */
export function isSameValue(value: Value, wanted: unknown): boolean {
  return nameOf(value) === nameOf(wanted);
}

function nameOf(value: unknown): string {
  if (value === null) return "\0";
  return value instanceof JsonText ? value.text : String(value);
}
