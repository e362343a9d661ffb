import { InputError } from "../errors.ts";
import {
  BatchBuilder,
  type BatchCutter,
  type BatchLimits,
  type EventBatch,
} from "./batch-cutter.ts";

/** What a MessagePack value's first bytes say: how many bytes and how many values follow them. */
interface Head {
  /** Bytes of the head itself: the type byte and its length field. */
  readonly size: number;
  /** Bytes of payload after the head. */
  readonly payload: number;
  /** Values inside: the elements of an array, twice the pairs of a map. */
  readonly inside: number;
  readonly isArray: boolean;
}

/** Bytes of the length field after a type byte in 0xc0…0xdf; bytes of fixed payload; what the field counts. */
const EXTENDED: readonly (readonly [
  field: number,
  fixed: number,
  counts: "bytes" | "pairs" | "items",
])[] = [
  [0, 0, "bytes"], // c0 nil
  [0, 0, "bytes"], // c1 is never used; refused before
  [0, 0, "bytes"], // c2 false
  [0, 0, "bytes"], // c3 true
  [1, 0, "bytes"], // c4 bin 8
  [2, 0, "bytes"], // c5 bin 16
  [4, 0, "bytes"], // c6 bin 32
  [1, 1, "bytes"], // c7 ext 8: length, type, payload
  [2, 1, "bytes"], // c8 ext 16
  [4, 1, "bytes"], // c9 ext 32
  [0, 4, "bytes"], // ca float 32
  [0, 8, "bytes"], // cb float 64
  [0, 1, "bytes"], // cc uint 8
  [0, 2, "bytes"], // cd uint 16
  [0, 4, "bytes"], // ce uint 32
  [0, 8, "bytes"], // cf uint 64
  [0, 1, "bytes"], // d0 int 8
  [0, 2, "bytes"], // d1 int 16
  [0, 4, "bytes"], // d2 int 32
  [0, 8, "bytes"], // d3 int 64
  [0, 2, "bytes"], // d4 fixext 1
  [0, 3, "bytes"], // d5 fixext 2
  [0, 5, "bytes"], // d6 fixext 4
  [0, 9, "bytes"], // d7 fixext 8
  [0, 17, "bytes"], // d8 fixext 16
  [1, 0, "bytes"], // d9 str 8
  [2, 0, "bytes"], // da str 16
  [4, 0, "bytes"], // db str 32
  [2, 0, "items"], // dc array 16
  [4, 0, "items"], // dd array 32
  [2, 0, "pairs"], // de map 16
  [4, 0, "pairs"], // df map 32
];

/** Reads the head at `at`, or answers undefined when the bytes end inside it. */
function readHead(bytes: Buffer, at: number): Head | undefined {
  const type = bytes[at] as number;
  if (type < 0x80 || type >= 0xe0) return { size: 1, payload: 0, inside: 0, isArray: false };
  if (type < 0x90) return { size: 1, payload: 0, inside: (type & 15) * 2, isArray: false };
  if (type < 0xa0) return { size: 1, payload: 0, inside: type & 15, isArray: true };
  if (type < 0xc0) return { size: 1, payload: type & 31, inside: 0, isArray: false };
  const [field, fixed, counts] = EXTENDED[type - 0xc0] as (typeof EXTENDED)[number];
  if (at + 1 + field > bytes.length) return undefined;
  const length = field === 0 ? 0 : bytes.readUIntBE(at + 1, field);
  return {
    size: 1 + field,
    payload: fixed + (counts === "bytes" ? length : 0),
    inside: counts === "items" ? length : counts === "pairs" ? length * 2 : 0,
    isArray: counts === "items",
  };
}

/**
 * Cuts a stream of values, or the elements of arrays at its top, without decoding them. Of a value only its
 * size is read: how many payload bytes and inner values are still to come, so nesting costs no memory.
 */
export function msgpackCutter(limits: BatchLimits): BatchCutter {
  return new MsgpackCutter(limits);
}

class MsgpackCutter implements BatchCutter {
  private readonly builder: BatchBuilder;
  /** Bytes of a head that the last chunk cut off. */
  private carry = Buffer.alloc(0);
  private payload = 0;
  /** Values still to be read before the event is complete; 0 between events. */
  private values = 0;
  /** Elements of the array at the top that have not begun. */
  private elements = 0;
  private offset = 0;

  constructor(limits: BatchLimits) {
    this.builder = new BatchBuilder({ open: "", between: "", close: "" }, limits);
  }

  push(chunk: Uint8Array): EventBatch[] {
    const view = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const bytes = this.carry.length === 0 ? view : Buffer.concat([this.carry, view]);
    this.carry = Buffer.alloc(0);
    this.scan(bytes);
    return this.builder.take();
  }

  end(): EventBatch[] {
    if (this.carry.length > 0 || this.payload > 0 || this.values > 0 || this.elements > 0) {
      const byteOffset = this.offset + this.carry.length;
      const { eventIndex } = this.builder;
      throw new InputError(
        "cut_off",
        `the file ends inside event ${eventIndex}, at byte ${byteOffset}`,
        { byteOffset, eventIndex },
      );
    }
    this.builder.flush();
    return this.builder.take();
  }

  private scan(bytes: Buffer): void {
    let at = 0;
    /** Where the bytes begin that belong to the event being read and are not in the builder yet. */
    let start = 0;
    while (at < bytes.length) {
      let taken: number;
      if (this.payload > 0) {
        taken = Math.min(this.payload, bytes.length - at);
        this.payload -= taken;
      } else {
        const head = readHead(bytes, at);
        if (head === undefined) {
          this.carry = Buffer.from(bytes.subarray(at));
          break;
        }
        taken = head.size;
        if (this.belongsToEvent(head, bytes[at] as number)) {
          this.payload = head.payload;
          this.values += head.inside - 1;
        } else {
          start = at + taken;
        }
      }
      at += taken;
      this.offset += taken;
      if (this.values === 0 && this.payload === 0 && start < at) {
        this.builder.append(bytes.subarray(start, at));
        this.builder.endEvent();
        start = at;
      }
    }
    if (start < at) this.builder.append(bytes.subarray(start, at));
  }

  /** False for the head of an array at the top, whose elements are the events. */
  private belongsToEvent(head: Head, type: number): boolean {
    if (type === 0xc1) {
      throw new InputError(
        "invalid_msgpack",
        `got the unused type byte 0xc1 at byte ${this.offset}`,
        { byteOffset: this.offset },
      );
    }
    if (this.values > 0) return true;
    if (this.elements === 0 && head.isArray) {
      this.elements = head.inside;
      return false;
    }
    if (this.elements > 0) this.elements--;
    this.values = 1;
    return true;
  }
}
