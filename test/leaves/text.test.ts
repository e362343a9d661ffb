import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import * as oracle from "../oracle/leaves.ts";
import { mulberry32 } from "../support/random.ts";
import { call, leafCore, putText } from "./leaf-core.ts";

const { core, scratch } = leafCore();
const out = scratch;
const text = scratch + 4096;

function randomBytes(random: () => number, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random() * 256);
}

test("CRC-32C: the published check value, and every length and alignment against the plain twin", () => {
  expect(call(core, "crc32c", text, putText(core, text, "123456789"))).toBe(0xe3069283);
  expect(call(core, "crc32c", text, 0)).toBe(0);
  const random = mulberry32(11);
  for (const length of [
    1, 7, 8, 9, 767, 768, 769, 800, 1535, 1536, 12_287, 12_288, 12_300, 40_001,
  ]) {
    const bytes = randomBytes(random, length);
    for (const offset of [0, 1, 5]) {
      core.u8.set(bytes, text + offset);
      expect(call(core, "crc32c", text + offset, length), `length ${length}`).toBe(
        oracle.crc32c(bytes),
      );
    }
  }
});

test("SHA-256 agrees with node:crypto around every padding edge", () => {
  const random = mulberry32(12);
  for (const length of [0, 1, 31, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 1000]) {
    const bytes = randomBytes(random, length);
    core.u8.set(bytes, text);
    core.exports.sha256?.(text, length, out, out + 64);
    const want = createHash("sha256").update(bytes).digest();
    expect(Buffer.from(core.u8.slice(out, out + 32)), `length ${length}`).toEqual(want);
  }
});

test("a hash depends on each byte and the length, and on nothing after the end", () => {
  const hash = (length: number) => core.exports.hashBytes?.(text, length);
  const random = mulberry32(13);
  for (let length = 0; length <= 70; length++) {
    core.u8.set(randomBytes(random, 128), text);
    const first = hash(length);
    core.u8.set(randomBytes(random, 32), text + length);
    expect(hash(length)).toBe(first);
    for (let i = 0; i < length; i++) {
      core.u8[text + i] = (core.u8[text + i] as number) ^ 1;
      expect(hash(length)).not.toBe(first);
      core.u8[text + i] = (core.u8[text + i] as number) ^ 1;
    }
  }
  core.u8.fill(0, text, text + 128);
  expect(new Set(Array.from({ length: 80 }, (_, length) => hash(length))).size).toBe(80);
});

test("bitmaps agree with a list of booleans", () => {
  const random = mulberry32(14);
  const other = text + 1024;
  for (let round = 0; round < 300; round++) {
    const bits = 1 + Math.floor(random() * 400);
    const a = Array.from({ length: 512 }, () => random() < 0.4);
    const b = Array.from({ length: 512 }, () => random() < 0.4);
    const put = (address: number, list: boolean[]) => {
      core.u8.fill(0, address, address + 64);
      list.forEach((set, i) => {
        const byte = address + (i >> 3);
        if (set) core.u8[byte] = (core.u8[byte] as number) | (1 << (i & 7));
      });
    };
    const get = (length: number) =>
      Array.from(
        { length },
        (_, i) => (((core.u8[text + (i >> 3)] as number) >> (i & 7)) & 1) === 1,
      );
    put(text, a);
    put(other, b);
    expect(call(core, "bitmapCount", text, bits)).toBe(a.slice(0, bits).filter(Boolean).length);
    const begin = Math.floor(random() * 512);
    const end = Math.floor(random() * 513);
    core.exports.bitmapFill?.(text, begin, end);
    expect(get(512)).toEqual(a.map((set, i) => set || (i >= begin && i < end)));
    const pairs = [
      ["bitmapAnd", (x: boolean, y: boolean) => x && y],
      ["bitmapOr", (x: boolean, y: boolean) => x || y],
      ["bitmapAndNot", (x: boolean, y: boolean) => x && !y],
    ] as const;
    for (const [name, combine] of pairs) {
      put(text, a);
      core.exports[name]?.(text, other, bits);
      expect(get(bits), name).toEqual(a.slice(0, bits).map((x, i) => combine(x, b[i] as boolean)));
    }
  }
});

function checkUtf8(bytes: Uint8Array, label: string): void {
  core.u8.fill(0x80, text, text + bytes.length + 128); // what follows must not matter
  core.u8.set(bytes, text);
  expect(call(core, "firstInvalidUtf8", text, bytes.length), label).toBe(
    oracle.firstInvalidUtf8(bytes),
  );
}

test("UTF-8: every sequence of two bytes, and of three and four around their limits", () => {
  const pad = new TextEncoder().encode("ab").length;
  for (let a = 0x80; a < 256; a++) {
    for (const b of [0, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]) {
      checkUtf8(Uint8Array.of(0x61, 0x62, a, b), `${a} ${b} after ${pad}`);
      if (a < 0xe0) continue;
      for (const c of [0x41, 0x80, 0xbf, 0xc2]) {
        checkUtf8(Uint8Array.of(a, b, c), `${a} ${b} ${c}`);
        checkUtf8(Uint8Array.of(a, b, c, 0x80), `${a} ${b} ${c} 128`);
        checkUtf8(Uint8Array.of(a, b, c, 0x41), `${a} ${b} ${c} 65`);
      }
    }
  }
});

test("UTF-8: text of all planes, whole, cut off and broken at every place", () => {
  for (const seed of [21, 22, 23]) {
    const random = mulberry32(seed);
    const alphabet = [
      "a",
      "z",
      "é",
      "ж",
      "ひ",
      "한",
      "\uffff",
      "\ue000",
      "😀",
      "\u{10ffff}",
      "0123456789abcdef",
    ];
    for (let round = 0; round < 150; round++) {
      const dense = random();
      let sample = "";
      const want = random() * 300;
      while (sample.length < want) {
        sample +=
          random() < dense ? alphabet[Math.floor(random() * alphabet.length)] : "plain ascii ";
      }
      const bytes = new TextEncoder().encode(sample);
      checkUtf8(bytes, `seed ${seed}`);
      checkUtf8(bytes.subarray(0, Math.floor(random() * bytes.length)), `cut, seed ${seed}`);
      for (let i = 0; i < 6 && bytes.length > 0; i++) {
        const broken = bytes.slice();
        broken[Math.floor(random() * broken.length)] = Math.floor(random() * 256);
        checkUtf8(broken, `broken, seed ${seed}`);
      }
    }
  }
});
