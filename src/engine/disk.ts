import { statfsSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { DiskFullError } from "../errors.ts";

/** How old a reading of the free space may be, milliseconds. */
const READING_MS_MAX = 250;

/**
 * Watches the room on the disk, so that ingest stops before a write can fail.
 *
 * The data file never shrinks: what retention drops becomes room within it, and counts as such. A part of the
 * reserve must be free on the disk all the same, because a large value may not fit the gaps of the file.
 */
export class DiskReserve {
  readonly #folder: string;
  readonly #reserveBytes: number;
  readonly #clock: Clock;
  readonly #reusableBytes: () => number;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #refusal: DiskFullError | null = null;

  /** @param reusableBytes room within the data file */
  constructor(folder: string, reserveBytes: number, clock: Clock, reusableBytes: () => number) {
    this.#folder = folder;
    this.#reserveBytes = reserveBytes;
    this.#clock = clock;
    this.#reusableBytes = reusableBytes;
  }

  /** The error to answer ingest with while there is less room than the reserve, else null. */
  refusal(): DiskFullError | null {
    if (this.#reserveBytes === 0) return null;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#readAtMs > READING_MS_MAX) {
      this.#refusal = this.#read();
      this.#readAtMs = nowMs;
    }
    return this.#refusal;
  }

  #read(): DiskFullError | null {
    const { bavail, bsize } = statfsSync(this.#folder);
    const freeBytes = bavail * bsize;
    const reserveBytes = this.#reserveBytes;
    if (freeBytes >= reserveBytes) return null;
    const reusableBytes = this.#reusableBytes();
    if (freeBytes >= reserveBytes / 4 && freeBytes + reusableBytes >= reserveBytes) return null;
    return new DiskFullError(
      "disk_full",
      `the disk has ${freeBytes} bytes free, and the data file ${reusableBytes}: less than the reserve of ` +
        `${reserveBytes}; reads go on`,
      { freeBytes, reusableBytes, reserveBytes },
    );
  }
}
