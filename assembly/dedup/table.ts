import { mix64 } from "../memory/hash";
import { OUT_OF_MEMORY, OK } from "../status";
import { REGION_DEDUP, ROOT_REGIONS } from "../layout";

// The ids that were seen, exact over the newest `capacity` of them. The engine thread alone reads
// and writes it.
//
//   0    magic 'MRD1' u32 │ 4 capacity u32 │ 8 slot mask u32 (slots - 1) │ 12 held u32
//   16   next u32: ring position of the next id, and of the oldest once the ring is full │ 20 zero
//   24   evicted u64 │ 32 seed 0 u64 │ 40 seed 1 u64 │ 48 ring u32 (address) │ 56 a sink u64
//   64   candidates of one block: DEDUP_BLOCK × { row u32, hash u32 }
//   576  table: slots × { ring position + 1 u32, hash u32 }, all zero where empty
//   …    ring: capacity × 16 bytes, the ids in the order in which they came
//
// The table is open addressing with linear probing, at most half full; an id is deleted by moving
// back those that were displaced past it, so there are no graves. The hash kept beside the position
// gives a slot's home without a look at its id: an insertion or an eviction costs one cache miss in
// the table, and the ring is read and written in order. Eight slots lie in a cache line. Seeds are
// random: nobody outside can choose ids that share a home.

const MAGIC: u32 = 0x3144524d;
const CAPACITY: usize = 4;
const MASK: usize = 8;
const HELD: usize = 12;
const NEXT: usize = 16;
const EVICTED: usize = 24;
const SEED_0: usize = 32;
const SEED_1: usize = 40;
const RING: usize = 48;
const TOUCHED: usize = 56;
const CANDIDATES: usize = 64;
const TABLE: usize = 576;
const DEDUP_BLOCK: u32 = 32;
/**
 * Slots after an id's home that are fetched with it: a run of full ones often goes on in the next
 * cache line.
 */
const REACH: u32 = 3;

@inline
function header(): usize {
  return load<u32>(ROOT_REGIONS + REGION_DEDUP * 8);
}

/** Slots for `capacity` ids: the power of two that keeps the load at or below a half. */
function slotsFor(capacity: u32): u32 {
  return capacity <= 1 ? 2 : <u32>1 << (33 - clz<u32>(capacity - 1));
}

/**
 * Empties the region for `capacity` ids (1 to 2^27). OUT_OF_MEMORY when the region is too small for
 * them. Fresh memory is zero and is not touched, so that its pages are backed only as ids arrive.
 */
export function dedupFormat(capacity: u32, seed0: u64, seed1: u64): u32 {
  const base = header();
  if (capacity == 0 || capacity > 1 << 27) return OUT_OF_MEMORY;
  const slots = slotsFor(capacity);
  const size = <u64>TABLE + (<u64>slots << 3) + (<u64>capacity << 4);
  if (size > <u64>load<u32>(ROOT_REGIONS + REGION_DEDUP * 8, 4)) return OUT_OF_MEMORY;
  if (load<u32>(base) == MAGIC) {
    const before = <usize>load<u32>(base, MASK) + 1;
    memory.fill(base, 0, TABLE + (max(before, <usize>slots) << 3));
  }
  store<u32>(base, MAGIC);
  store<u32>(base, capacity, CAPACITY);
  store<u32>(base, slots - 1, MASK);
  store<u64>(base, seed0, SEED_0);
  store<u64>(base, seed1, SEED_1);
  store<u32>(base, <u32>(base + TABLE + (<usize>slots << 3)), RING);
  return OK;
}

/** Ids in the table now. */
export function dedupHeld(): u32 {
  return load<u32>(header(), HELD);
}

/** Ids that newer ones have pushed out since the region was formatted. */
export function dedupEvicted(): u64 {
  return load<u64>(header(), EVICTED);
}

@inline
function hashId(base: usize, id: usize): u32 {
  const a = (load<u64>(id) ^ load<u64>(base, SEED_0)) * 0x9e3779b97f4a7c15;
  const b = (load<u64>(id, 8) ^ load<u64>(base, SEED_1)) * 0xd6e8feb86659fd93;
  return <u32>mix64(a ^ rotl<u64>(b, 32));
}

@inline
function sameId(a: usize, b: usize): bool {
  return ((load<u64>(a) ^ load<u64>(b)) | (load<u64>(a, 8) ^ load<u64>(b, 8))) == 0;
}

@inline
function bit(bitmap: usize, row: u32): bool {
  return bitmap != 0 && ((<u32>load<u8>(bitmap + (row >> 3)) >> (row & 7)) & 1) != 0;
}

@inline
function touch(table: usize, hash: u32, mask: u32): u64 {
  const beyond = (hash + REACH) & mask;
  return load<u64>(table + (<usize>(hash & mask) << 3)) ^ load<u64>(table + (<usize>beyond << 3));
}

/**
 * Enters the ids of rows [rowBegin, rowEnd) in order, skipping rows whose bit is set in `madeBits`
 * or `droppedBits`, and sets the dropped bit of each row whose id is known already, from before or
 * from an earlier row.
 *
 * Result: the number of rows with a known id. A known id does not become newer.
 * Memory: `ids` holds 16 bytes a row from row 0; a bitmap address of 0 means no bit is set (and
 *         none is marked).
 */
