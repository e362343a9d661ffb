import { decodeMulti } from "@msgpack/msgpack";
import { expect, test } from "vitest";
import { decodePlainMessagePack, numberText, Refusal } from "../oracle/msgpack.ts";
import { mulberry32 } from "../support/random.ts";
import {
  type DecodedEvents,
  decode,
  decodeCore,
  expectPlain,
  finish,
  receivedAtUs,
} from "./decode-core.ts";
import * as pack from "./msgpack-writer.ts";

type Random = () => number;

const core = decodeCore();
const pick = <T>(random: Random, list: readonly T[]): T =>
  list[Math.floor(random() * list.length)] as T;
const upTo = (random: Random, n: number) => Math.floor(random() * n);
const mostly = <T>(random: Random, list: readonly T[]): T =>
  random() < 0.8 ? (list[0] as T) : pick(random, list);

/** A value in MessagePack and in JSON. */
interface Both {
  bytes: pack.Bytes;
  json: string;
}

const TEXTS = [
  "",
  "x",
  "web",
  "0123456789abcde",
  "0123456789abcdef0",
  "ünïcödé",
  "日本語のテキスト",
  "𝄞",
  'q"\\\n\u0001',
  "z".repeat(31),
  "z".repeat(32),
  "long text ".repeat(30),
];
const KEYS = [
  "a",
  "b",
  "id",
  "x.y",
  "",
  "é",
  "event_type",
  "back\\slash",
  "a_key_of_fourteen",
  "k".repeat(31),
  "k".repeat(40),
];
const FIELDS = [
  "id",
  "timestamp",
  "event_type",
  "source",
  "user_id",
  "session_id",
  "properties",
  "extra",
  "a",
];
const TIMES = [
  "2026-11-23T12:00:00Z",
  "2026-11-23T12:00:00.123456+05:30",
  "2026-11-23T12:00:00",
  "never",
];
const IDS = [
  "0190a0a0-1111-7222-8333-444455556666",
  "not-a-uuid",
  "",
  "0190a0a0-1111-7222-8333-44445555666g",
];

function makeText(random: Random, text: string): Both {
  const bytes = [...new TextEncoder().encode(text)];
  return {
    bytes: [...mostly(random, pack.stringHeads(bytes.length)), ...bytes],
    json: JSON.stringify(text),
  };
}

function makeNumber(random: Random): Both {
  const kind = random();
  if (kind < 0.5) {
    const bits = BigInt(upTo(random, 64));
    const value = BigInt.asIntN(64, BigInt(Math.floor(random() * 2 ** 53)) << 11n) >> bits;
    return { bytes: mostly(random, pack.integers(value)), json: String(value) };
  }
  const value = pick(random, [
    random(),
    upTo(random, 1e5) / 100,
    upTo(random, 1000),
    -0,
    1e300,
    -(2 ** 62),
    2 ** 63,
    1e19,
  ]);
  if (kind < 0.6) return { bytes: pack.float32(value), json: numberText(Math.fround(value)) };
  return { bytes: pack.float64(value), json: numberText(value) };
}

function makeValue(random: Random, depth: number): Both {
  const kind = random();
  if (kind < 0.3) return makeText(random, pick(random, TEXTS));
  if (kind < 0.6) return makeNumber(random);
  if (kind < 0.65) return { bytes: pack.nil, json: "null" };
  if (kind < 0.72 || depth > 4) {
    const value = random() < 0.5;
    return { bytes: pack.bool(value), json: String(value) };
  }
  if (kind < 0.76) {
    const data = Array.from({ length: upTo(random, 40) }, () => upTo(random, 256));
    const json = JSON.stringify(Buffer.from(data).toString("base64"));
    return { bytes: [...mostly(random, pack.binaryHeads(data.length)), ...data], json };
  }
  if (kind < 0.88) {
    const items = Array.from({ length: upTo(random, 5) }, () => makeValue(random, depth + 1));
    const head = mostly(random, pack.arrayHeads(items.length));
    return {
      bytes: [...head, ...items.flatMap(({ bytes }) => bytes)],
      json: `[${items.map(({ json }) => json)}]`,
    };
  }
  return makeMap(
    random,
    Array.from({ length: upTo(random, 5) }, () => {
      return [pick(random, KEYS), makeValue(random, depth + 1)];
    }),
  );
}

function makeMap(random: Random, members: readonly (readonly [string, Both])[]): Both {
  const head = mostly(random, pack.mapHeads(members.length));
  const keyed = members.map(([key, value]) => [makeText(random, key), value] as const);
  return {
    bytes: [...head, ...keyed.flatMap(([key, value]) => [...key.bytes, ...value.bytes])],
    json: `{${keyed.map(([key, value]) => `${key.json}:${value.json}`)}}`,
  };
}

