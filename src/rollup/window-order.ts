// Windows of many groups in the order of time, from lists by group, of which only as much is read as is taken.

import type { StoredGroup } from "./store.ts";

/** By start (the newest first when descending), then end, then group; each list is in that order already. */
export function* mergeGroups(
  lists: readonly Iterable<StoredGroup>[],
  descending: boolean,
): Generator<StoredGroup> {
  const sign = descending ? -1 : 1;
  const isBefore = (a: Head, b: Head) => compare(a.value, b.value, sign) < 0;
  const heads: Head[] = [];
  for (const list of lists) {
    const rest = list[Symbol.iterator]();
    const { value, done } = rest.next();
    if (done) continue;
    heads.push({ value, rest });
    rise(heads, isBefore);
  }
  while (heads.length > 0) {
    const first = heads[0] as Head;
    yield first.value;
    const { value, done } = first.rest.next();
    if (!done) first.value = value;
    else {
      const last = heads.pop() as Head;
      if (heads.length > 0) heads[0] = last;
    }
    sink(heads, isBefore);
  }
}

interface Head {
  value: StoredGroup;
  readonly rest: Iterator<StoredGroup>;
}

function compare(a: StoredGroup, b: StoredGroup, sign: number): number {
  if (a.startUs !== b.startUs) return a.startUs < b.startUs ? -sign : sign;
  if (a.endUs !== b.endUs) return a.endUs < b.endUs ? -sign : sign;
  return a.groupId - b.groupId;
}

/** Moves the last of a heap to where it belongs. */
function rise(heap: Head[], isBefore: (a: Head, b: Head) => boolean): void {
  for (let at = heap.length - 1; at > 0; ) {
    const up = (at - 1) >> 1;
    if (!isBefore(heap[at] as Head, heap[up] as Head)) return;
    [heap[at], heap[up]] = [heap[up] as Head, heap[at] as Head];
    at = up;
  }
}

/** Moves the first of a heap to where it belongs. */
function sink(heap: Head[], isBefore: (a: Head, b: Head) => boolean): void {
  for (let at = 0; ; ) {
    let least = at;
    for (const down of [at * 2 + 1, at * 2 + 2]) {
      if (down < heap.length && isBefore(heap[down] as Head, heap[least] as Head)) least = down;
    }
    if (least === at) return;
    [heap[at], heap[least]] = [heap[least] as Head, heap[at] as Head];
    at = least;
  }
}
