import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import type { BatchCutter, EventBatch } from "../../src/cli/batch-cutter.ts";
import { jsonCutter } from "../../src/cli/json-cutter.ts";
import { msgpackCutter } from "../../src/cli/msgpack-cutter.ts";
import { ndjsonCutter } from "../../src/cli/ndjson-cutter.ts";
import { InputError } from "../../src/errors.ts";
import { mulberry32 } from "../support/random.ts";

const LIMITS = { events: 3, bytes: 200 };

/** Feeds `bytes` in pieces whose sizes come from `random`; without it, in one piece. */
function cut(cutter: BatchCutter, bytes: Uint8Array, random?: () => number): EventBatch[] {
  const batches: EventBatch[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = random === undefined ? bytes.length : 1 + Math.floor(random() * 40);
    // A copy, overwritten afterwards: the cutter may not keep a view of what it was given.
    const chunk = Uint8Array.from(bytes.subarray(at, at + size));
    batches.push(...cutter.push(chunk));
    chunk.fill(0xff);
    at += size;
  }
  return [...batches, ...cutter.end()];
}

function jsonEvents(batches: readonly EventBatch[]): unknown[] {
  return batches.flatMap((batch) => {
    const events: unknown = JSON.parse(Buffer.from(batch.body).toString());
    expect(events).toHaveLength(batch.events);
    return events as unknown[];
  });
}

function checkLimits(batches: readonly EventBatch[]): void {
  let first = 0;
  for (const batch of batches) {
    expect(batch.firstEvent).toBe(first);
    expect(batch.events).toBeLessThanOrEqual(LIMITS.events);
    if (batch.events > 1) expect(batch.body.length).toBeLessThanOrEqual(LIMITS.bytes);
    first += batch.events;
  }
}

/** Events with everything that a tokenizer could stumble over. */
function randomEvent(random: () => number, depth = 0): unknown {
  const texts = [
    "",
    "plain",
    'quote " and \\ backslash',
    "[{,]}",
    "ключ",
    "\\",
    '\\"',
    "\n\t\r ",
    "𝄞",
  ];
  const pick = Math.floor(random() * (depth > 3 ? 4 : 6));
  if (pick === 0) return Math.floor(random() * 1e6) / 8;
  if (pick === 1) return texts[Math.floor(random() * texts.length)];
  if (pick === 2) return random() < 0.5;
  if (pick === 3) return null;
  const length = Math.floor(random() * 4);
  const items = Array.from({ length }, () => randomEvent(random, depth + 1));
  if (pick === 4) return items;
  return Object.fromEntries(items.map((item, i) => [`${texts[(i * 5) % texts.length]}${i}`, item]));
}

const WHITE_SPACE = ["", " ", "\n", "\r\n\t"];

function padded(text: string, random: () => number): string {
  const space = () => WHITE_SPACE[Math.floor(random() * WHITE_SPACE.length)] ?? "";
  return `${space()}${text}${space()}`;
}

const SEEDS = Array.from({ length: 60 }, (_, i) => i + 1);

describe("NDJSON", () => {
  test.each(SEEDS)("gives every line back, seed %i", (seed) => {
    const random = mulberry32(seed);
    const events = Array.from({ length: 20 }, () => ({ e: randomEvent(random) }));
    const lines = events.map(
      (event) => `${random() < 0.2 ? " \r\n\n" : ""}${JSON.stringify(event)}\n`,
    );
    const text = lines.join("").slice(0, random() < 0.5 ? -1 : undefined);
    const batches = cut(ndjsonCutter(LIMITS), Buffer.from(text), random);
    checkLimits(batches);
    const got = batches.flatMap((batch) => {
      const parts = Buffer.from(batch.body).toString().trimEnd().split("\n");
      expect(parts).toHaveLength(batch.events);
      return parts.map((line) => JSON.parse(line));
    });
    expect(got).toEqual(events);
  });

  test("passes a malformed line on: the server rejects it alone", () => {
    const batches = cut(ndjsonCutter(LIMITS), Buffer.from('{"a":1}\n{oops\n\n{"b":2}'));
    expect(batches.map((batch) => Buffer.from(batch.body).toString())).toEqual([
      '{"a":1}\n{oops\n{"b":2}\n',
    ]);
  });

  test("makes no batch of nothing", () => {
    expect(cut(ndjsonCutter(LIMITS), Buffer.from(" \n\r\n\t"))).toEqual([]);
  });
});

