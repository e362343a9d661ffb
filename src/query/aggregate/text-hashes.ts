// Hashes of the texts of dictionaries, kept between the queries of a thread: a dashboard asks the same columns again,
// and hashing a large dictionary costs more than looking its codes up.

import type { Core } from "../../core/core.ts";
import type { QueryRun } from "../columns/kernels.ts";
import type { Expression } from "../expression/expression.ts";
import type { GroupRows } from "./accumulator.ts";
import { aggregateKernels } from "./kernels.ts";
import type { DictionaryView } from "./vectors.ts";

/** Bytes that a thread keeps; smaller dictionaries than `smallMax` are hashed anew. */
const keptMax = 32 * 1024 * 1024;
const smallMax = 1024;

/** The oldest use first. */
interface Kept {
  readonly hashes: Map<string, Uint32Array>;
  bytes: number;
}

const keptBy = new WeakMap<Core, Kept>();

/**
 * Address of the packed hash of each code, in scratch; 0 when hashing row by row is less work. A segment's number
 * names it for ever, hot and stored ones apart; a hot dictionary only grows.
 */
export function hashesOfTexts(
  run: QueryRun,
  rows: GroupRows,
  of: Expression,
  { entries, count }: DictionaryView,
  seed: number,
): number {
  const { core, scratch } = run;
  const key =
    of.kind === "path" && count > smallMax
      ? `${rows.segment.hot ? "hot" : "stored"} ${rows.segment.id} ${seed} ${of.path}`
      : null;
  const kept = keptOf(core);
  const known = key === null ? undefined : kept.hashes.get(key);
  let have = Math.min(known?.length ?? 0, count);
  if (rows.count < count - have) return 0;
  const hashes = scratch.take(count * 4);
  const { hashTexts } = aggregateKernels(core);
  if (known) {
    // Some are hashed again: what was kept under this name must be of this dictionary.
    const some = [0, have >>> 1, have - 1];
    for (const code of some) hashTexts(entries, code, code + 1, seed, hashes);
    if (some.every((code) => core.u32[(hashes >>> 2) + code] === known[code])) {
      core.u32.set(known.subarray(0, have), hashes >>> 2);
    } else have = 0;
  }
  hashTexts(entries, have, count, seed, hashes);
  if (key !== null) {
    if (have < count) keep(kept, key, core.u32.slice(hashes >>> 2, (hashes >>> 2) + count));
    else if (known) keep(kept, key, known);
  }
  return hashes;
}

function keptOf(core: Core): Kept {
  let kept = keptBy.get(core);
  if (!kept) {
    kept = { hashes: new Map(), bytes: 0 };
    keptBy.set(core, kept);
  }
  return kept;
}

function keep(kept: Kept, key: string, hashes: Uint32Array): void {
  kept.bytes += hashes.byteLength - (kept.hashes.get(key)?.byteLength ?? 0);
  kept.hashes.delete(key);
  kept.hashes.set(key, hashes);
  for (const [oldest, { byteLength }] of kept.hashes) {
    if (kept.bytes <= keptMax) break;
    kept.hashes.delete(oldest);
    kept.bytes -= byteLength;
  }
}
