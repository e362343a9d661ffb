// Sorting and choosing groups by their numbers.

import type { GroupTable } from "./group-table.ts";

export type Compare = (a: number, b: number) => number;

/**
 * The first `count` of `rows` in order, from a heap whose root is the last of those. `numbers`, by row, are what the
 * order goes by first: most rows are passed over by them alone.
 */
export function firstOf(
  rows: Uint32Array,
  count: number,
  compare: Compare,
  numbers?: Float64Array,
): Uint32Array {
  const heap = rows.slice(0, count);
  for (let i = (count >> 1) - 1; i >= 0; i--) siftDown(heap, i, compare);
  for (let i = count; i < rows.length; i++) {
    const row = rows[i] as number;
    if (numbers && (numbers[row] as number) > (numbers[heap[0] as number] as number)) continue;
    if (compare(row, heap[0] as number) < 0) {
      heap[0] = row;
      siftDown(heap, 0, compare);
    }
  }
  return heap.sort(compare);
}

function siftDown(heap: Uint32Array, at: number, compare: Compare): void {
  const row = heap[at] as number;
  for (let i = at; ; ) {
    let child = 2 * i + 1;
    if (child >= heap.length) {
      heap[i] = row;
      return;
    }
    const right = child + 1;
    if (right < heap.length && compare(heap[right] as number, heap[child] as number) > 0) {
      child = right;
    }
    if (compare(row, heap[child] as number) >= 0) {
      heap[i] = row;
      return;
    }
    heap[i] = heap[child] as number;
    i = child;
  }
}

/** The groups in the order of their keys; keys are ranked once, so that groups compare as numbers. */
export function byKeys(table: GroupTable, groups: Uint32Array): Uint32Array {
  const keys = table.keys.length;
  const ranks = table.keys.map((_, key) => table.ranks(key));
  const product = ranks.reduce((all, { length }) => all * length, 1);
  if (keys === 1) return groups.slice().sort(byRank(ranks[0] as Uint32Array));
  if (product * groups.length <= Number.MAX_SAFE_INTEGER) {
    const named = Float64Array.from(groups, (group, i) => {
      let name = 0;
      for (let key = 0; key < keys; key++) {
        const list = ranks[key] as Uint32Array;
        name = name * list.length + (list[table.index(group, key)] as number);
      }
      return name * groups.length + i;
    }).sort();
    return Uint32Array.from(named, (name) => groups[name % groups.length] as number);
  }
  return groups.slice().sort((a, b) => {
    for (let key = 0; key < keys; key++) {
      const list = ranks[key] as Uint32Array;
      const order = (list[table.index(a, key)] as number) - (list[table.index(b, key)] as number);
      if (order !== 0) return order;
    }
    return 0;
  });
}

function byRank(ranks: Uint32Array): Compare {
  return (a, b) => (ranks[a] as number) - (ranks[b] as number);
}
