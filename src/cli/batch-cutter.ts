import { InputError } from "../errors.ts";
import { bodyBytesMax } from "../limits.ts";

/** A body made of whole events. */
export interface EventBatch {
  readonly body: Uint8Array;
  readonly events: number;
  /** Place of the first event in its file, counted from 0. */
  readonly firstEvent: number;
}

/** When a batch is full. One event beyond `bytes` still makes a batch of its own. */
export interface BatchLimits {
  readonly events: number;
  readonly bytes: number;
}

/** What stands around and between the events of a body. */
export interface BatchFrame {
  readonly open: string;
  readonly between: string;
  readonly close: string;
}

/** Cuts the bytes of one file into batches at event boundaries. Memory: one batch and one chunk. */
export interface BatchCutter {
  /** Takes the next bytes, which may end anywhere; answers the batches that they completed. */
  push(chunk: Uint8Array): EventBatch[];
  /** The file has ended: answers the last batch, or throws an InputError when it ends inside an event. */
  end(): EventBatch[];
}

/**
 * Collects events into batches: `append` adds bytes to the event being read, `endEvent` completes it.
 * Bytes are copied at once, so a chunk may be reused by its owner.
 */
export class BatchBuilder {
  private readonly open: Buffer;
  private readonly between: Buffer;
  private readonly close: Buffer;
  private readonly limits: BatchLimits;
  private buffer: Buffer;
  /** Bytes of complete events, with what stands between them. */
  private complete = 0;
  private length = 0;
  private eventsHere = 0;
  private eventsBefore = 0;
  private eventOpen = false;
  private ready: EventBatch[] = [];

  constructor(frame: BatchFrame, limits: BatchLimits) {
    this.open = Buffer.from(frame.open);
    this.between = Buffer.from(frame.between);
    this.close = Buffer.from(frame.close);
    this.limits = limits;
    this.buffer = Buffer.allocUnsafe(Math.min(limits.bytes, bodyBytesMax));
  }

  /** Place in the file of the event being read, counted from 0. */
  get eventIndex(): number {
    return this.eventsBefore + this.eventsHere;
  }

  append(bytes: Uint8Array): void {
    if (this.length + bytes.length + this.between.length + this.close.length > this.limits.bytes) {
      this.flush();
    }
    if (!this.eventOpen) {
      this.eventOpen = true;
      this.write(this.eventsHere === 0 ? this.open : this.between);
    }
    this.write(bytes);
  }

  endEvent(): void {
    this.eventOpen = false;
    this.complete = this.length;
    this.eventsHere++;
    if (this.eventsHere >= this.limits.events || this.complete >= this.limits.bytes) this.flush();
  }

  /** The batches completed since the last call. */
  take(): EventBatch[] {
    const ready = this.ready;
    this.ready = [];
    return ready;
  }

  /** Makes a batch of the complete events, if there are any; an event being read goes on in the next one. */
  flush(): void {
    if (this.eventsHere === 0) return;
    const rest = this.eventOpen
      ? this.buffer.subarray(this.complete + this.between.length, this.length)
      : undefined;
    const full = this.buffer;
    this.buffer = Buffer.allocUnsafe(Math.min(this.limits.bytes, bodyBytesMax));
    this.length = 0;
    if (rest !== undefined) {
      this.reserve(this.open.length + rest.length);
      this.length += this.open.copy(this.buffer, this.length);
      this.length += rest.copy(this.buffer, this.length);
    }
    this.close.copy(full, this.complete);
    this.ready.push({
      body: full.subarray(0, this.complete + this.close.length),
      events: this.eventsHere,
      firstEvent: this.eventsBefore,
    });
    this.eventsBefore += this.eventsHere;
    this.eventsHere = 0;
    this.complete = 0;
  }

  private write(bytes: Uint8Array): void {
    this.reserve(this.length + bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Makes room for `length` bytes and the closing ones after them. */
  private reserve(length: number): void {
    const needed = length + this.close.length;
    if (needed <= this.buffer.length) return;
    if (needed > bodyBytesMax) {
      throw new InputError(
        "event_too_large",
        `event ${this.eventIndex} is larger than a body may be, ${bodyBytesMax} bytes`,
        { eventIndex: this.eventIndex },
      );
    }
    const larger = Buffer.allocUnsafe(Math.min(Math.max(needed, length * 2), bodyBytesMax));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}
