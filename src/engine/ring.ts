import * as layout from "../core/layout.ts";
import { region } from "../core/memory.ts";
import type { BodyFormat } from "./ingest.ts";

// The intake ring: bodies on their way from the HTTP thread to the engine thread, in order.
//
// One thread pushes, one takes; neither waits. `used` is the only word that both write, always with an
// atomic add, and a body is published by it: everything before it is visible to the thread that reads it.
//
//   0   used u32 (atomic), bytes between tail and head, frame headers and skipped ends included
//   4   tail u32, offset of the next frame to take: the taker's, but the pusher resets it when all is taken
//   8   asleep u32 (atomic): how the engine wants to be told of a push, see AWAKE, DOZING and ASLEEP
//   64  frames, each 16-byte aligned and contiguous
//
// A frame is a 32-byte header, the body unless it lies in the region of bodies, the options text, and padding:
//   0 frame size u32 │ 4 request id u32 │ 8 body size u32 │ 12 options size u32 │ 16 format u8 │ 17 durable u8
//   20 address u32 of a body that lies elsewhere, 0: it is in the frame
// A frame size with SKIP set says that the rest up to the ring's end is unused and the next frame is at 64.

const USED = 0;
const TAIL = 4;
const REST = 8;
const FRAMES = 64;
const HEADER_SIZE = 32;
/** Kernels may read this many bytes past a body. */
const SLACK = 64;
const SKIP = 0x8000_0000;

/** What the engine does while the ring is empty, and so what a push has to do. */
const AWAKE = 0; // it looks by itself
const DOZING = 1; // a flush will make it look: small bodies may wait for that
const ASLEEP = 2; // nothing else will: every push wakes it
/** Queued bytes that are worth waking a dozing engine for: decoding them takes longer than the message. */
const DOZE_BYTES_MAX = 16 * 1024;

const formats: readonly BodyFormat[] = [
  "json-event",
  "json-batch",
  "ndjson",
  "msgpack-event",
  "msgpack-batch",
];

export interface Frame {
  readonly requestId: number;
  /** Absolute address of the body. */
  readonly body: number;
  readonly length: number;
  readonly format: BodyFormat;
  readonly durable: boolean;
  /** JSON text of what few requests carry: the mapping and the idempotency key. Empty for the rest. */
  readonly options: string;
}

abstract class Ring {
  protected readonly base: number;
  protected readonly size: number;
  protected readonly u8: Uint8Array;
  protected readonly words: Int32Array;
  protected readonly view: DataView;

  constructor(memory: WebAssembly.Memory) {
    const { base, size } = region(memory, layout.REGION_RING);
    this.base = base;
    this.size = size - SLACK;
    this.u8 = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.view = new DataView(memory.buffer);
  }

  protected word(offset: number): number {
    return (this.base + offset) >> 2;
  }

  /** Bytes that are queued. */
  used(): number {
    return Atomics.load(this.words, this.word(USED));
  }
}

/** The HTTP thread's end. */
export class RingWriter extends Ring {
  #head = FRAMES;

  /**
   * Queues a body: copies the chunks in, or names the place where it lies. Returns false, having written nothing,
   * when there is no room for it now.
   */
  push(frame: Omit<Frame, "body">, body: readonly Uint8Array[] | number): boolean {
    const options = frame.options === "" ? null : Buffer.from(frame.options);
    const optionsLength = options?.length ?? 0;
    const inside = typeof body === "number" ? 0 : frame.length;
    const need = align(HEADER_SIZE + inside + optionsLength);
    const start = this.#reserve(need);
    if (start < 0) return false;
    const at = this.base + start;
    this.view.setUint32(at, need, true);
    this.view.setUint32(at + 4, frame.requestId, true);
    this.view.setUint32(at + 8, frame.length, true);
    this.view.setUint32(at + 12, optionsLength, true);
    this.view.setUint8(at + 16, formats.indexOf(frame.format));
    this.view.setUint8(at + 17, frame.durable ? 1 : 0);
    this.view.setUint32(at + 20, typeof body === "number" ? body : 0, true);
    let out = at + HEADER_SIZE;
    for (const chunk of typeof body === "number" ? [] : body) {
      this.u8.set(chunk, out);
      out += chunk.length;
    }
    if (options) this.u8.set(options, out);
    this.#head = start + need;
    Atomics.add(this.words, this.word(USED), need);
    return true;
  }

