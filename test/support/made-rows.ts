// Random rows whose columns come, go and change their type from batch to batch.
import type { MadeCell, MadeRow } from "./make-batch.ts";

export type Random = () => number;

/** An integer in [0, below). */
export function pick(random: Random, below: number): number {
  return Math.floor(random() * below);
}

const LARGE = [
  2n ** 63n - 1n,
  -(2n ** 63n),
  2n ** 53n,
  -(2n ** 53n),
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
];

type MakeCell = (random: Random) => MadeCell;

const KINDS: readonly MakeCell[] = [
  (random) => BigInt(pick(random, 1000) - 500),
  (random) => random() * 1000 - 500,
  (random) => (random() < 0.5 ? BigInt(pick(random, 100)) : random()),
  (random) => (random() < 0.02 ? (LARGE[pick(random, LARGE.length)] as bigint) : 7n),
  (random) => [0, -0, 1e300, -5e-324, 0.1][pick(random, 5)] as number,
  (random) => `few ${pick(random, 20)}`,
  (random) => `many ${pick(random, 100_000)}`,
  (random) => "é€𝄞".repeat(pick(random, 30)),
  (random) => random() < 0.5,
  () => null,
  (random) => ({ json: `[${pick(random, 40)}]` }),
];

export interface Shape {
  path: string;
  density: number;
  cell: MakeCell;
}

/** Columns of one batch: some of twelve paths, each with a kind of cells that it had before or a new one. */
export function randomShapes(random: Random): Shape[] {
  const shapes: Shape[] = [];
  for (let i = 0; i < 12; i++) {
    if (random() < 0.3) continue;
    const usual = KINDS[i % KINDS.length] as MakeCell;
    const cell = random() < 0.75 ? usual : (KINDS[pick(random, KINDS.length)] as MakeCell);
    const density = random() < 0.4 ? 1 : random() < 0.5 ? random() : random() * 0.02;
    shapes.push({ path: `properties.p${i}`, density, cell });
  }
  return shapes;
}

export function randomRows(random: Random, count: number, shapes: readonly Shape[]): MadeRow[] {
  return Array.from({ length: count }, (_, i) => {
    const cells = new Map<string, MadeCell>();
    cells.set("event_type", `type ${pick(random, 8)}`);
    for (const { path, density, cell } of shapes) {
      if (random() < density) cells.set(path, cell(random));
    }
    const id = Uint8Array.from({ length: 16 }, () => pick(random, 256));
    const timestampUs = 1_790_000_000_000_000n + BigInt(i * 500 + pick(random, 2000));
    return { id, made: random() < 0.1, timestampUs, cells };
  });
}
