import {
  DECODER_DROPPED,
  DECODER_ERROR_LIST,
  DECODER_IDS,
  DECODER_LIMIT_ERRORS,
  DECODER_LIMIT_ROWS,
  DECODER_MADE,
  DECODER_MAPPING,
  DECODER_MAPPING_SIZE,
  DECODER_ROWS,
  DECODER_TIMESTAMPS,
  REGION_DECODER,
  ROOT_REGIONS,
} from "../layout";
import { bitmapSize } from "../memory/bitmap";
import { OK, OUT_OF_MEMORY } from "../status";

// The decoder region: its header, its fixed areas and its two arenas. `d` is the region's address everywhere.
//
//   0      ┌───────────────────────────┐
//          │ results, limits           │  drawn in layout.ts: what TypeScript reads and sets
//   256    │ state                     │  below
//   2,048  ├───────────────────────────┤
//          │ errors, mapping text      │
//          │ ids, made, dropped, times │  one entry a row of the group, dropped rows included
//          │ row map                   │  finish: row of the group → row of the batch
//          │ row log                   │  the paths that the current row has entered, in order
//          │ transient table and nodes │  the current row's paths that are not kept (see paths.ts)
//          │ two scratches             │  unescaped text; text being made
//          ├───────────────────────────┤
//          │ schema arena              │  paths, columns, hash tables: kept from group to group
//          ├───────────────────────────┤
//          │ group arena               │  cells and dictionaries: empty again at decoderBegin
//          └───────────────────────────┘
//
// The group arena hands out powers of two and takes them back, so arrays that double waste little.

export const STATE_RECEIVED_AT = 256; // i64
export const STATE_SCHEMA_TOP = 264;
export const STATE_SCHEMA_END = 268;
export const STATE_SCHEMA_BASE = 272;
export const STATE_GROUP_TOP = 276;
export const STATE_GROUP_END = 280;
export const STATE_GROUP_BASE = 284;
export const STATE_GENERATION = 288; // of the group: stamps entries of the text table
export const STATE_STAMP = 292; // of the event: stamps the paths that it has entered
export const STATE_NODES = 296; // path table: address, mask, count
export const STATE_COLUMNS = 308; // column table: address, mask, count
export const STATE_TEXTS = 320; // text table: address, mask, count
export const STATE_ACTIVE = 332; // address of the columns that the group uses
export const STATE_ACTIVE_COUNT = 336;
export const STATE_ACTIVE_CAPACITY = 340;
export const STATE_LANES = 344; // (path, lane) pairs of the group
export const STATE_ROOT = 348; // the body's root path and properties path
export const STATE_PROPERTIES = 352;
export const STATE_UNIT = 356; // of numeric timestamps
export const STATE_CONSTANTS = 360; // address of the mapping's constants, 0 without
export const STATE_ROW = 364; // the current row
export const STATE_LOG_TOP = 368; // address of the next free entry
export const STATE_LOG = 372;
export const STATE_LOG_END = 376;
export const STATE_OBJECTS = 380; // non-empty objects that the row has entered
export const STATE_BODY = 384; // address of the body
export const STATE_VALUE = 388; // byte offset of the value being put
export const STATE_FAIL_CODE = 392;
export const STATE_FAIL_OFFSET = 396;
export const STATE_FAIL_ARGUMENT = 400;
export const STATE_TEXT = 404; // text that a slow path has read: address, length
export const STATE_TEXT_LENGTH = 408;
export const STATE_KEY_NODE = 412; // path that a slow path has found
export const STATE_TRANSIENT_TABLE = 416;
export const STATE_TRANSIENT_NODES = 420;
export const STATE_TRANSIENT_COUNT = 424;
export const STATE_SCRATCH = 428; // unescaped text
export const STATE_SCRATCH_MADE = 432; // text being made: JSON without white space, numbers as text
export const STATE_SCRATCH_OVERFLOW = 436; // the row's overflow members
export const STATE_OVERFLOW_COUNT = 440;
export const STATE_OVERFLOW_USED = 444;
export const STATE_OVERFLOW_ENTRIES = 448;
export const STATE_ROW_MAP = 452;
export const STATE_OVERFLOW_COLUMN = 456;
export const STATE_MAPPINGS_NEXT = 460; // the mapping slot to give up next
export const STATE_ROLES = 464; // bit per role: the row has a value for it
export const STATE_ROLE_ERRORS = 468; // bit per role: its value can't be taken
export const STATE_ID_NODE = 476; // properties.id of the body's root
export const STATE_PATH_SCRATCH = 480;
export const STATE_CHECKED = 484; // what json-check.ts found: white space, number beyond f64, deepest level
export const STATE_NUMBER = 544; // 32 bytes: what parseNumber answers
export const STATE_ROLE_ERROR = 576; // 8 × { code u32, offset u32 }
export const STATE_FREE = 704; // 32 × u32: free blocks of 2^i bytes
export const STATE_MAPPINGS = 832; // MAPPINGS_MAX × MAPPING_SIZE
export const MAPPINGS_MAX: u32 = 8;
export const MAPPING_SIZE: u32 = 32; // text address, text length, root, properties, unit, constants, id node
export const STATE_CONTAINERS = 1088; // 128 bytes: bit per open container, set for an object
export const STATE_UUID_SCRATCH = 1280; // 512 bytes
export const STATE_PLACES = 1792; // 16 bytes: 0 to 15
export const STATE_SHORT_TEXT = 1808; // 16 bytes: a short text on its way to where longer ones go
export const STATE_TIMES = 1856; // 64 bytes: parseTimestamp's cache
const HEADER_SIZE: u32 = 2048;

