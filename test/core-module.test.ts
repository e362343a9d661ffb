import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { attachCore } from "../src/core/core.ts";
import { createMemory } from "../src/core/memory.ts";
import { mulberry32 } from "./support/random.ts";
import { root } from "./support/sources.ts";

// Many threads attach this module to one memory. That is safe only if attaching writes nothing and the module
// keeps nothing outside the memory: these tests look at the built file itself.

const SECTION_GLOBAL = 6;
const SECTION_START = 8;
const SECTION_DATA = 11;

const bytes = readFileSync(process.env.MILLRACE_WASM ?? join(root, "build/core.wasm"));

/** Reads an unsigned LEB128 number; answers it and where it ends. */
function readCount(at: number): [value: number, next: number] {
  let value = 0;
  for (let shift = 0, i = at; ; shift += 7, i++) {
    const byte = bytes[i] as number;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value >>> 0, i + 1];
  }
}

/** Where each section's content lies, by section number. */
function sections(): Map<number, { start: number; end: number }> {
  const found = new Map<number, { start: number; end: number }>();
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at] as number;
    const [size, start] = readCount(at + 1);
    found.set(id, { start, end: start + size });
    at = start + size;
  }
  return found;
}

/** The mutability byte of each global. Initial values are constants, which end with the byte 0x0b. */
function globalMutability(): number[] {
  const section = sections().get(SECTION_GLOBAL);
  if (section === undefined) return [];
  const mutability: number[] = [];
  const [count, first] = readCount(section.start);
  for (let i = 0, at = first; i < count; i++) {
    mutability.push(bytes[at + 1] as number);
    const opcode = bytes[at + 2] as number;
    at += 3;
    if (opcode === 0x43) at += 4;
    else if (opcode === 0x44) at += 8;
    else at = readCount(at)[1];
    expect(bytes[at], `global ${i} ends with its constant`).toBe(0x0b);
    at++;
  }
  return mutability;
}

test("is a module of WebAssembly version 1", () => {
  expect([...bytes.subarray(0, 8)]).toEqual([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
});

test("has no data segments: attaching would write them again", () => {
  expect(sections().has(SECTION_DATA)).toBe(false);
});

test("has no start function", () => {
  expect(sections().has(SECTION_START)).toBe(false);
});

test("has no mutable globals: each instance would have its own", () => {
  expect(globalMutability().filter((mutable) => mutable !== 0)).toEqual([]);
});

test("imports the memory, abort and the two number conversions, and nothing else", () => {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes));
  const allowed = ["env.memory", "env.abort", "host.parseNumber", "host.formatNumber"];
  const names = imports.map((entry) => `${entry.module}.${entry.name}`);
  expect(names.filter((name) => !allowed.includes(name))).toEqual([]);
  expect(names).toContain("env.memory");
});

test("exports functions and constants only", () => {
  const kinds = WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map(
    (entry) => entry.kind,
  );
  expect(
    kinds.filter((kind) => kind !== "function" && kind !== "global" && kind !== "memory"),
  ).toEqual([]);
});

test("attaching further instances to a filled memory changes not one byte", () => {
  const size = 1024 * 1024;
  const memory = createMemory({
    bodies: 0,
    ring: size,
    decoder: size,
    batches: size,
    dedup: size,
    slots: size,
    readers: [size],
  });
  attachCore(memory);
  const words = new Uint32Array(memory.buffer);
  const random = mulberry32(7);
  for (let i = 0; i < words.length; i++) words[i] = random() * 2 ** 32;
  // Node hashes no views of shared memory, so the bytes are copied first.
  const hash = () =>
    createHash("sha256").update(new Uint8Array(memory.buffer).slice()).digest("hex");
  const before = hash();
  for (let i = 0; i < 3; i++) attachCore(memory);
  expect(hash()).toBe(before);
});
