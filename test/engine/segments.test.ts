import { MessageChannel } from "node:worker_threads";
import { expect, it } from "vitest";
import * as layout from "../../src/core/layout.ts";
import { HotSlots } from "../../src/core/slots.ts";
import { Watermarks } from "../../src/core/watermarks.ts";
import { Segments } from "../../src/engine/segments.ts";
import { slotMemory, slotSize } from "../support/slot-memory.ts";

const row = (type: string) => ({
  id: new Uint8Array(16),
  timestampUs: 0n,
  cells: new Map([["event_type", type]]),
});

it("what is open is sealed once its first row is old enough, if another slot is free", async () => {
  const memory = slotMemory(2);
  const slots = new HotSlots(memory.core, slotSize);
  const watermarks = new Watermarks(memory.core, { sourcesMax: 8, maxSkewUs: 0n });
  const { port1, port2 } = new MessageChannel();
  const segments = new Segments(memory.core, slots, watermarks, port1, [], undefined);
  const states = () => slots.list().map(({ state, rows }) => [state, rows]);

  segments.sealBefore(1_000_000n);
  expect(states(), "nothing to seal").toEqual([[layout.SLOT_OPEN, 0]]);
  await segments.apply(memory.put([row("a"), row("b")], { firstSequence: 1n, receivedAtUs: 500n }));
  await segments.apply(memory.put([row("c")], { firstSequence: 3n, receivedAtUs: 900n }));
  segments.sealBefore(500n);
  expect(states(), "not old enough").toEqual([[layout.SLOT_OPEN, 3]]);
  segments.sealBefore(501n);
  expect(states()).toEqual([
    [layout.SLOT_FULL, 3],
    [layout.SLOT_OPEN, 0],
  ]);
  expect(segments.nextSequence()).toBe(4n);
  const asked = new Promise((resolve) => port2.once("message", resolve));
  expect(await asked).toMatchObject({ segmentId: 1 });

  await segments.apply(memory.put([row("d")], { firstSequence: 4n, receivedAtUs: 950n }));
  segments.sealBefore(2000n);
  expect(states(), "the other slot is not free yet").toEqual([
    [layout.SLOT_FULL, 3],
    [layout.SLOT_OPEN, 1],
  ]);
  port1.close();
});