  /** Where `need` contiguous bytes are free, or -1. Skips the ring's end when they do not fit there. */
  #reserve(need: number): number {
    const used = this.used();
    if (used === 0) {
      // Nothing is queued, so the taker touches nothing: starting over keeps the touched memory small.
      this.#head = FRAMES;
      this.view.setUint32(this.base + TAIL, FRAMES, true);
    }
    const free = this.size - FRAMES - used;
    const untilEnd = this.size - this.#head;
    if (need <= untilEnd) return need <= free ? this.#head : -1;
    if (untilEnd + need > free) return -1;
    if (untilEnd > 0) {
      this.view.setUint32(this.base + this.#head, (untilEnd | SKIP) >>> 0, true);
      Atomics.add(this.words, this.word(USED), untilEnd);
    }
    return FRAMES;
  }

  /** True when the engine has to be woken by a message for a body of `length` bytes that was pushed. */
  takeAsleep(length: number): boolean {
    const rest = Atomics.load(this.words, this.word(REST));
    if (rest === AWAKE) return false;
    if (rest === DOZING && length < DOZE_BYTES_MAX && this.used() < DOZE_BYTES_MAX) return false;
    return Atomics.exchange(this.words, this.word(REST), AWAKE) !== AWAKE;
  }
}

/** The engine thread's end. */
export class RingReader extends Ring {
  #ascii = new TextDecoder();

  /** The oldest frame, which stays queued until `release`. */
  peek(): Frame | null {
    if (this.used() === 0) return null;
    let tail = this.view.getUint32(this.base + TAIL, true);
    if (tail === this.size) tail = this.#moveTail(FRAMES);
    const size = this.view.getUint32(this.base + tail, true);
    if (size & SKIP) {
      this.#moveTail(FRAMES);
      Atomics.sub(this.words, this.word(USED), (size & ~SKIP) >>> 0);
      return this.peek();
    }
    const at = this.base + tail;
    const length = this.view.getUint32(at + 8, true);
    const optionsLength = this.view.getUint32(at + 12, true);
    const elsewhere = this.view.getUint32(at + 20, true);
    const optionsAt = at + HEADER_SIZE + (elsewhere === 0 ? length : 0);
    return {
      requestId: this.view.getUint32(at + 4, true),
      body: elsewhere === 0 ? at + HEADER_SIZE : elsewhere,
      length,
      format: formats[this.view.getUint8(at + 16)] as BodyFormat,
      durable: this.view.getUint8(at + 17) === 1,
      options:
        optionsLength === 0
          ? ""
          : this.#ascii.decode(this.u8.slice(optionsAt, optionsAt + optionsLength)),
    };
  }

  #moveTail(to: number): number {
    this.view.setUint32(this.base + TAIL, to, true);
    return to;
  }

  /** Gives the oldest frame's memory back. */
  release(): void {
    const tail = this.view.getUint32(this.base + TAIL, true);
    const size = this.view.getUint32(this.base + tail, true);
    this.#moveTail(tail + size);
    Atomics.sub(this.words, this.word(USED), size);
  }

  /**
   * Says that pushes have to wake the engine: all of them, or, while a flush is awaited, those worth the message.
   * Returns false when something came in meanwhile.
   */
  fallAsleep(flushing: boolean): boolean {
    Atomics.store(this.words, this.word(REST), flushing ? DOZING : ASLEEP);
    if (this.used() === 0) return true;
    Atomics.store(this.words, this.word(REST), AWAKE);
    return false;
  }
}

function align(size: number): number {
  return (size + 15) & ~15;
}
