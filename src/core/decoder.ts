import { assert } from "../base/assert.ts";
import type { BodyFormat, EventError, FieldMapping } from "../engine/ingest.ts";
import type { InputError } from "../errors.ts";
import * as limits from "../limits.ts";
import type { Core } from "./core.ts";
import * as layout from "./layout.ts";
import { mappingBytes } from "./mapping.ts";
import { region } from "./memory.ts";
import { bodyRefusal, type DecoderLimits, eventError } from "./messages.ts";
import * as status from "./status.ts";

/** What became of one body. */
export interface DecodedBody {
  /** Why nothing of the body was taken; its rows are dropped. */
  readonly refusal: InputError | null;
  /** With a refusal: the body did not fit beside the group's other ones, so a fresh group may take it. */
  readonly groupFull: boolean;
  /** Its rows of the group, dropped ones included. */
  readonly rowBegin: number;
  readonly rowEnd: number;
  /** Events in the body, rejected ones included; blank NDJSON lines are none. */
  readonly events: number;
  readonly rejected: number;
  /** At most `receiptErrorsMax` of the rejections. */
  readonly errors: readonly EventError[];
}

const FORMATS: Readonly<Record<BodyFormat, number>> = {
  "json-event": layout.FORMAT_JSON_EVENT,
  "json-batch": layout.FORMAT_JSON_BATCH,
  ndjson: layout.FORMAT_NDJSON,
  "msgpack-event": layout.FORMAT_MSGPACK_EVENT,
  "msgpack-batch": layout.FORMAT_MSGPACK_BATCH,
};

const DEFAULT_LIMITS: DecoderLimits = { ...limits, rowsMax: limits.segmentRowsMax };

const LIMIT_OFFSETS: readonly (readonly [number, keyof DecoderLimits])[] = [
  [layout.DECODER_LIMIT_EVENT_BYTES, "eventBytesMax"],
  [layout.DECODER_LIMIT_KEY_BYTES, "keyBytesMax"],
  [layout.DECODER_LIMIT_PATH_BYTES, "pathBytesMax"],
  [layout.DECODER_LIMIT_STRING_BYTES, "stringBytesMax"],
  [layout.DECODER_LIMIT_EVENT_DEPTH, "eventDepthMax"],
  [layout.DECODER_LIMIT_BODY_DEPTH, "bodyDepthMax"],
  [layout.DECODER_LIMIT_EVENTS, "batchEventsMax"],
  [layout.DECODER_LIMIT_COLUMNS, "batchColumnsMax"],
  [layout.DECODER_LIMIT_LEAVES, "eventColumnsMax"],
  [layout.DECODER_LIMIT_ERRORS, "receiptErrorsMax"],
  [layout.DECODER_LIMIT_ROWS, "rowsMax"],
];

/**
 * Bodies in linear memory to rows of a group, and a group to one ColumnBatch: begin, decode …, finish.
 * It owns REGION_DECODER. Between decode and finish the dedup kernel may drop rows by setting bits
 * at `droppedAddress`.
 */
export class Decoder {
  readonly #core: Core;
  readonly #base: number;
  readonly #limits: DecoderLimits;

