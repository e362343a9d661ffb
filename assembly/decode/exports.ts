// The decoder as TypeScript calls it; results and addresses are in the first words of its region (layout.ts).
import { beginGroup, builderUsed, formatDecoder } from "../batch/builder";
import { finishBatch, finishCapacity, keptRows } from "../batch/finish";
import { decoderRegion } from "../batch/state";

export { batchChecksum, batchVerify } from "../batch/verify";
export { decodeJson } from "./json";

/** Lays out the decoder region, whose limits and UUID state are set; OUT_OF_MEMORY when it is too small. */
export function decoderFormat(): u32 {
  return formatDecoder(decoderRegion());
}

/** Begins a group: forgets the rows of the last one. OUT_OF_MEMORY only where decoderFormat would answer it too. */
export function decoderBegin(receivedAtUs: i64): u32 {
  return beginGroup(decoderRegion(), receivedAtUs);
}

/** Rows of the group that are not dropped. */
export function decoderKeptRows(): u32 {
  return keptRows(decoderRegion());
}

/** Bytes of the group arena in use. */
export function decoderUsed(): u32 {
  return builderUsed(decoderRegion());
}

/** Bytes that decoderFinish may need at most. */
export function decoderCapacity(): u32 {
  return finishCapacity(decoderRegion());
}

/** Writes the group as a ColumnBatch without its checksum; its length, or 0 when `capacity` is too small. */
export function decoderFinish(out: usize, capacity: u32, firstSequence: i64): u32 {
  return finishBatch(decoderRegion(), out, capacity, firstSequence);
}
