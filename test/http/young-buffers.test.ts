import { constants, PerformanceObserver } from "node:perf_hooks";
import { expect, it } from "vitest";
import { YoungBuffers } from "../../src/http/young-buffers.ts";

interface Collection {
  readonly detail: { readonly kind: number; readonly flags: number };
}

it("asks for a young collection every 16 MiB, and keeps the function to itself", async () => {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as unknown as Collection[]) {
      const { kind, flags } = entry.detail;
      const asked = flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED;
      if (kind === constants.NODE_PERFORMANCE_GC_MINOR && asked) collections++;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const young = new YoungBuffers();
  for (let i = 0; i < 255; i++) young.dropped(65_536);
  await settled();
  expect(collections).toBe(0);
  young.dropped(65_536);
  await settled();
  expect(collections).toBe(1);
  for (let i = 0; i < 512; i++) young.dropped(65_536);
  await settled();
  expect(collections).toBe(3);
  observer.disconnect();
  expect(globalThis.gc).toBeUndefined();
});
