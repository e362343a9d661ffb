// Compares a way of doing something with the plain JavaScript way: results first, then time, in paired rounds.

import { deepStrictEqual } from "node:assert";
import Benchmark from "benchmark";
import { median, scaled, table } from "./machine.ts";

/** One way of doing the work. What it answers is equal to what the reference answers. */
export interface Way {
  readonly name: string;
  /** Does the work once. The number goes into the checksum, so that nothing is optimised away. */
  run(): number | Promise<number>;
  /** The result, to be compared once before anything is timed. */
  result(): unknown;
}

export interface Comparison {
  readonly name: string;
  /** What one run works on: events, rows or commits, and bytes where bytes matter. */
  readonly units: number;
  readonly unit: string;
  readonly bytes?: number;
  readonly reference: Way;
  readonly candidate: Way;
  /** Ratio (candidate's speed by the reference's) that must be reached, and the one to aim for. */
  readonly must?: number;
  readonly aim?: number;
  /** What to say beside the figures, such as sizes. */
  readonly note?: () => string;
}

export interface Effort {
  readonly rounds: number;
  readonly seconds: number;
}

export const fullEffort: Effort = { rounds: 5, seconds: 1.5 };
export const smokeEffort: Effort = { rounds: 1, seconds: 0.02 };

export interface Measured {
  readonly name: string;
  readonly referencePerSecond: number;
  readonly candidatePerSecond: number;
  /** Median of the rounds' own ratios: slow phases of the machine hit both halves of a pair. */
  readonly ratio: number;
  readonly checksum: number;
}

let sink = 0;

function consume(value: number): void {
  sink = (sink + value) % 9_007_199_254_740_881;
}

/** Runs a second, as benchmark.js counts them. */
async function runsPerSecond(way: Way, effort: Effort): Promise<number> {
  const first = way.run();
  const deferred = first instanceof Promise;
  consume(await first);
  const options = { maxTime: effort.seconds, minSamples: effort.seconds < 0.1 ? 1 : 5 };
  return new Promise((resolve, reject) => {
    const bench = new Benchmark(way.name, {
      ...options,
      ...(effort.seconds < 0.1 && { minTime: 0.001 }),
      defer: deferred,
      fn: deferred
        ? (handle: { resolve(): void }) => {
            Promise.resolve(way.run()).then((value) => {
              consume(value);
              handle.resolve();
            }, reject);
          }
        : () => consume(way.run() as number),
    });
    bench.on("complete", () => resolve(bench.hz));
    bench.on("error", () => reject((bench as { error?: Error }).error));
    bench.run({ async: true });
  });
}

/** Checks that both ways answer the same, then times them in turn. */
export async function compare(comparison: Comparison, effort: Effort): Promise<Measured> {
  const { name, reference, candidate, units } = comparison;
  const [got, want] = [await candidate.result(), await reference.result()];
  deepStrictEqual(got, want, `${name}: ${candidate.name} answers what ${reference.name} answers`);
  sink = 0;
  const ratios: number[] = [];
  const speeds: [number[], number[]] = [[], []];
  for (let round = 0; round < effort.rounds; round++) {
    const slow = (await runsPerSecond(reference, effort)) * units;
    const quick = (await runsPerSecond(candidate, effort)) * units;
    speeds[0].push(slow);
    speeds[1].push(quick);
    ratios.push(quick / slow);
  }
  return {
    name,
    referencePerSecond: median(speeds[0]),
    candidatePerSecond: median(speeds[1]),
    ratio: median(ratios),
    checksum: sink,
  };
}

/** The line of a comparison in the report. */
export function reportRow(comparison: Comparison, measured: Measured): string[] {
  const { unit, bytes, units, must, aim, note } = comparison;
  const rate = (perSecond: number): string => {
    const text = `${scaled(perSecond)} ${unit}/s`;
    return bytes === undefined ? text : `${text}, ${scaled((perSecond / units) * bytes)}B/s`;
  };
  const goal = must === undefined ? "" : `≥ ${must}×${aim === undefined ? "" : `, aim ${aim}×`}`;
  return [
    comparison.name,
    rate(measured.candidatePerSecond),
    `${rate(measured.referencePerSecond)} (${comparison.reference.name})`,
    `${measured.ratio.toPrecision(3)}×`,
    goal,
    note?.() ?? "",
    String(measured.checksum % 1_000_000),
  ];
}

export function report(rows: readonly string[][]): string {
  const header = ["what", "millrace", "plain JavaScript", "ratio", "goal", "note", "checksum"];
  return table(header, rows);
}
