/** Upper bounds of the commit histogram, milliseconds. */
const COMMIT_BOUNDS_MS = [
  0.5,
  1,
  2,
  4,
  8,
  16,
  32,
  64,
  128,
  256,
  512,
  1024,
  Number.POSITIVE_INFINITY,
];

/** What the engine thread counts. Counters only ever grow. */
export class Tally {
  events = 0;
  duplicates = 0;
  rejected = 0;
  bytes = 0;
  commits = 0;
  commitMsSum = 0;
  readonly refused: Record<string, number> = {};
  /** Commits by the lowest bound that they keep: each is counted once. */
  readonly commitCounts = COMMIT_BOUNDS_MS.map(() => 0);

  take(bytes: number, accepted: number, duplicates: number, rejected: number): void {
    this.bytes += bytes;
    this.events += accepted;
    this.duplicates += duplicates;
    this.rejected += rejected;
  }

  refuse(code: string): void {
    this.refused[code] = (this.refused[code] ?? 0) + 1;
  }

  commit(ms: number): void {
    this.commits++;
    this.commitMsSum += ms;
    const bucket = COMMIT_BOUNDS_MS.findIndex((bound) => ms <= bound);
    this.commitCounts[bucket] = (this.commitCounts[bucket] ?? 0) + 1;
  }

  commitMs(): { bounds: readonly number[]; counts: readonly number[]; sum: number } {
    return { bounds: COMMIT_BOUNDS_MS, counts: [...this.commitCounts], sum: this.commitMsSum };
  }
}
