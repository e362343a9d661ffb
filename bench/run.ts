// `npm run bench`: the core's work against the plain JavaScript way, each result checked before it is timed.
// `--smoke` runs everything once, small; `--only=TEXT` runs what has the text in its name.

import { existsSync } from "node:fs";
import { join } from "node:path";
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
import { projectRoot } from "./servers.ts";

/** Sizes of what is worked on: a million rows of which 131,072 are distinct, or next to nothing. */
export interface Sizes {
  readonly batch: number;
  readonly distinctRows: number;
  readonly repeats: number;
}

export const fullSizes: Sizes = { batch: 1000, distinctRows: 131_072, repeats: 8 };
export const smokeSizes: Sizes = { batch: 100, distinctRows: 5000, repeats: 2 };

export const areas = [
  "decode",
  "filter",
  "group",
  "aggregate",
  "expression",
  "questions",
  "encode",
  "commit",
] as const;
export type Area = (typeof areas)[number];

interface AreaBench {
  readonly comparisons: readonly Comparison[];
  close?(): Promise<void>;
}

/** The comparisons of an area, and what has to be closed after them. Only its own files are loaded. */
async function benchOf(area: Area, sizes: Sizes): Promise<AreaBench> {
  if (area === "decode") {
    const { decodeComparisons } = await import("./decode.bench.ts");
    return { comparisons: decodeComparisons(sizes.batch) };
  }
  if (area === "commit") {
    const { commitBench } = await import("./commit.bench.ts");
    const { comparison, close } = commitBench(sizes.batch);
    return { comparisons: [comparison], close };
  }
  if (area === "questions") {
    const { questionComparisons } = await import("./questions.bench.ts");
    return { comparisons: questionComparisons(sizes.distinctRows, sizes.repeats) };
  }
  const { hotRig } = await import("./rig.ts");
  const rig = hotRig(sizes.distinctRows, sizes.repeats);
  if (area === "filter") {
    const { filterComparisons } = await import("./filter.bench.ts");
    return { comparisons: filterComparisons(rig) };
  }
  if (area === "group") {
    const { groupComparisons } = await import("./group.bench.ts");
    return { comparisons: groupComparisons(rig) };
  }
  if (area === "aggregate") {
    const { aggregateComparisons } = await import("./aggregate.bench.ts");
    return { comparisons: aggregateComparisons(rig) };
  }
  if (area === "expression") {
    const { expressionComparisons } = await import("./expression.bench.ts");
    return { comparisons: expressionComparisons(rig) };
  }
  const { encodeComparison } = await import("./encode.bench.ts");
  return { comparisons: [encodeComparison(rig)] };
}

export async function runArea(
  area: Area,
  sizes: Sizes,
  effort: Effort,
  only = "",
): Promise<string[][]> {
  const rows: string[][] = [];
  const { comparisons, close } = await benchOf(area, sizes);
  try {
    for (const comparison of comparisons) {
      if (!comparison.name.includes(only)) continue;
      rows.push(reportRow(comparison, await compare(comparison, effort)));
    }
  } finally {
    await close?.();
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
