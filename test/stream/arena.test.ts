import { describe, expect, it } from "vitest";
import { LimitError } from "../../src/errors.ts";
import type { WorkingMemory } from "../../src/query/columns/scratch.ts";
import { Scratch } from "../../src/query/columns/scratch.ts";
import { Arena, type Block } from "../../src/stream/arena.ts";
import { PaneScratch } from "../../src/stream/pane-scratch.ts";
import { mulberry32 } from "../support/random.ts";

const base = 4096;
const size = 1024 * 1024 + 64;

function thread(): WorkingMemory {
  return new Scratch(64 * 1024 * 1024, 1024 * 1024);
}

describe("the arena", () => {
  it.each([1, 2, 3, 4])(
    "gives blocks that do not overlap, and joins what comes back, seed %i",
    (seed) => {
      const random = mulberry32(seed);
      const arena = new Arena(base, size);
      const held: Block[] = [];
      for (let n = 0; n < 4000; n++) {
        const isGiving = random() < 0.5 || arena.used > arena.size * 0.8;
        if (isGiving && held.length > 0) {
          const [block] = held.splice(Math.floor(random() * held.length), 1) as [Block];
          arena.give(block);
          continue;
        }
        const wanted = 1 + Math.floor(random() ** 4 * 60_000);
        let block: Block;
        try {
          block = arena.take(wanted);
        } catch (error) {
          expect(error).toBeInstanceOf(LimitError);
          continue;
        }
        expect(block.size).toBeGreaterThanOrEqual(wanted);
        expect(block.address).toBeGreaterThanOrEqual(base);
        expect(block.address + block.size).toBeLessThanOrEqual(base + size);
        for (const { address, size: bytes } of held) {
          const apart = block.address >= address + bytes || address >= block.address + block.size;
          expect(apart).toBe(true);
        }
        held.push(block);
      }
      for (const block of held) arena.give(block);
      expect(arena.used).toBe(0);
      expect(arena.take(1024 * 1024).address).toBe(base);
    },
  );

  it("says what it lacks", () => {
    const arena = new Arena(base, 3 * 1024 + 64);
    arena.take(1500);
    expect(() => arena.take(2000)).toThrow(/want 2000 more at once, 3072 are allowed/);
    expect(arena.isTight).toBe(false);
    arena.take(700);
    expect(arena.isTight).toBe(true);
  });

  it("is kept from in pieces, and gets all of them back", () => {
    const arena = new Arena(base, size);
    const scratch = new PaneScratch(arena, thread());
    const pieces = [10, 100, 5000, 16, 900, 70_000, 32].map((bytes) => ({
      bytes,
      address: scratch.keep(bytes),
    }));
    pieces.sort((a, b) => a.address - b.address);
    pieces.forEach(({ address, bytes }, i) => {
      expect(address % 16).toBe(0);
      const next = pieces[i + 1];
      if (next) expect(address + bytes + 16).toBeLessThanOrEqual(next.address);
    });
    expect(scratch.bytes).toBe(arena.used);
    expect(scratch.holds(pieces[0]?.address ?? 0)).toBe(false);
    expect(scratch.holds(scratch.take(16))).toBe(true);
    scratch.reset();
    expect(arena.used).toBe(0);
  });
});