describe("JSON", () => {
  test.each(SEEDS)("gives every element of an array back, seed %i", (seed) => {
    const random = mulberry32(seed);
    const events = Array.from({ length: 20 }, () => randomEvent(random));
    const text = padded(
      `[${events.map((event) => padded(JSON.stringify(event), random)).join(",")}]`,
      random,
    );
    const batches = cut(jsonCutter(LIMITS), Buffer.from(text), random);
    checkLimits(batches);
    expect(jsonEvents(batches)).toEqual(events);
  });

  test.each(SEEDS)("gives every event of an envelope back, seed %i", (seed) => {
    const random = mulberry32(seed);
    const events = Array.from({ length: 9 }, () => ({ e: randomEvent(random) }));
    const rest = random() < 0.5 ? `,"meta":${JSON.stringify(randomEvent(random))}` : "";
    const array = padded(JSON.stringify(events), random);
    const text = `{${padded('"events"', random)}:${array}${rest}}`;
    expect(jsonEvents(cut(jsonCutter(LIMITS), Buffer.from(text), random))).toEqual(events);
  });

  test.each(SEEDS)("gives objects one after another back, seed %i", (seed) => {
    const random = mulberry32(seed);
    const keys = ["event", "eventsource", "events ", "e", "events"];
    const events = Array.from({ length: 12 }, (_, i) => ({
      [keys[(seed + i) % keys.length] ?? "e"]: { v: randomEvent(random) },
    }));
    const text = events.map((event) => padded(JSON.stringify(event), random)).join("");
    expect(jsonEvents(cut(jsonCutter(LIMITS), Buffer.from(text), random))).toEqual(events);
  });

  test.each([
    ["[]", []],
    [' \n{"events":[]} ', []],
    ["{}", [{}]],
    ['\ufeff[{"a":1}]', [{ a: 1 }]],
    ['[1,true,null,"x",[2],-3.5e7]', [1, true, null, "x", [2], -3.5e7]],
    ["", []],
    ['1 "a"2', [1, "a", 2]],
  ])("reads %j", (text, events) => {
    expect(jsonEvents(cut(jsonCutter(LIMITS), Buffer.from(text)))).toEqual(events);
  });

  test.each([
    ['[{"a":1}', "the file ends inside event 1, at byte 8"],
    ['[{"a":"', "the file ends inside event 0, at byte 7"],
    ['{"events"', "the file ends inside event 0, at byte 9"],
    ['{"events":[{}]', "the file ends inside its envelope, at byte 14"],
    ["[1 2]", "got '2' at byte 3, want a comma or a closing bracket after an event"],
    ["[1,]", "got ']' at byte 3, want an event"],
    ["[,1]", "got ',' at byte 1, want an event"],
    ["[1]]", "got ']' at byte 3, want an event"],
  ])("refuses %j", (text, message) => {
    expect(() => cut(jsonCutter(LIMITS), Buffer.from(text))).toThrow(new RegExp(escaped(message)));
  });

  test("sends what came before the fault", () => {
    const cutter = jsonCutter({ events: 1, bytes: 100 });
    expect(cutter.push(Buffer.from('[{"a":1},{"b"'))).toHaveLength(1);
    expect(() => cutter.end()).toThrow(InputError);
  });
});

