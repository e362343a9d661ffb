/** Marks lie at least this part of the whole span apart. */
const SPAN_PARTS = 512;
/** Beyond it, marks that lie closer than that, as the span has grown since, go. */
const MARKS_MAX = 2 * SPAN_PARTS;

interface Mark {
  readonly entered: number;
  readonly receivedAtUs: bigint;
}

/**
 * How far back in time the ids reach that duplicates are found by.
 *
 * A mark says that every id which was entered after the first `entered` ones came in at `receivedAtUs` or later.
 * Marks are made whenever the figures are read, so the span is right to that interval, or to a five-hundredth of
 * the longest one so far where that is more; it is never too short.
 */
export class DedupSpan {
  #marks: Mark[] = [];

  /** `entered`: ids entered until now, those pushed out since included. Neither value ever falls. */
  mark(entered: number, receivedAtUs: bigint): void {
    const mark = { entered, receivedAtUs };
    const last = this.#marks.at(-1);
    // Nothing came in between: the later time holds for the same ids.
    if (last?.entered === entered) this.#marks.pop();
    else if (last && receivedAtUs - last.receivedAtUs < this.#spacing(receivedAtUs)) return;
    this.#marks.push(mark);
    if (this.#marks.length > MARKS_MAX) this.#thinOut(receivedAtUs);
  }

  /** Seconds between `nowUs` and the arrival of the oldest of the newest `held` ids; 0 without ids. */
  seconds(entered: number, held: number, nowUs: bigint): number {
    if (held === 0) return 0;
    const pushedOut = entered - held;
    const oldest = this.#marks.findLastIndex((mark) => mark.entered <= pushedOut);
    this.#marks.splice(0, Math.max(oldest, 0));
    const oldestUs = this.#marks[0]?.receivedAtUs ?? nowUs;
    return oldestUs > nowUs ? 0 : Number(nowUs - oldestUs) / 1e6;
  }

  #spacing(untilUs: bigint): bigint {
    return (untilUs - (this.#marks[0]?.receivedAtUs ?? untilUs)) / BigInt(SPAN_PARTS);
  }

  #thinOut(untilUs: bigint): void {
    const spacing = this.#spacing(untilUs);
    const kept: Mark[] = [];
    for (const mark of this.#marks) {
      const last = kept.at(-1);
      if (!last || mark.receivedAtUs - last.receivedAtUs >= spacing) kept.push(mark);
    }
    this.#marks = kept;
  }
}
