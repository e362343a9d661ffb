// What the ids of one key within one segment stand for, written for kernels: GROUP SOURCE in assembly/layout.ts.

import {
  GROUP_LANE_ARRAY,
  GROUP_LANE_BASE,
  GROUP_LANE_EXPONENT,
  GROUP_LANE_FIRST,
  GROUP_LANE_KIND,
  GROUP_LANE_SIZE,
  GROUP_LANE_STEP,
  GROUP_NONE,
  GROUP_SOURCE_CARDINALITY,
  GROUP_SOURCE_KNOWN,
  GROUP_SOURCE_LANES,
  GROUP_SOURCE_SIZE,
  GROUP_SOURCE_TABLE,
} from "../../core/layout.ts";
import type { QueryRun } from "../columns/kernels.ts";

/** A range of ids that stand for values of one kind. */
export interface SourceLane {
  readonly first: number;
  readonly kind: number;
  readonly array?: number;
  readonly exponent?: number;
  readonly base?: bigint;
  readonly step?: bigint;
}

/** `count` u32 in scratch, all of them 0 or GROUP_NONE. */
export function filled(
  { kernels, scratch }: QueryRun,
  count: number,
  value: 0 | typeof GROUP_NONE,
): number {
  const address = scratch.take(count * 4);
  kernels.groupFill(address, count * 4, value & 0xff);
  return address;
}

/** Address of a source of `table`, in scratch; `translated`: ids are not indexes yet, and what they are is kept. */
export function writeSource(
  run: QueryRun,
  table: number,
  lanes: readonly SourceLane[],
  cardinality: number,
  translated: boolean,
): number {
  const { core, scratch } = run;
  const set = (address: number, value: number): void => {
    core.u32[address >>> 2] = value;
  };
  const source = scratch.take(GROUP_SOURCE_SIZE + lanes.length * GROUP_LANE_SIZE);
  set(source + GROUP_SOURCE_TABLE, table);
  set(source + GROUP_SOURCE_LANES, lanes.length);
  const known = translated ? filled(run, cardinality, GROUP_NONE) : 0;
  set(source + GROUP_SOURCE_KNOWN, known);
  set(source + GROUP_SOURCE_CARDINALITY, cardinality);
  lanes.forEach(({ first, kind, array, exponent, base, step }, i) => {
    const lane = source + GROUP_SOURCE_SIZE + i * GROUP_LANE_SIZE;
    set(lane + GROUP_LANE_FIRST, first);
    set(lane + GROUP_LANE_KIND, kind);
    set(lane + GROUP_LANE_ARRAY, array ?? 0);
    set(lane + GROUP_LANE_EXPONENT, exponent ?? 0);
    core.view.setBigInt64(lane + GROUP_LANE_BASE, base ?? 0n, true);
    core.view.setBigInt64(lane + GROUP_LANE_STEP, step ?? 0n, true);
  });
  return source;
}
