// Sorting texts by their bytes.
//
// Multikey quicksort with eight bytes as a character (Bentley and Sedgewick, "Fast Algorithms for Sorting and
// Searching Strings", 1997; keys cached in the items). Pending ranges are kept in memory, not on the call stack,
// because texts may share very long prefixes.

// An item, 16 bytes: what is compared at the present depth, and whose text it is.
//   0 key u64: the next eight bytes, big-endian, zeros after the end │ 8 rest u32: bytes left, at most 9 │ 12 entry u32
export const ITEM_SIZE: u32 = 16;
const ITEM_REST: u32 = 8;
export const ITEM_ENTRY: u32 = 12;
const MORE: u32 = 9; // the text goes on after the key
const RANGE_SIZE: u32 = 12; // begin u32 │ end u32 │ depth u32
const INSERTION_MAX: u32 = 12;

@inline
function reversed(word: u64): u64 {
  return bswap<u64>(word);
}

/** Loads the key of an item at `depth` bytes into its text. */
@inline
function loadKey(item: usize, entries: usize, depth: u32): void {
  const entry = entries + ((<usize>load<u32>(item, ITEM_ENTRY)) << 3);
  const length = load<u32>(entry, 4);
  const rest = length > depth ? length - depth : 0;
  let key: u64 = 0;
  if (rest != 0) {
    key = reversed(load<u64>(load<u32>(entry) + depth));
    if (rest < 8) key &= ~(u64.MAX_VALUE >> <u64>(rest << 3));
  }
  store<u64>(item, key);
  store<u32>(item, min<u32>(rest, MORE), ITEM_REST);
}

/** Of two items with the same key the shorter comes first: its text is a prefix of the other. */
@inline
function precedes(key: u64, rest: u32, otherKey: u64, otherRest: u32): bool {
  return key < otherKey || (key == otherKey && rest < otherRest);
}

/** Compares two texts from `from` on: negative, 0 or positive. Over-reads up to 8 bytes. */
export function compareTexts(a: usize, aLength: u32, b: usize, bLength: u32, from: u32): i32 {
  const shared = min(aLength, bLength);
  for (let at = from; at < shared; at += 8) {
    let left = reversed(load<u64>(a + at));
    let right = reversed(load<u64>(b + at));
    if (at + 8 > shared) {
      const beyond = u64.MAX_VALUE >> <u64>((shared - at) << 3);
      left &= ~beyond;
      right &= ~beyond;
    }
    if (left != right) return left < right ? -1 : 1;
  }
  return aLength < bLength ? -1 : aLength > bLength ? 1 : 0;
}

function itemPrecedes(a: usize, b: usize, entries: usize, depth: u32): bool {
  const key = load<u64>(a);
  const otherKey = load<u64>(b);
  if (key != otherKey) return key < otherKey;
  const rest = load<u32>(a, ITEM_REST);
  const otherRest = load<u32>(b, ITEM_REST);
  if (rest != MORE || otherRest != MORE) return rest < otherRest;
  const left = entries + ((<usize>load<u32>(a, ITEM_ENTRY)) << 3);
  const right = entries + ((<usize>load<u32>(b, ITEM_ENTRY)) << 3);
  return (
    compareTexts(
      load<u32>(left),
      load<u32>(left, 4),
      load<u32>(right),
      load<u32>(right, 4),
      depth + 8,
    ) < 0
  );
}

function insertionSort(items: usize, begin: u32, end: u32, entries: usize, depth: u32): void {
  const first = items + ((<usize>begin) << 4);
  const last = items + ((<usize>end) << 4);
  for (let at = first + ITEM_SIZE; at < last; at += ITEM_SIZE) {
    let hole = at;
    while (hole > first && itemPrecedes(hole, hole - ITEM_SIZE, entries, depth)) {
      swap(hole, hole - ITEM_SIZE);
      hole -= ITEM_SIZE;
    }
  }
}

@inline
function swap(a: usize, b: usize): void {
  const item = v128.load(a);
  v128.store(a, v128.load(b));
  v128.store(b, item);
}

/**
 * Sorts `count` items, whose entry numbers are set, by the bytes of their texts. `entries` is an array of
 * { address u32, length u32 }.
 *
 * Memory: `ranges` has room for count / 2 + 2 ranges of 12 bytes; pending ranges are disjoint and hold two
 * items or more. Time: n log n on average for any order of the input, as pivots are drawn at random.
 */
export function sortTexts(items: usize, count: u32, entries: usize, ranges: usize): void {
  for (let i: usize = 0; i < count; i++) loadKey(items + (i << 4), entries, 0);
  let top = push(ranges, 0, count, 0);
  let random: u64 = 0x2545f4914f6cdd1d;
  while (top > ranges) {
    top -= RANGE_SIZE;
    const begin = load<u32>(top);
    const end = load<u32>(top, 4);
    const depth = load<u32>(top, 8);
    if (end - begin <= INSERTION_MAX) {
      insertionSort(items, begin, end, entries, depth);
      continue;
    }
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    const pivot = items + ((<usize>(begin + <u32>((random >> 32) % <u64>(end - begin)))) << 4);
    top = partition(
      items,
      begin,
      end,
      depth,
      load<u64>(pivot),
      load<u32>(pivot, ITEM_REST),
      entries,
      top,
    );
  }
}

@inline
function push(top: usize, begin: u32, end: u32, depth: u32): usize {
  if (end - begin < 2) return top;
  store<u32>(top, begin);
  store<u32>(top, end, 4);
  store<u32>(top, depth, 8);
  return top + RANGE_SIZE;
}

/** Splits a range into less, equal and greater than the pivot and pushes what is left to sort. */
function partition(
  items: usize,
  begin: u32,
  end: u32,
  depth: u32,
  key: u64,
  rest: u32,
  entries: usize,
  top: usize,
): usize {
  let less = items + ((<usize>begin) << 4);
  let at = less;
  let greater = items + ((<usize>end) << 4);
  while (at < greater) {
    const itemKey = load<u64>(at);
    const itemRest = load<u32>(at, ITEM_REST);
    if (precedes(itemKey, itemRest, key, rest)) {
      swap(at, less);
      less += ITEM_SIZE;
      at += ITEM_SIZE;
    } else if (itemKey == key && itemRest == rest) {
      at += ITEM_SIZE;
    } else {
      greater -= ITEM_SIZE;
      swap(at, greater);
    }
  }
  const equalBegin = <u32>((less - items) >> 4);
  const equalEnd = <u32>((greater - items) >> 4);
  top = push(top, begin, equalBegin, depth);
  top = push(top, equalEnd, end, depth);
  // Equal items that have ended are the same text: nothing is left to sort.
  if (rest != MORE) return top;
  for (; less < greater; less += ITEM_SIZE) loadKey(less, entries, depth + 8);
  return push(top, equalBegin, equalEnd, depth + 8);
}

/** Bytes that two texts share at their beginning. Over-reads up to 8 bytes. */
export function sharedPrefix(a: usize, aLength: u32, b: usize, bLength: u32): u32 {
  const shared = min(aLength, bLength);
  for (let at: u32 = 0; at < shared; at += 8) {
    const differing = load<u64>(a + at) ^ load<u64>(b + at);
    if (differing != 0) return min<u32>(shared, at + (<u32>ctz(differing) >> 3));
  }
  return shared;
}
