import type { Core } from "../core/core.ts";
import type { Decoder } from "../core/decoder.ts";
import { segmentRowsMax } from "../limits.ts";

/** The timestamps of the rows of a body that were left out as duplicates. */
export class DuplicateTimes {
  readonly #core: Core;
  readonly #decoder: Decoder;
  readonly #rejected = new Uint8Array(segmentRowsMax / 8);

  constructor(core: Core, decoder: Decoder) {
    this.#core = core;
    this.#decoder = decoder;
  }

  /** Before duplicates are looked for: decoding has left out some of these rows already. */
  begin(rowBegin: number, rowEnd: number, anyRejected: boolean): void {
    const [first, end] = [rowBegin >>> 3, (rowEnd + 7) >>> 3];
    if (!anyRejected) {
      this.#rejected.fill(0, first, end);
      return;
    }
    const dropped = this.#decoder.droppedAddress();
    this.#rejected.set(this.#core.u8.subarray(dropped + first, dropped + end), first);
  }

  /** After that: the timestamps of the `count` duplicates among them, µs, in row order. */
  read(rowBegin: number, rowEnd: number, count: number): BigInt64Array {
    const { u8, view } = this.#core;
    const times = new BigInt64Array(count);
    const timestamps = this.#decoder.timestampsAddress();
    const dropped = this.#decoder.droppedAddress();
    let found = 0;
    for (let byte = rowBegin >>> 3; byte < (rowEnd + 7) >>> 3; byte++) {
      const bits = (u8[dropped + byte] as number) & ~(this.#rejected[byte] as number);
      if (bits === 0) continue;
      for (let bit = 0; bit < 8; bit++) {
        const row = byte * 8 + bit;
        if ((bits & (1 << bit)) === 0 || row < rowBegin || row >= rowEnd) continue;
        times[found++] = view.getBigInt64(timestamps + row * 8, true);
      }
    }
    return times;
  }
}
