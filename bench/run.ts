// `npm run bench`: the core's work against the plain JavaScript way, each result checked before it is timed.
// `--smoke` runs everything once, small; `--only=TEXT` runs what has the text in its name.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { commitBench } from "./commit.bench.ts";
import { decodeComparisons } from "./decode.bench.ts";
import { encodeComparison } from "./encode.bench.ts";
import { filterComparisons } from "./filter.bench.ts";
import { groupComparisons } from "./group.bench.ts";
import {
  type Comparison,
  compare,
  type Effort,
  fullEffort,
  report,
  reportRow,
  smokeEffort,
} from "./harness.ts";
import { isProgram } from "./listener.ts";
import { machine } from "./machine.ts";
import { hotRig } from "./rig.ts";
import { projectRoot } from "./servers.ts";

/** Sizes of what is worked on: a million rows of which 131,072 are distinct, or next to nothing. */
export interface Sizes {
  readonly batch: number;
  readonly distinctRows: number;
  readonly repeats: number;
}

export const fullSizes: Sizes = { batch: 1000, distinctRows: 131_072, repeats: 8 };
export const smokeSizes: Sizes = { batch: 100, distinctRows: 5000, repeats: 2 };

export const areas = ["decode", "filter", "group", "encode", "commit"] as const;
export type Area = (typeof areas)[number];

/** The comparisons of an area, and what has to be closed after them. */
export function comparisonsOf(
  area: Area,
  sizes: Sizes,
): { comparisons: Comparison[]; close(): Promise<void> } {
  const close = async (): Promise<void> => {};
  if (area === "decode") return { comparisons: decodeComparisons(sizes.batch), close };
  if (area === "commit") {
    const bench = commitBench(sizes.batch);
    return { comparisons: [bench.comparison], close: () => bench.close() };
  }
  const rig = hotRig(sizes.distinctRows, sizes.repeats);
  if (area === "filter") return { comparisons: filterComparisons(rig), close };
  if (area === "group") return { comparisons: groupComparisons(rig), close };
  return { comparisons: [encodeComparison(rig)], close };
}

export async function runArea(
  area: Area,
  sizes: Sizes,
  effort: Effort,
  only = "",
): Promise<string[][]> {
  const rows: string[][] = [];
  const { comparisons, close } = comparisonsOf(area, sizes);
  try {
    for (const comparison of comparisons) {
      if (!comparison.name.includes(only)) continue;
      rows.push(reportRow(comparison, await compare(comparison, effort)));
    }
  } finally {
    await close();
  }
  return rows;
}

async function main(flags: readonly string[]): Promise<void> {
  const smoke = flags.includes("--smoke");
  const only = flags.find((flag) => flag.startsWith("--only="))?.slice(7) ?? "";
  // Compiled, the core module is two folders further away than it thinks.
  const wasm = join(projectRoot, "build/core.wasm");
  if (existsSync(wasm)) process.env.MILLRACE_WASM ??= wasm;
  console.log(`${machine()}\n`);
  const rows: string[][] = [];
  for (const area of areas) {
    const wanted = areas.some((name) => only.startsWith(name)) ? only.startsWith(area) : true;
    if (!wanted) continue;
    const sizes = smoke ? smokeSizes : fullSizes;
    rows.push(...(await runArea(area, sizes, smoke ? smokeEffort : fullEffort, only)));
  }
  console.log(report(rows));
}

if (isProgram(import.meta.url)) await main(process.argv.slice(2));
