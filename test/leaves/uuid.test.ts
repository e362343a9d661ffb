import { createHash, randomBytes, randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { mulberry32 } from "../support/random.ts";
import { call, leafCore, putText } from "./leaf-core.ts";

const { core, scratch } = leafCore();
const out = scratch;
const text = scratch + 1024;
const state = scratch + 2048;

function format(id: number): string {
  core.u8.fill(0x2a, text, text + 64);
  core.exports.formatUuid?.(id, text);
  expect(core.u8[text + 36]).toBe(0x2a);
  return Buffer.from(core.u8.slice(text, text + 36)).toString("latin1");
}

test("text to bytes and back, in either case", () => {
  for (let i = 0; i < 200; i++) {
    const uuid = randomUUID();
    for (const literal of [uuid, uuid.toUpperCase()]) {
      putText(core, text, literal);
      expect(call(core, "parseUuid", text, out)).toBe(1);
      expect(Buffer.from(core.u8.slice(out, out + 16)).toString("hex")).toBe(
        uuid.replaceAll("-", ""),
      );
    }
    expect(format(out)).toBe(uuid);
  }
});

test("each of the 36 characters is checked, and nothing is written when one is wrong", () => {
  const random = mulberry32(41);
  for (let i = 0; i < 36; i++) {
    for (let byte = 0; byte < 256; byte++) {
      const uuid = randomUUID();
      putText(core, text, uuid);
      core.u8[text + i] = byte;
      const hyphen = [8, 13, 18, 23].includes(i);
      const right = hyphen ? byte === 0x2d : /[0-9a-fA-F]/.test(String.fromCharCode(byte));
      const mark = Math.floor(random() * 256);
      core.u8.fill(mark, out, out + 16);
      expect(call(core, "parseUuid", text, out), `byte ${byte} at ${i}`).toBe(right ? 1 : 0);
      if (!right) expect(core.u8.slice(out, out + 16)).toEqual(new Uint8Array(16).fill(mark));
    }
  }
});

test("version 7: the time in front, strictly ascending even while the clock stands or goes back", () => {
  core.u8.set(randomBytes(64), state);
  let previous = "";
  const tails = new Set<string>();
  const make = (timeUs: bigint) => {
    core.exports.makeUuid7?.(state, timeUs, out);
    const uuid = format(out);
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(uuid > previous).toBe(true);
    previous = uuid;
    tails.add(uuid.slice(19));
    return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
  };
  const now = 1_795_420_740_123_456n;
  expect(make(now)).toBe(Number(now / 1000n));
  for (let i = 0; i < 2000; i++) make(now);
  make(now - 1_000_000n);
  expect(make(now + 5_000_999n)).toBe(Number((now + 5_000_999n) / 1000n));
  for (let i = 0; i < 5000; i++) make(now + 6_000_000n);
  expect(tails.size).toBe(7003);
});

test("version 8 from text: the first 128 bits of its SHA-256", () => {
  for (const literal of ["", "order-17", "x".repeat(1000), "ключ"]) {
    const length = putText(core, text, literal);
    core.exports.uuidFromText?.(text, length, out, scratch + 8192);
    const want = createHash("sha256").update(literal).digest().subarray(0, 16);
    want[6] = ((want[6] as number) & 0x0f) | 0x80;
    want[8] = ((want[8] as number) & 0x3f) | 0x80;
    expect(Buffer.from(core.u8.slice(out, out + 16))).toEqual(want);
  }
});
