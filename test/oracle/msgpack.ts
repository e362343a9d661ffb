// The plain twin of the MessagePack decoder: a recursive reader that turns a body into JSON text, whose
// meaning the JSON decoder's twin knows.
import { decodePlain, type PlainBody } from "./decode.ts";
import { firstInvalidUtf8 } from "./leaves.ts";

/** The body is refused: the API's code and the byte offset. */
export class Refusal extends Error {
  readonly offset: number;

  constructor(code: string, offset: number) {
    super(code);
    this.offset = offset;
  }
}

interface Value {
  kind: "map" | "array" | "other";
  /** JSON text; numbers beyond f64 as 1e999. */
  json: string;
  /** Of a map: its keys and values; of an array: its elements. */
  members: { key: string; at: number; value: Value }[];
  begin: number;
}

export class PlainReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at = 0;
  /** A map key that is no str was met. */
  hasOtherKey = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(): Value {
    const begin = this.at;
    const type = this.#take(1, (at) => this.#view.getUint8(at));
    const other = (json: string): Value => ({ kind: "other", json, members: [], begin });
    const integer = (value: number | bigint) => other(String(value));
    if (type < 0x80) return integer(type);
    if (type < 0x90) return this.#map(type & 15, begin);
    if (type < 0xa0) return this.#array(type & 15, begin);
    if (type < 0xc0) return other(JSON.stringify(this.#text(type & 31)));
    if (type >= 0xe0) return integer(type - 256);
    const size = (bytes: 1 | 2 | 4) => Number(this.#unsigned(bytes));
    switch (type) {
      case 0xc0:
        return other("null");
      case 0xc1:
        throw new Refusal("invalid_type_byte", begin);
      case 0xc2:
        return other("false");
      case 0xc3:
        return other("true");
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return other(JSON.stringify(base64(this.#data(size([1, 2, 4][type - 0xc4] as 1 | 2 | 4)))));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return other(this.#extension(size([1, 2, 4][type - 0xc7] as 1 | 2 | 4)));
      case 0xca:
        return other(numberText(this.#take(4, (at) => this.#view.getFloat32(at))));
      case 0xcb:
        return other(numberText(this.#take(8, (at) => this.#view.getFloat64(at))));
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf: {
        const value = this.#unsigned((1 << (type - 0xcc)) as 1 | 2 | 4 | 8);
        return value < 2n ** 63n ? integer(value) : other(numberText(Number(value)));
      }
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3: {
        const width = 1 << (type - 0xd0);
        return integer(BigInt.asIntN(width * 8, this.#unsigned(width as 1 | 2 | 4 | 8)));
      }
      case 0xd9:
      case 0xda:
      case 0xdb:
        return other(JSON.stringify(this.#text(size([1, 2, 4][type - 0xd9] as 1 | 2 | 4))));
      case 0xdc:
        return this.#array(size(2), begin);
      case 0xdd:
        return this.#array(size(4), begin);
      case 0xde:
        return this.#map(size(2), begin);
      case 0xdf:
        return this.#map(size(4), begin);
      default:
        return other(this.#extension(1 << (type - 0xd4)));
    }
  }

  #take<T>(size: number, read: (at: number) => T): T {
    if (this.at + size > this.#bytes.length) throw this.cutOff();
    const value = read(this.at);
    this.at += size;
    return value;
  }

  cutOff(): Refusal {
    return new Refusal("body_cut_off", this.#bytes.length);
  }

  #unsigned(size: 1 | 2 | 4 | 8): bigint {
    return this.#take(size, (at) => {
      let value = 0n;
      for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(this.#view.getUint8(at + i));
      return value;
    });
  }

  #data(size: number): Uint8Array {
    return this.#take(size, (at) => this.#bytes.subarray(at, at + size));
  }

  #text(size: number): string {
    const begin = this.at;
    const bytes = this.#data(size);
    const bad = firstInvalidUtf8(bytes);
    if (bad !== size) throw new Refusal("invalid_utf8", begin + bad);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  }

  #extension(size: number): string {
    const type = this.#take(1, (at) => this.#view.getInt8(at));
    const data = this.#data(size);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (type === -1) {
      const head = size === 8 ? view.getBigUint64(0) : 0n;
      if (size === 4) return timeText(BigInt(view.getUint32(0)), 0) ?? "";
      if (size === 8) {
        const text = timeText(head & 0x3_ffff_ffffn, Number(head >> 34n));
        if (text !== undefined) return text;
      }
      if (size === 12) {
        const text = timeText(view.getBigInt64(4), view.getUint32(0));
        if (text !== undefined) return text;
      }
    }
    return `{"ext":${type},"data":${JSON.stringify(base64(data))}}`;
  }

  #map(count: number, begin: number): Value {
    if (count * 2 > this.#bytes.length - this.at) throw this.cutOff();
    const members: Value["members"] = [];
    for (let i = 0; i < count; i++) {
      const at = this.at;
      const type = this.#bytes[at] ?? 0;
      const isText = (type >= 0xa0 && type < 0xc0) || (type >= 0xd9 && type <= 0xdb);
      const key = this.value();
      if (!isText) this.hasOtherKey = true;
      members.push({
        key: isText ? (JSON.parse(key.json) as string) : "",
        at,
        value: this.value(),
      });
    }
    const json = `{${members.map(({ key, value }) => `${JSON.stringify(key)}:${value.json}`)}}`;
    return { kind: "map", json, members, begin };
  }

  #array(count: number, begin: number): Value {
    if (count > this.#bytes.length - this.at) throw this.cutOff();
    const members: Value["members"] = [];
    for (let i = 0; i < count; i++) {
      const at = this.at;
      members.push({ key: "", at, value: this.value() });
    }
    return { kind: "array", json: `[${members.map(({ value }) => value.json)}]`, members, begin };
  }
}

function base64(data: Uint8Array): string {
  return Buffer.from(data).toString("base64");
}

/** JSON text of a double: whole ones in i64's range with all their digits, so that they are integers. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return "1e999";
  if (Object.is(value, -0)) return "-0";
  if (Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63)
    return String(BigInt(value));
  return String(value);
}

/** A quoted RFC 3339 time with 0, 3, 6 or 9 digits of fraction; undefined outside years 0001 to 9999. */
function timeText(seconds: bigint, nanoseconds: number): string | undefined {
  if (nanoseconds > 999_999_999) return undefined;
  if (seconds < -62_135_596_800n || seconds >= 253_402_300_800n) return undefined;
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = String(nanoseconds)
    .padStart(9, "0")
    .replace(/(000)+$/, "");
  return `"${date}${fraction === "" ? "" : `.${fraction}`}Z"`;
}

/**
 * What becomes of a body under `msgpack-batch`. Undefined: a map key in it is no str, whose order among other
 * faults of its event this twin does not follow.
 */
export function decodePlainMessagePack(bytes: Uint8Array): PlainBody | Refusal | undefined {
  const reader = new PlainReader(bytes);
  const events: Value[] = [];
  try {
    if (bytes.length === 0) throw new Refusal("empty_body", 0);
    while (reader.at < bytes.length) {
      const value = reader.value();
      const lists = value.members.filter((m) => m.key === "events" && m.value.kind === "array");
      const hasType = value.members.some(({ key }) => key === "event_type");
      if (value.kind === "map" && value.begin === 0 && lists.length > 0 && !hasType) {
        if (lists.length > 1) throw new Refusal("duplicate_events_key", lists.at(-1)?.at ?? 0);
        const others = value.members.filter((member) => member !== lists[0]);
        if (others.length > 0) throw new Refusal("not_events", others.at(-1)?.at ?? 0);
        events.push(...(lists[0]?.value.members ?? []).map((member) => member.value));
        if (reader.at < bytes.length) throw new Refusal("trailing_bytes", reader.at);
      } else if (value.kind === "array") {
        events.push(...value.members.map((member) => member.value));
      } else if (value.kind === "map") {
        events.push(value);
      } else {
        throw new Refusal("not_events", value.begin);
      }
    }
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  if (reader.hasOtherKey) return undefined;
  return decodePlain(Buffer.from(`[${events.map(({ json }) => json)}]`), "json-batch");
}
