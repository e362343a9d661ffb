// Rows of a chunk by their pane, and what is written for the groups of a pane. Selections are as in
// assembly/filter/selection.ts; a row list has `count` u32, ascending.

/**
 * stamps[g] = before + r + 1, a u64 a group, where r is the last row of g among `count` rows; `groupCount` groups
 * there are. `rows` ascend and come after all rows that were stamped. From the last row on, so that few rows are
 * looked at where every group has some.
 */
export function paneStamp(
  rows: usize, groups: usize, count: u32, before: u64, stamps: usize, groupCount: u32,
): void {
  if (!count) return;
  const older = before + load<u32>(rows);
  for (let i = <usize>count << 2, left = groupCount; i > 0 && left > 0; ) {
    i -= 4;
    const stamp = stamps + (<usize>load<u32>(groups + i) << 3);
    if (load<u64>(stamp) > older) continue;
    store<u64>(stamp, before + load<u32>(rows + i) + 1);
    left--;
  }
}

/** The first row that is selected, or -1. */
export function selectionFirst(mask: usize, words: u32): i32 {
  for (let w: u32 = 0; w < words; w++) {
    const bits = load<u64>(mask + (<usize>w << 3));
    if (bits) return <i32>((w << 6) + <u32>ctz<u64>(bits));
  }
  return -1;
}

/** The last row that is selected, or -1. */
export function selectionLast(mask: usize, words: u32): i32 {
  for (let w = words; w > 0; w--) {
    const bits = load<u64>(mask + (<usize>(w - 1) << 3));
    if (bits) return <i32>((w << 6) - 1 - <u32>clz<u64>(bits));
  }
  return -1;
}

/** out = the rows [from, to) of `mask`; answers how many. `out` may be `mask`. */
export function selectionPart(mask: usize, words: u32, from: u32, to: u32, out: usize): u32 {
  let count: u64 = 0;
  for (let w: u32 = 0; w < words; w++) {
    const first = w << 6;
    let bits = load<u64>(mask + (<usize>w << 3));
    if (first + 64 <= from || first >= to) bits = 0;
    else {
      if (first < from) bits &= u64.MAX_VALUE << (from - first);
      if (first + 64 > to) bits &= u64.MAX_VALUE >> (first + 64 - to);
    }
    store<u64>(out + (<usize>w << 3), bits);
    count += popcnt<u64>(bits);
  }
  return <u32>count;
}

/** A selection of the listed rows. */
export function selectionOf(rows: usize, count: u32, words: u32, out: usize): void {
  memory.fill(out, 0, <usize>words << 3);
  for (let i: usize = 0, end = <usize>count << 2; i < end; i += 4) {
    const row = load<u32>(rows + i);
    const word = out + (<usize>(row >> 6) << 3);
    store<u64>(word, load<u64>(word) | ((<u64>1) << (row & 63)));
  }
}

/**
 * Parts rows by their groups: those below `limit` go to `keptRows` and `keptGroups`, the others to `restRows`. Answers
 * how many are kept. Each has room for `count` u32.
 */
export function groupsBelow(
  rows: usize, groups: usize, count: u32, limit: u32, keptRows: usize, keptGroups: usize, restRows: usize,
): u32 {
  let kept: usize = 0;
  let rest: usize = 0;
  for (let i: usize = 0, end = <usize>count << 2; i < end; i += 4) {
    const row = load<u32>(rows + i);
    const group = load<u32>(groups + i);
    if (group < limit) {
      store<u32>(keptRows + kept, row);
      store<u32>(keptGroups + kept, group);
      kept += 4;
    } else {
      store<u32>(restRows + rest, row);
      rest += 4;
    }
  }
  return <u32>(kept >> 2);
}

/** Empties the slots of a group table that stand for entries from `limit` on; the table is hashed again afterwards. */
export function slotsBelow(slots: usize, count: u32, limit: u32): void {
  for (let end = slots + (<usize>count << 3); slots < end; slots += 8) {
    if (load<u32>(slots) > limit) store<u64>(slots, 0);
  }
}