  /** `seed`: at least 32 random bytes, for the ids that the engine makes. */
  constructor(core: Core, seed: Uint8Array, custom: Partial<DecoderLimits> = {}) {
    this.#core = core;
    this.#limits = { ...DEFAULT_LIMITS, ...custom };
    this.#base = region(core.memory, layout.REGION_DECODER).base;
    assert(seed.length >= 32, "the ids' seed has 32 bytes");
    assert(this.#limits.eventBytesMax <= limits.eventBytesMax, "an event fits the scratch");
    assert(this.#limits.pathBytesMax <= limits.pathBytesMax, "a path fits its scratch");
    assert(this.#limits.rowsMax <= limits.segmentRowsMax, "a group fits a segment");
    for (const [offset, name] of LIMIT_OFFSETS) {
      core.view.setUint32(this.#base + offset, this.#limits[name], true);
    }
    const state = this.#base + layout.DECODER_UUID_STATE;
    core.u8.fill(0, state, state + 64);
    core.u8.set(seed.subarray(0, 32), state);
    assert(this.#call("decoderFormat") === status.OK, "the decoder region holds its fixed areas");
  }

  /** Begins a group whose rows are all received at this time. */
  begin(receivedAtUs: bigint): void {
    assert(this.#call("decoderBegin", receivedAtUs) === status.OK, "an empty schema fits");
  }

  /** Decodes the `length` bytes at `address`. Throws InputError for a mapping that can't be used. */
  decode(address: number, length: number, format: BodyFormat, mapping?: FieldMapping): DecodedBody {
    const isMessagePack = format.startsWith("msgpack");
    const mappingLength = mapping === undefined ? 0 : this.#putMapping(mapping);
    const kernel = isMessagePack ? "decodeMessagePack" : "decodeJson";
    const code = this.#call(kernel, address, length, FORMATS[format], mappingLength);
    const read = (offset: number) => this.#core.view.getUint32(this.#base + offset, true);
    const rows = {
      rowBegin: read(layout.DECODER_ROW_BEGIN),
      rowEnd: read(layout.DECODER_ROW_END),
      events: read(layout.DECODER_EVENTS),
      rejected: read(layout.DECODER_REJECTED),
    };
    if (code === status.OK && rows.rejected === 0) {
      return { refusal: null, groupFull: false, ...rows, errors: [] };
    }
    const body = this.#core.u8.subarray(address, address + length);
    const isEvent = format.endsWith("event");
    const context = { body, limits: this.#limits, isMessagePack, isEvent };
    if (code === status.OK) {
      return { refusal: null, groupFull: false, ...rows, errors: this.#errors(context) };
    }
    const offset = read(layout.DECODER_OFFSET);
    const argument = read(layout.DECODER_ARGUMENT);
    const refusal = bodyRefusal({ code, offset, argument }, context);
    return { refusal, groupFull: read(layout.DECODER_GROUP_FULL) === 1, ...rows, errors: [] };
  }

  /** Rows of the group that are not dropped. */
  keptRows(): number {
    return this.#call("decoderKeptRows");
  }

  /** Bytes that the group's cells and texts take. */
  memoryUsed(): number {
    return this.#call("decoderUsed");
  }

  /** Bytes that `finish` may need at most, the room for the lateness section included. */
  batchBytesMax(): number {
    return this.#call("decoderCapacity");
  }

  /** 16 bytes a row. */
  idsAddress(): number {
    return this.#core.view.getUint32(this.#base + layout.DECODER_IDS, true);
  }

  /** Bitmap: the engine made the row's id. */
  madeAddress(): number {
    return this.#core.view.getUint32(this.#base + layout.DECODER_MADE, true);
  }

  /** i64 µs a row. */
  timestampsAddress(): number {
    return this.#core.view.getUint32(this.#base + layout.DECODER_TIMESTAMPS, true);
  }

  /** Bitmap: the row is left out by `finish`. */
  droppedAddress(): number {
    return this.#core.view.getUint32(this.#base + layout.DECODER_DROPPED, true);
  }

  /**
   * Writes the group as a ColumnBatch at `out`, a multiple of 16, without checksum, duplicates and rejected counts.
   * Answers its length, or 0 when `capacity` is too small for it and the lateness section that may follow.
   */
  finish(out: number, capacity: number, firstSequence: bigint): number {
    return this.#call("decoderFinish", out, capacity, firstSequence);
  }

  #putMapping(mapping: FieldMapping): number {
    const bytes = mappingBytes(mapping);
    assert(bytes.length <= layout.DECODER_MAPPING_SIZE, "a mapping fits its area");
    const at = this.#core.view.getUint32(this.#base + layout.DECODER_MAPPING, true);
    this.#core.u8.set(bytes, at);
    return bytes.length;
  }

  #errors(context: Parameters<typeof eventError>[2]): EventError[] {
    const { view } = this.#core;
    const count = view.getUint32(this.#base + layout.DECODER_ERRORS, true);
    const list = view.getUint32(this.#base + layout.DECODER_ERROR_LIST, true);
    return Array.from({ length: count }, (_, i) => {
      const read = (word: number) => view.getUint32(list + i * 16 + word * 4, true);
      return eventError(read(0), { code: read(1), offset: read(2), argument: read(3) }, context);
    });
  }

  #call(name: string, ...values: (number | bigint)[]): number {
    const kernel = this.#core.exports[name];
    assert(kernel !== undefined, `the core exports ${name}`);
    return Number(kernel(...values)) >>> 0;
  }
}
