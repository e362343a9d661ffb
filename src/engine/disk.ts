import { statfsSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { DiskFullError } from "../errors.ts";

/** How old a reading of the free space may be, milliseconds. */
const READING_MS_MAX = 250;

/** Watches the free space of the data folder, so that ingest stops before a write can fail. */
export class DiskReserve {
  readonly #folder: string;
  readonly #reserveBytes: number;
  readonly #clock: Clock;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #freeBytes = 0;

  constructor(folder: string, reserveBytes: number, clock: Clock) {
    this.#folder = folder;
    this.#reserveBytes = reserveBytes;
    this.#clock = clock;
  }

  /** The error to answer ingest with while the disk has less room than the reserve, else null. */
  refusal(): DiskFullError | null {
    if (this.#reserveBytes === 0) return null;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#readAtMs > READING_MS_MAX) {
      const { bavail, bsize } = statfsSync(this.#folder);
      this.#freeBytes = bavail * bsize;
      this.#readAtMs = nowMs;
    }
    if (this.#freeBytes >= this.#reserveBytes) return null;
    return new DiskFullError(
      "disk_full",
      `the disk has ${this.#freeBytes} bytes free, less than the reserve of ${this.#reserveBytes}; reads go on`,
      { freeBytes: this.#freeBytes, reserveBytes: this.#reserveBytes },
    );
  }
}
