// Which blocks a group has, as far as somebody has read them: looking for each in the table costs more than reading it.

/** Groups and blocks that are listed at most. */
const listedMax = 131_072;

interface BlockList {
  /** Of the group's blocks from this key on, all are listed. */
  readonly from: string;
  /** Keys as latin1 texts, ascending. */
  readonly texts: string[];
}

export class BlockLists {
  /** By the part of a key that says whose blocks these are; the one asked for longest ago first. */
  readonly #lists = new Map<string, BlockList>();
  readonly #max: number;
  #listed = 0;

  constructor(max = listedMax) {
    this.#max = max;
  }

  /** The keys `from` ≤ key < `to` of a group, ascending; undefined where that is not known. */
  within(group: string, from: string, to: string): readonly string[] | undefined {
    const list = this.#lists.get(group);
    if (list === undefined || from < list.from) return undefined;
    this.#lists.delete(group);
    this.#lists.set(group, list);
    const first = firstAt(list.texts, from);
    return list.texts.slice(first, firstAt(list.texts, to, first));
  }

  /** The last key with `from` ≤ key < `to`; null: there is none, undefined: that is not known. */
  last(group: string, from: string, to: string): string | null | undefined {
    const list = this.#lists.get(group);
    if (list === undefined) return undefined;
    const last = list.texts[firstAt(list.texts, to) - 1];
    if (last !== undefined && last >= from) return last;
    return list.from <= from ? null : undefined;
  }

  /** These are all blocks of a group from a key on. */
  set(group: string, from: string, texts: string[]): void {
    this.#forget(group);
    if (texts.length >= this.#max) return;
    this.#lists.set(group, { from, texts });
    this.#listed += 1 + texts.length;
    for (const oldest of this.#lists.keys()) {
      if (this.#listed <= this.#max) break;
      this.#forget(oldest);
    }
  }

  #forget(group: string): void {
    const list = this.#lists.get(group);
    if (list === undefined) return;
    this.#listed -= 1 + list.texts.length;
    this.#lists.delete(group);
  }

  /** There is such a block, which may be listed already. */
  add(group: string, text: string): void {
    const list = this.#lists.get(group);
    if (list === undefined || text < list.from) return;
    const at = firstAt(list.texts, text);
    if (list.texts[at] === text) return;
    list.texts.splice(at, 0, text);
    this.#listed++;
  }

  /** There is none any more. */
  remove(group: string, text: string): void {
    const list = this.#lists.get(group);
    if (list === undefined) return;
    const at = firstAt(list.texts, text);
    if (list.texts[at] !== text) return;
    list.texts.splice(at, 1);
    this.#listed--;
  }
}

/** Where the first of the texts is that is `text` or more, from `low` on. */
function firstAt(texts: readonly string[], text: string, low = 0): number {
  let high = texts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((texts[middle] as string) < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
