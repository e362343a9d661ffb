import { attachCore, type Core } from "../../src/core/core.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";

/** A core over a small memory, and 1 MiB of it that nothing else uses. */
export function leafCore(): { core: Core; scratch: number } {
  const memory = createMemory({
    bodies: 0,
    ring: 65_536,
    decoder: 1 << 20,
    batches: 65_536,
    dedup: 65_536,
    slots: 65_536,
    readers: [],
  });
  return { core: attachCore(memory), scratch: region(memory, layout.REGION_DECODER).base };
}

/** Copies ASCII or UTF-8 text to `address` and returns its length in bytes. */
export function putText(core: Core, address: number, text: string): number {
  const bytes = new TextEncoder().encode(text);
  core.u8.set(bytes, address);
  return bytes.length;
}

/** A kernel's u32 result as an unsigned number. */
export function call(core: Core, name: string, ...values: (number | bigint)[]): number {
  const kernel = core.exports[name];
  if (kernel === undefined) throw new Error(`the core exports no ${name}`);
  return Number(kernel(...values)) >>> 0;
}

/** A kernel's 64-bit result. */
export function callWide(core: Core, name: string, ...values: (number | bigint)[]): bigint {
  const kernel = core.exports[name];
  if (kernel === undefined) throw new Error(`the core exports no ${name}`);
  return BigInt(kernel(...values));
}
