import { type SegmentMeta, segmentBytes } from "../storage/segment.ts";

/** The oldest segments that age or size say must go: whole segments, from the oldest on. */
export function expired(
  metas: readonly SegmentMeta[],
  nowUs: bigint,
  bounds: { ageMs: number | null; bytes: number | null },
): SegmentMeta[] {
  const sizes = metas.map(segmentBytes);
  let total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const oldestUs = bounds.ageMs === null ? null : nowUs - BigInt(bounds.ageMs) * 1000n;
  const gone: SegmentMeta[] = [];
  for (const [index, meta] of metas.entries()) {
    const tooOld = oldestUs !== null && (meta.records.at(-1)?.receivedAtUs ?? 0n) < oldestUs;
    const tooMuch = bounds.bytes !== null && total > bounds.bytes;
    if (!tooOld && !tooMuch) break;
    gone.push(meta);
    total -= sizes[index] as number;
  }
  return gone;
}

/** Those of the oldest segments whose rows are all in a checkpoint: nobody needs them any more. */
export function reflectedOf(oldest: readonly SegmentMeta[], reflected: bigint): SegmentMeta[] {
  const kept = oldest.findIndex((meta) => meta.firstSequence + BigInt(meta.rows) > reflected);
  return oldest.slice(0, kept < 0 ? oldest.length : kept);
}
