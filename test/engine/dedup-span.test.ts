import { expect, it } from "vitest";
import { DedupSpan } from "../../src/engine/dedup-span.ts";

const second = 1_000_000n;

it("is 0 without ids, however long nothing came", () => {
  const span = new DedupSpan();
  expect(span.seconds(0, 0, 5n * second)).toBe(0);
  span.mark(0, 5n * second);
  expect(span.seconds(0, 0, 9n * second)).toBe(0);
});

it("reaches back to the oldest id that is held", () => {
  const span = new DedupSpan();
  // Three ids a second, a mark before each three.
  for (let s = 0; s < 100; s++) span.mark(s * 3, BigInt(s) * second);
  expect(span.seconds(300, 300, 100n * second)).toBe(100);
  expect(span.seconds(300, 30, 100n * second)).toBe(10);
  // The oldest id grows older while nothing comes.
  expect(span.seconds(300, 30, 110n * second)).toBe(20);
});

it("does not count the time before the first id", () => {
  const span = new DedupSpan();
  for (let s = 0; s < 50; s++) span.mark(0, BigInt(s) * second);
  span.mark(7, 51n * second);
  expect(span.seconds(7, 7, 60n * second)).toBe(11);
});

it("is right to a hundredth, and never too short, however many marks were thinned out", () => {
  const span = new DedupSpan();
  const marks = 100_000;
  for (let s = 0; s < marks; s++) span.mark(s, BigInt(s) * second);
  for (const held of [marks, 70_000, 50_000, 10_000]) {
    const seconds = span.seconds(marks, held, BigInt(marks) * second);
    expect(seconds).toBeGreaterThanOrEqual(held);
    expect(seconds).toBeLessThan(held + marks / 100);
  }
});
