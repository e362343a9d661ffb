import * as layout from "./layout.ts";

/** Sizes in bytes of the regions, in their order in memory. */
export interface RegionSizes {
  bodies: number;
  ring: number;
  decoder: number;
  batches: number;
  dedup: number;
  slots: number;
  /** Event time and open windows; 0 where no rules run. */
  stream?: number;
  /** One size per reading thread: its scratch and its column cache. */
  readers: readonly number[];
}

export interface Region {
  readonly base: number;
  readonly size: number;
}

const PAGE_SIZE = 65_536;
const MEMORY_SIZE_MAX = 65_536 * PAGE_SIZE;

/**
 * Makes the shared linear memory, lays out its regions and fills the constant tables of the root block.
 * The whole size is reserved at once; the operating system backs a page only when it is first touched.
 */
export function createMemory(sizes: RegionSizes): WebAssembly.Memory {
  const all = [
    sizes.bodies,
    sizes.ring,
    sizes.decoder,
    sizes.batches,
    sizes.dedup,
    sizes.slots,
    sizes.stream ?? 0,
    ...sizes.readers,
  ];
  if (sizes.readers.length > layout.READERS_MAX || all.length > layout.REGION_COUNT_MAX) {
    throw new RangeError(`got ${sizes.readers.length} readers, want at most ${layout.READERS_MAX}`);
  }
  const rounded = all.map((size) => Math.ceil(size / PAGE_SIZE) * PAGE_SIZE);
  const total = rounded.reduce((sum, size) => sum + size, layout.ROOT_SIZE);
  if (total > MEMORY_SIZE_MAX) {
    throw new RangeError(`got memory regions of ${total} bytes, want at most ${MEMORY_SIZE_MAX}`);
  }
  const pages = total / PAGE_SIZE;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65_536, shared: true });
  const view = new DataView(memory.buffer);
  let base = layout.ROOT_SIZE;
  rounded.forEach((size, index) => {
    view.setUint32(layout.ROOT_REGIONS + index * 8, base, true);
    view.setUint32(layout.ROOT_REGIONS + index * 8 + 4, size, true);
    base += size;
  });
  view.setUint32(4, layout.ROOT_VERSION, true);
  view.setUint32(8, all.length, true);
  fillCrc32c(view);
  fillSha256(view);
  for (let i = 0; i <= 22; i++) view.setFloat64(layout.ROOT_POWERS_OF_TEN + i * 8, 10 ** i, true);
  fillPowersOfFive(view);
  Atomics.store(new Int32Array(memory.buffer), 0, layout.ROOT_MAGIC);
  return memory;
}

/** Where region `index` lies. */
export function region(memory: WebAssembly.Memory, index: number): Region {
  const view = new DataView(memory.buffer);
  return {
    base: view.getUint32(layout.ROOT_REGIONS + index * 8, true),
    size: view.getUint32(layout.ROOT_REGIONS + index * 8 + 4, true),
  };
}

/** Eight tables for slicing-by-8 over the reflected Castagnoli polynomial. */
function fillCrc32c(view: DataView): void {
  const table = Array.from({ length: 8 }, () => new Uint32Array(256));
  const first = table[0] as Uint32Array;
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    first[i] = crc >>> 0;
  }
  for (let slice = 1; slice < 8; slice++) {
    for (let i = 0; i < 256; i++) {
      const previous = (table[slice - 1] as Uint32Array)[i] as number;
      (table[slice] as Uint32Array)[i] = (previous >>> 8) ^ (first[previous & 0xff] as number);
    }
  }
  table.forEach((values, slice) => {
    values.forEach((value, i) => {
      view.setUint32(layout.ROOT_CRC32C + (slice * 256 + i) * 4, value, true);
    });
  });
}

/** The fractional parts of the cube roots of the first 64 primes (FIPS 180-4, section 4.2.2). */
function fillSha256(view: DataView): void {
  let prime = 1;
  for (let i = 0; i < 64; i++) {
    do prime++;
    while (!isPrime(prime));
    view.setUint32(
      layout.ROOT_SHA256 + i * 4,
      Number(cubeRoot(BigInt(prime) << 96n) & 0xffffffffn),
      true,
    );
  }
}

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}

/** Floor of the cube root, by bisection. */
function cubeRoot(n: bigint): bigint {
  let low = 0n;
  let high = 1n << 40n;
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle ** 3n <= n) low = middle;
    else high = middle - 1n;
  }
  return low;
}

/**
 * 128-bit significands of 5^q, normalised so that the top bit is set: truncated for q >= 0, one more than
 * the quotient for q < 0, as the algorithm wants them (Lemire, "Number Parsing at a Gigabyte per Second",
 * 2021, section 5).
 */
function fillPowersOfFive(view: DataView): void {
  for (let q = layout.POWER_OF_FIVE_MIN; q <= layout.POWER_OF_FIVE_MAX; q++) {
    let significand: bigint;
    if (q >= 0) {
      significand = 5n ** BigInt(q);
      const bits = significand.toString(2).length;
      significand =
        bits > 128 ? significand >> BigInt(bits - 128) : significand << BigInt(128 - bits);
    } else {
      const power = 5n ** BigInt(-q);
      const bits = power.toString(2).length;
      const precision = q >= -27 ? bits + 127 : 2 * bits + 128;
      significand = (1n << BigInt(precision)) / power + 1n;
      if (significand >> 128n !== 0n) significand >>= BigInt(significand.toString(2).length - 128);
    }
    const offset = layout.ROOT_POWERS_OF_FIVE + (q - layout.POWER_OF_FIVE_MIN) * 16;
    view.setBigUint64(offset, significand & 0xffffffffffffffffn, true);
    view.setBigUint64(offset + 8, significand >> 64n, true);
  }
}
