import {
  BATCH_COLUMN_COUNT,
  BATCH_COLUMN_DICT_BYTES,
  BATCH_COLUMN_DICT_COUNT,
  BATCH_COLUMN_DICT_ENDS,
  BATCH_COLUMN_ENCODING,
  BATCH_COLUMN_KINDS,
  BATCH_COLUMN_LANE,
  BATCH_COLUMN_PATH,
  BATCH_COLUMN_PATH_LENGTH,
  BATCH_COLUMN_PRESENCE,
  BATCH_COLUMN_SIZE,
  BATCH_COLUMN_VALUES,
  BATCH_COLUMNS,
  BATCH_CRC,
  BATCH_DESCRIPTORS,
  BATCH_HEADER_SIZE,
  BATCH_IDS,
  BATCH_LATENESS,
  BATCH_LENGTH,
  BATCH_MADE_IDS,
  BATCH_MAGIC,
  BATCH_MIXED,
  BATCH_ROWS,
  BATCH_TIMESTAMPS,
  BATCH_VERSION,
  LANE_BOOLEAN,
  LANE_JSON,
  LANE_NULL,
  LANE_NUMBER,
  LANE_STRING,
  SEGMENT_ROWS_MAX,
} from "../layout";
import { bitmapCount, bitmapSize } from "../memory/bitmap";
import { crc32c } from "../memory/crc32c";
import {
  CORRUPT_BOUNDS,
  CORRUPT_CHECKSUM,
  CORRUPT_ENCODING,
  CORRUPT_MAGIC,
  CORRUPT_VERSION,
  OK,
} from "../status";

// What may be believed about the bytes of a batch. After OK from batchVerify no reader of the batch can leave it.

/** Computes and stores the checksum of a batch that is complete. */
export function batchChecksum(batch: usize): void {
  store<u32>(batch, crc32c(batch + 16, load<u32>(batch, BATCH_LENGTH) - 16), BATCH_CRC);
}

/** Checks a batch of which `available` bytes are there: OK or a CORRUPT_… code. */
export function batchVerify(batch: usize, available: u32): u32 {
  if (available < <u32>BATCH_HEADER_SIZE) return CORRUPT_BOUNDS;
  if (load<u32>(batch) != BATCH_MAGIC) return CORRUPT_MAGIC;
  if (load<u16>(batch, 4) != BATCH_VERSION) return CORRUPT_VERSION;
  const length = load<u32>(batch, BATCH_LENGTH);
  if (length > available || length < <u32>BATCH_HEADER_SIZE) return CORRUPT_BOUNDS;
  if (crc32c(batch + 16, length - 16) != load<u32>(batch, BATCH_CRC)) return CORRUPT_CHECKSUM;
  const rows = load<u32>(batch, BATCH_ROWS);
  const columns = load<u32>(batch, BATCH_COLUMNS);
  const descriptors = load<u32>(batch, BATCH_DESCRIPTORS);
  if (rows > <u32>SEGMENT_ROWS_MAX || columns > length / BATCH_COLUMN_SIZE) return CORRUPT_BOUNDS;
  if (!isInside(length, descriptors, columns * BATCH_COLUMN_SIZE)) return CORRUPT_BOUNDS;
  if (!isInside(length, load<u32>(batch, BATCH_IDS), rows << 4)) return CORRUPT_BOUNDS;
  if (!isOptional(length, load<u32>(batch, BATCH_MADE_IDS), bitmapSize(rows))) return CORRUPT_BOUNDS;
  if (!isInside(length, load<u32>(batch, BATCH_TIMESTAMPS), rows << 3)) return CORRUPT_BOUNDS;
  if (!isOptional(length, load<u32>(batch, BATCH_LATENESS), rows << 3)) return CORRUPT_BOUNDS;
  for (let i: u32 = 0; i < columns; i++) {
    const status = verifyColumn(batch, batch + descriptors + i * BATCH_COLUMN_SIZE, length, rows);
    if (status != OK) return status;
  }
  return OK;
}

/** Whether a 16-byte aligned section lies between the header and the end. */
@inline
function isInside(length: u32, offset: u32, size: u64): bool {
  return (offset & 15) == 0 && offset >= <u32>BATCH_HEADER_SIZE && <u64>offset + size <= <u64>length;
}

@inline
function isOptional(length: u32, offset: u32, size: u64): bool {
  return offset == 0 || isInside(length, offset, size);
}

function verifyColumn(batch: usize, column: usize, length: u32, rows: u32): u32 {
  const lane = <u32>load<u8>(column, BATCH_COLUMN_LANE);
  const encoding = <u32>load<u8>(column, BATCH_COLUMN_ENCODING);
  const present = load<u32>(column, BATCH_COLUMN_COUNT);
  const presence = load<u32>(column, BATCH_COLUMN_PRESENCE);
  const values = load<u32>(column, BATCH_COLUMN_VALUES);
  if (!isInside(length, load<u32>(column, BATCH_COLUMN_PATH), load<u16>(column, BATCH_COLUMN_PATH_LENGTH))) {
    return CORRUPT_BOUNDS;
  }
  if (!isOptional(length, presence, bitmapSize(rows))) return CORRUPT_BOUNDS;
  const marked = presence == 0 ? rows : bitmapCount(batch + presence, rows);
  if (marked != present) return CORRUPT_BOUNDS;
  if (lane == LANE_NUMBER) {
    if (encoding > <u32>BATCH_MIXED) return CORRUPT_ENCODING;
    if (!isInside(length, values, present << 3)) return CORRUPT_BOUNDS;
    if (encoding != BATCH_MIXED) return OK;
    return isInside(length, load<u32>(column, BATCH_COLUMN_KINDS), bitmapSize(present)) ? OK : CORRUPT_BOUNDS;
  }
  if (lane == LANE_STRING || lane == LANE_JSON) return verifyTexts(batch, column, length, encoding, present);
  if (lane == LANE_NULL) return OK;
  if (lane != LANE_BOOLEAN) return CORRUPT_ENCODING;
  return isInside(length, values, present) ? OK : CORRUPT_BOUNDS;
}

/** The dictionary's ends ascend and stay inside, and every code has an entry. */
function verifyTexts(batch: usize, column: usize, length: u32, width: u32, present: u32): u32 {
  const values = load<u32>(column, BATCH_COLUMN_VALUES);
  const entries = load<u32>(column, BATCH_COLUMN_DICT_COUNT);
  const ends = load<u32>(column, BATCH_COLUMN_DICT_ENDS);
  const bytes = load<u32>(column, BATCH_COLUMN_DICT_BYTES);
  if (entries > present || !isInside(length, ends, <u64>entries << 2)) return CORRUPT_BOUNDS;
  let last: u32 = 0;
  for (let i: u32 = 0; i < entries; i++) {
    const next = load<u32>(batch + ends + (<usize>i << 2));
    if (next < last) return CORRUPT_BOUNDS;
    last = next;
  }
  if (!isInside(length, bytes, last)) return CORRUPT_BOUNDS;
  if (width == 0) return entries == present ? OK : CORRUPT_BOUNDS;
  if (width != 1 && width != 2 && width != 4) return CORRUPT_ENCODING;
  if (!isInside(length, values, <u64>present * width)) return CORRUPT_BOUNDS;
  for (let i: u32 = 0; i < present; i++) {
    const at = batch + values + i * width;
    const code = width == 1 ? <u32>load<u8>(at) : width == 2 ? <u32>load<u16>(at) : load<u32>(at);
    if (code >= entries) return CORRUPT_BOUNDS;
  }
  return OK;
}