describe("MessagePack", () => {
  test.each(SEEDS)("gives an array or a stream back byte for byte, seed %i", (seed) => {
    const random = mulberry32(seed);
    const events = Array.from({ length: 20 }, () => ({
      e: randomEvent(random),
      bytes: new Uint8Array(Math.floor(random() * 40)),
      at: new Date(Math.floor(random() * 1e13)),
    }));
    const asArray = random() < 0.5;
    const bodies = events.map((event) => Buffer.from(encode(event)));
    const text = asArray ? Buffer.from(encode(events)) : Buffer.concat(bodies);
    const batches = cut(msgpackCutter(LIMITS), text, random);
    checkLimits(batches);
    expect(batches.reduce((sum, batch) => sum + batch.events, 0)).toBe(events.length);
    expect(Buffer.concat(batches.map((batch) => batch.body))).toEqual(Buffer.concat(bodies));
  });

  test("skips every type with the size that the specification gives it", () => {
    const types: number[][] = [
      [0xc0],
      [0xc2],
      [0xc3],
      [0x7f],
      [0xe0],
      [0x80],
      [0x90],
      [0xa0],
      [0xa1, 1],
      [0xc4, 1, 9],
      [0xc5, 0, 1, 9],
      [0xc6, 0, 0, 0, 1, 9],
      [0xc7, 1, 5, 9],
      [0xc8, 0, 1, 5, 9],
      [0xc9, 0, 0, 0, 1, 5, 9],
      [0xca, 0, 0, 0, 0],
      [0xcb, ...Array(8).fill(0)],
      [0xcc, 1],
      [0xcd, 0, 1],
      [0xce, 0, 0, 0, 1],
      [0xcf, ...Array(8).fill(0)],
      [0xd0, 1],
      [0xd1, 0, 1],
      [0xd2, 0, 0, 0, 1],
      [0xd3, ...Array(8).fill(0)],
      [0xd4, 5, 1],
      [0xd5, 5, 1, 2],
      [0xd6, 5, 1, 2, 3, 4],
      [0xd7, 5, ...Array(8).fill(0)],
      [0xd8, 5, ...Array(16).fill(0)],
      [0xd9, 1, 65],
      [0xda, 0, 1, 65],
      [0xdb, 0, 0, 0, 1, 65],
      [0xdc, 0, 1, 0xc0],
      [0xdd, 0, 0, 0, 1, 0xc0],
      [0xde, 0, 1, 0xa0, 0xc0],
      [0xdf, 0, 0, 0, 1, 0xa0, 0xc0],
    ];
    const body = Buffer.from(types.flatMap((type) => [0x81, 0xa0, ...type]));
    for (const size of [1, 2, 3, body.length]) {
      const cutter = msgpackCutter({ events: 1, bytes: 100 });
      const batches: EventBatch[] = [];
      for (let at = 0; at < body.length; at += size) {
        batches.push(...cutter.push(body.subarray(at, at + size)));
      }
      batches.push(...cutter.end());
      expect(batches.map((batch) => [...batch.body].slice(2))).toEqual(types);
    }
  });

  test("refuses every strict prefix of an array, and the unused type", () => {
    const body = Buffer.from(encode([{ a: [1, "two", { b: 3.5 }] }, { c: new Uint8Array(300) }]));
    for (let length = 1; length < body.length; length++) {
      expect(() => cut(msgpackCutter(LIMITS), body.subarray(0, length)), `${length}`).toThrow(
        InputError,
      );
    }
    expect(() => cut(msgpackCutter(LIMITS), Buffer.from([0xc1]))).toThrow(/0xc1 at byte 0/);
  });
});

test("an event larger than a batch is a batch of its own", () => {
  const large = { text: "x".repeat(1000) };
  const events = [{ a: 1 }, large, { b: 2 }];
  const batches = cut(jsonCutter(LIMITS), Buffer.from(JSON.stringify(events)), mulberry32(1));
  expect(batches.map((batch) => batch.events)).toEqual([1, 1, 1]);
  expect(jsonEvents(batches)).toEqual(events);
});

test("an event larger than any body is refused by its place", () => {
  const cutter = ndjsonCutter({ events: 10, bytes: 1024 });
  cutter.push(Buffer.from("{}\n"));
  const chunk = Buffer.alloc(1024 * 1024, 0x61);
  expect(() => {
    for (let i = 0; i < 33; i++) cutter.push(chunk);
  }).toThrow(/event 1 is larger than a body may be/);
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