export function dedupRows(
  ids: usize,
  madeBits: usize,
  droppedBits: usize,
  rowBegin: u32,
  rowEnd: u32,
): u32 {
  const base = header();
  const candidates = base + CANDIDATES;
  let duplicates: u32 = 0;
  let row = rowBegin;
  while (row < rowEnd) {
    // First only hashes and loads that wait for nothing, so that the cache misses of a whole block
    // overlap.
    let count: u32 = 0;
    let touched: u64 = 0;
    const table = base + TABLE;
    const mask = load<u32>(base, MASK);
    for (; row < rowEnd && count < DEDUP_BLOCK; row++) {
      if (bit(madeBits, row) || bit(droppedBits, row)) continue;
      const hash = hashId(base, ids + (<usize>row << 4));
      store<u32>(candidates + (count << 3), row);
      store<u32>(candidates + (count << 3), hash, 4);
      touched ^= touch(table, hash, mask);
      count++;
    }
    store<u64>(base, touched ^ touchOldest(base, count), TOUCHED);
    for (let i: u32 = 0; i < count; i++) {
      const candidate = load<u32>(candidates + (i << 3));
      const hash = load<u32>(candidates + (i << 3), 4);
      if (insert(base, ids + (<usize>candidate << 4), hash)) continue;
      duplicates++;
      if (droppedBits == 0) continue;
      const byte = droppedBits + (candidate >> 3);
      store<u8>(byte, <u32>load<u8>(byte) | (1 << (candidate & 7)));
    }
  }
  return duplicates;
}

/**
 * As dedupRows, for ids that come back from storage: `count` ids, in the order in which they were
 * first taken.
 */
export function dedupInsertMany(ids: usize, madeBits: usize, count: u32): u32 {
  return dedupRows(ids, madeBits, 0, 0, count);
}

/** Loads the slots of the ids that the next `count` insertions will evict. */
function touchOldest(base: usize, count: u32): u64 {
  const capacity = load<u32>(base, CAPACITY);
  const held = load<u32>(base, HELD);
  const free = capacity - held;
  const mask = load<u32>(base, MASK);
  const ring = <usize>load<u32>(base, RING);
  let touched: u64 = 0;
  let position = free == 0 ? load<u32>(base, NEXT) : 0;
  for (let i = free; i < count && i - free < capacity; i++) {
    const hash = hashId(base, ring + (<usize>position << 4));
    touched ^= touch(base + TABLE, hash, mask);
    position = position + 1 == capacity ? 0 : position + 1;
  }
  return touched;
}

/** Enters one id, evicting the oldest when the ring is full; false when it is known. */
@inline
function insert(base: usize, id: usize, hash: u32): bool {
  const table = base + TABLE;
  const mask = load<u32>(base, MASK);
  const ring = <usize>load<u32>(base, RING);
  let slot = hash & mask;
  let entry = load<u64>(table + (<usize>slot << 3));
  while (entry != 0) {
    const known = ring + (<usize>(<u32>entry - 1) << 4);
    if (<u32>(entry >> 32) == hash && sameId(known, id)) return false;
    slot = (slot + 1) & mask;
    entry = load<u64>(table + (<usize>slot << 3));
  }
  const position = load<u32>(base, NEXT);
  const held = load<u32>(base, HELD);
  const capacity = load<u32>(base, CAPACITY);
  if (held == capacity) {
    // The deletion may have opened a slot nearer to home.
    const hole = evict(base, position);
    if (((hole - hash) & mask) < ((slot - hash) & mask)) slot = hole;
  } else {
    store<u32>(base, held + 1, HELD);
  }
  v128.store(ring + (<usize>position << 4), v128.load(id));
  store<u64>(table + (<usize>slot << 3), (<u64>hash << 32) | <u64>(position + 1));
  store<u32>(base, position + 1 == capacity ? 0 : position + 1, NEXT);
  return true;
}

/**
 * Deletes the id at ring position `position`, closes the gap, and returns the slot that is empty in
 * the end.
 */
function evict(base: usize, position: u32): u32 {
  const table = base + TABLE;
  const mask = load<u32>(base, MASK);
  const hash = hashId(base, <usize>load<u32>(base, RING) + (<usize>position << 4));
  let hole = hash & mask;
  while (load<u32>(table + (<usize>hole << 3)) != position + 1) hole = (hole + 1) & mask;
  let slot = hole;
  while (true) {
    slot = (slot + 1) & mask;
    const entry = load<u64>(table + (<usize>slot << 3));
    if (entry == 0) break;
    // An entry may move back to the hole unless its home lies behind the hole.
    const home = <u32>(entry >> 32) & mask;
    if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
    store<u64>(table + (<usize>hole << 3), entry);
    hole = slot;
  }
  store<u64>(table + (<usize>hole << 3), 0);
  store<u64>(base, load<u64>(base, EVICTED) + 1, EVICTED);
  return hole;
}