function makeEvent(random: Random): Both {
  if (random() < 0.03) return makeValue(random, 2);
  const members: [string, Both][] = [];
  if (random() < 0.95) members.push(["event_type", makeText(random, pick(random, TEXTS))]);
  for (let i = upTo(random, 8); i > 0; i--) {
    const field = pick(random, FIELDS);
    const odd = random() < 0.08;
    if (field === "id" && !odd) members.push([field, makeText(random, pick(random, IDS))]);
    else if (field === "timestamp" && !odd) {
      members.push([field, makeText(random, mostly(random, TIMES))]);
    } else if (field === "properties" && !odd) {
      const inner = Array.from({ length: upTo(random, 8) }, () => {
        return [pick(random, KEYS), makeValue(random, 2)] as [string, Both];
      });
      members.push([field, makeMap(random, inner)]);
    } else if (["extra", "a"].includes(field) || odd) members.push([field, makeValue(random, 2)]);
    else members.push([field, makeText(random, pick(random, TEXTS))]);
  }
  return makeMap(random, members);
}

/** The events as one of the shapes that a body may have, and as the values that an outside decoder finds in it. */
function makeBody(random: Random): { bytes: Uint8Array; values: unknown[] } {
  const events = Array.from({ length: 1 + upTo(random, 6) }, () => makeEvent(random));
  const list = {
    bytes: [
      ...mostly(random, pack.arrayHeads(events.length)),
      ...events.flatMap(({ bytes }) => bytes),
    ],
    json: `[${events.map(({ json }) => json)}]`,
  };
  const shape = random();
  const parse = (both: Both) => JSON.parse(both.json) as unknown;
  if (shape < 0.5) return { bytes: Uint8Array.from(list.bytes), values: [parse(list)] };
  if (shape < 0.6) {
    const envelope = makeMap(random, [["events", list]]);
    return { bytes: Uint8Array.from(envelope.bytes), values: [parse(envelope)] };
  }
  return {
    bytes: Uint8Array.from(events.flatMap(({ bytes }) => bytes)),
    values: events.map(parse),
  };
}

/** What @msgpack/msgpack makes of a body, as JSON has it. */
function outside(bytes: Uint8Array): unknown[] {
  return [...decodeMulti(bytes, { useBigInt64: false })].map(function plain(value): unknown {
    if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  });
}

function decodeBody(bytes: Uint8Array, shift: number): DecodedEvents {
  core.decoder.begin(receivedAtUs);
  const body = decode(core, bytes, "msgpack-batch", undefined, shift);
  return { body, batch: finish(core), events: [] };
}

function check(bytes: Uint8Array, shift: number, note: string): void {
  const want = decodePlainMessagePack(bytes);
  const got = decodeBody(bytes, shift);
  if (want instanceof Refusal) {
    expect([got.body.refusal?.code, got.body.refusal?.detail.byteOffset], note).toEqual([
      want.message,
      want.offset,
    ]);
    expect(core.decoder.keptRows(), note).toBe(0);
  } else if (want !== undefined) {
    expectPlain(got, want, note);
  } else {
    expect(got.body.refusal, note).toBeNull();
  }
}

for (const seed of [1, 2, 3, 4]) {
  test(`random bodies in random encodings mean what their JSON means (seed ${seed})`, () => {
    const random = mulberry32(seed);
    for (let i = 0; i < 250; i++) {
      const { bytes, values } = makeBody(random);
      const note = `seed ${seed}, body ${i}`;
      expect(outside(bytes), note).toEqual(values);
      check(bytes, i % 64, note);
    }
  });

  test(`bodies with bytes changed, cut out and cut off get the plain twin's verdict (seed ${seed})`, () => {
    const random = mulberry32(seed * 7919);
    for (let i = 0; i < 700; i++) {
      const { bytes } = makeBody(random);
      let broken = bytes.slice();
      for (let n = 1 + upTo(random, 3); n > 0 && broken.length > 0; n--) {
        const at = upTo(random, broken.length);
        const kind = random();
        if (kind < 0.6) broken[at] = upTo(random, 256);
        else if (kind < 0.8) broken = broken.slice(0, at);
        else
          broken = Uint8Array.from([
            ...broken.subarray(0, at),
            ...broken.subarray(at + 1 + upTo(random, 4)),
          ]);
      }
      check(broken, i % 64, `seed ${seed}, broken body ${i}`);
    }
  });
}
