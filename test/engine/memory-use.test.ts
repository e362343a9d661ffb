import { expect, it } from "vitest";
import { parseConfig } from "../../src/config.ts";
import { attachCore } from "../../src/core/core.ts";
import { Decoder } from "../../src/core/decoder.ts";
import { createMemory } from "../../src/core/memory.ts";
import { anyEventSlotBytes, HotSlots } from "../../src/core/slots.ts";
import { planMemory } from "../../src/engine/memory-plan.ts";
import { memoryUse } from "../../src/engine/memory-use.ts";
import { RingReader } from "../../src/engine/ring.ts";

it("accounts for every region, and for nothing twice", () => {
  const flags = ["--dedup-ids", "4096", "--query-workers", "2", "--hot-memory", "16MiB"];
  const config = parseConfig(flags, {});
  const sizes = planMemory(config);
  const core = attachCore(createMemory(sizes));
  const decoder = new Decoder(core, new Uint8Array(32));
  decoder.begin(1n);
  const slots = new HotSlots(core, anyEventSlotBytes);
  slots.open(1, 1n);
  const ring = new RingReader(core.memory);
  const uses = Object.values(memoryUse({ core, config, ring, decoder, slots, dedupIds: 4096 }));
  const reserved = uses.reduce((sum, use) => sum + use.reserved, 0);
  expect(reserved).toBe(core.memory.buffer.byteLength - 65_536);
  for (const use of uses) expect(use.used ?? 0).toBeLessThanOrEqual(use.reserved);
  expect(uses.some(({ used = 0 }) => used > 0)).toBe(true);
});
