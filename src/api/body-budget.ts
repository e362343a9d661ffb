/** Counts the bytes of all bodies that are being received, so that many slow senders can't fill the memory. */
export class BodyBudget {
  readonly bytesMax: number;
  bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** False, and nothing is taken, when `count` more bytes would be too many. */
  take(count: number): boolean {
    if (this.bytes + count > this.bytesMax) return false;
    this.bytes += count;
    return true;
  }

  give(count: number): void {
    this.bytes -= count;
  }
}
