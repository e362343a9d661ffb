import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import { DiskReserve } from "../../src/engine/disk.ts";
import { Store } from "../../src/storage/store.ts";

const GIB = 1024 ** 3;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "millrace-disk-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function steppedClock(): Clock & { ms: number } {
  return {
    ms: 0,
    nowUs: () => 0n,
    monotonicMs() {
      return this.ms;
    },
  };
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

test("room within the data file counts, as long as a part of the reserve is free on the disk", () => {
  const path = folder();
  const clock = steppedClock();
  let reusable = 0;
  const free = freeBytes(path);
  // Others write to this disk too: a margin that they do not fill meanwhile.
  const margin = Math.min(2 * GIB, free / 4);
  const disk = new DiskReserve(path, free + margin, clock, () => reusable);
  expect(disk.refusal()).toMatchObject({
    code: "disk_full",
    detail: { reusableBytes: 0, reserveBytes: free + margin },
  });
  reusable = 2 * margin;
  // A reading is kept for a while, so that not every body costs one.
  expect(disk.refusal()).not.toBeNull();
  clock.ms += 1000;
  expect(disk.refusal()).toBeNull();
  const tight = new DiskReserve(path, free * 5, clock, () => free * 10);
  expect(tight.refusal()).toMatchObject({ code: "disk_full" });
  expect(new DiskReserve(path, 0, clock, () => 0).refusal()).toBeNull();
  expect(new DiskReserve(path, Math.floor(free / 2), clock, () => 0).refusal()).toBeNull();
});

test("what was removed from a store is room within its file", async () => {
  const store = new Store(folder());
  onTestFinished(() => store.close());
  const batch = new Uint8Array(8 * 1024 * 1024);
  await store.commit({ journal: { firstSequence: 1n, batch } });
  expect(store.reusableBytes()).toBeLessThan(1024 * 1024);
  await store.commit({ journalDone: [1n] });
  expect(store.reusableBytes()).toBeGreaterThan(batch.length);
});