/** Bounds the limit of path bytes. */
export const PATH_SCRATCH_SIZE: u32 = 8192;
export const SCRATCH_SIZE: u32 = 1 << 20;
export const OVERFLOW_SIZE: u32 = 4 << 20;
export const LOG_ENTRIES: u32 = 1 << 18;
export const TRANSIENT_TABLE_SIZE: u32 = 1 << 14; // entries of 16 bytes
export const TRANSIENT_NODES_MAX: u32 = 1 << 13;
export const TRANSIENT_NODES_SIZE: u32 = 4 << 20;
export const OVERFLOW_ENTRIES: u32 = 1 << 13;
/** A fresh schema at the next group once this many events have been stamped, or this share of the arena is used. */
const STAMP_MAX: u32 = 0x7fffffff;

@inline
export function align16(address: usize): usize {
  return (address + 15) & ~(<usize>15);
}

/** Address of the decoder region. */
@inline
export function decoderRegion(): usize {
  return load<u32>(ROOT_REGIONS + REGION_DECODER * 8);
}

/** Lays out the region. OUT_OF_MEMORY when it is too small for its fixed areas. */
export function formatState(d: usize): u32 {
  const end = d + load<u32>(ROOT_REGIONS + REGION_DECODER * 8, 4);
  memory.fill(d + STATE_RECEIVED_AT, 0, HEADER_SIZE - STATE_RECEIVED_AT);
  v128.store(d + STATE_PLACES, v128(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  const rows = load<u32>(d, DECODER_LIMIT_ROWS);
  let p = d + HEADER_SIZE;
  store<u32>(d, p, DECODER_ERROR_LIST);
  p = align16(p + load<u32>(d, DECODER_LIMIT_ERRORS) * 16);
  store<u32>(d, p, DECODER_MAPPING);
  p += DECODER_MAPPING_SIZE;
  store<u32>(d, p, DECODER_IDS);
  p += rows * 16 + 16;
  store<u32>(d, p, DECODER_MADE);
  p += bitmapSize(rows) + 16;
  store<u32>(d, p, DECODER_DROPPED);
  p += bitmapSize(rows) + 16;
  store<u32>(d, p, DECODER_TIMESTAMPS);
  p = align16(p + rows * 8);
  store<u32>(d, p, STATE_ROW_MAP);
  p = align16(p + rows * 4);
  store<u32>(d, p, STATE_LOG);
  p += LOG_ENTRIES * 4;
  store<u32>(d, p, STATE_LOG_END);
  store<u32>(d, p, STATE_TRANSIENT_TABLE);
  if (p + TRANSIENT_TABLE_SIZE * 16 < end) memory.fill(p, 0, TRANSIENT_TABLE_SIZE * 16);
  p += TRANSIENT_TABLE_SIZE * 16;
  store<u32>(d, p, STATE_TRANSIENT_NODES);
  p += TRANSIENT_NODES_SIZE;
  store<u32>(d, p, STATE_PATH_SCRATCH);
  p += PATH_SCRATCH_SIZE;
  store<u32>(d, p, STATE_OVERFLOW_ENTRIES);
  p += OVERFLOW_ENTRIES * 12 + 64;
  store<u32>(d, p, STATE_SCRATCH);
  p += SCRATCH_SIZE + 64;
  store<u32>(d, p, STATE_SCRATCH_MADE);
  p += SCRATCH_SIZE * 2 + 64;
  store<u32>(d, p, STATE_SCRATCH_OVERFLOW);
  p += OVERFLOW_SIZE + 64;
  p = align16(p);
  if (p + (2 << 20) > end) return OUT_OF_MEMORY;
  store<u32>(d, p, STATE_SCHEMA_BASE);
  p = align16(p + (end - p) / 4);
  store<u32>(d, p, STATE_SCHEMA_END);
  store<u32>(d, p, STATE_GROUP_BASE);
  store<u32>(d, end - 64, STATE_GROUP_END);
  return OK;
}

/** True when the next group should begin with an empty schema. */
export function schemaIsWorn(d: usize): bool {
  const base = load<u32>(d, STATE_SCHEMA_BASE);
  const used = load<u32>(d, STATE_SCHEMA_TOP) - base;
  const size = load<u32>(d, STATE_SCHEMA_END) - base;
  return used > size / 2 || load<u32>(d, STATE_STAMP) > STAMP_MAX;
}

/** Bytes of the schema arena, 16-byte aligned and zeroed; 0 when it is full. */
export function allocateSchema(d: usize, size: u32): usize {
  const top = <usize>load<u32>(d, STATE_SCHEMA_TOP);
  const rounded = align16(size);
  if (rounded > <usize>load<u32>(d, STATE_SCHEMA_END) - top) return 0;
  store<u32>(d, top + rounded, STATE_SCHEMA_TOP);
  memory.fill(top, 0, rounded);
  return top;
}

/** A block of 2^`power` bytes, at least 16, of the group arena, not zeroed; 0 when it is full. */
export function allocateGroup(d: usize, power: u32): usize {
  const free = d + STATE_FREE + (power << 2);
  const block = <usize>load<u32>(free);
  if (block != 0) {
    store<u32>(free, load<u32>(block));
    return block;
  }
  const top = <usize>load<u32>(d, STATE_GROUP_TOP);
  const size = <usize>1 << power;
  if (size > <usize>load<u32>(d, STATE_GROUP_END) - top) return 0;
  store<u32>(d, top + size, STATE_GROUP_TOP);
  return top;
}

/** Gives a block of the group arena back. */
export function releaseGroup(d: usize, block: usize, power: u32): void {
  const free = d + STATE_FREE + (power << 2);
  store<u32>(block, load<u32>(free));
  store<u32>(free, block);
}

/** Empties the group arena. */
export function resetGroup(d: usize): void {
  memory.fill(d + STATE_FREE, 0, 128);
  store<u32>(d, load<u32>(d, STATE_GROUP_BASE), STATE_GROUP_TOP);
  store<u32>(d, 0, DECODER_ROWS);
}

/** Bytes of the group arena in use. */
export function groupUsed(d: usize): u32 {
  return load<u32>(d, STATE_GROUP_TOP) - load<u32>(d, STATE_GROUP_BASE);
}

/** The least power with 2^power >= size, at least 4. */
@inline
export function powerFor(size: u32): u32 {
  return size <= 16 ? 4 : 32 - clz(size - 1);
}

/** Whether the bytes at `a` and `b` are the same; reads up to 16 beyond them. */
@inline
export function sameBytes(a: usize, b: usize, length: u32): bool {
  while (length > 16) {
    if (v128.any_true(v128.xor(v128.load(a), v128.load(b)))) return false;
    a += 16;
    b += 16;
    length -= 16;
  }
  const equal = <u32>i8x16.bitmask(i8x16.eq(v128.load(a), v128.load(b)));
  return ((equal | (<u32>0xffffffff << length)) & 0xffff) == 0xffff;
}
