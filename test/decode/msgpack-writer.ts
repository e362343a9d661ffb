// MessagePack bytes in whatever encoding is asked for, valid or not: what no encoder would write is wanted too.

export type Bytes = number[];

const big = (value: bigint, size: number): Bytes => {
  const bytes: Bytes = [];
  for (let i = size - 1; i >= 0; i--) bytes.push(Number((value >> BigInt(i * 8)) & 0xffn));
  return bytes;
};

export const nil: Bytes = [0xc0];
export const bool = (value: boolean): Bytes => [value ? 0xc3 : 0xc2];

/** Every encoding of an integer, shortest first. */
export function integers(value: bigint): Bytes[] {
  const all: Bytes[] = [];
  if (value >= 0n && value < 128n) all.push([Number(value)]);
  if (value < 0n && value >= -32n) all.push([Number(value & 0xffn)]);
  [1, 2, 4, 8].forEach((size, i) => {
    if (value >= 0n && value < 1n << BigInt(size * 8)) all.push([0xcc + i, ...big(value, size)]);
    const half = 1n << BigInt(size * 8 - 1);
    if (value >= -half && value < half) all.push([0xd0 + i, ...big(value, size)]);
  });
  return all;
}

export function float64(value: number): Bytes {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return [0xcb, ...new Uint8Array(view.buffer)];
}

export function float32(value: number): Bytes {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return [0xca, ...new Uint8Array(view.buffer)];
}

/** Every head that can carry `size`: the short form below `short`, then those of 1, 2 and 4 bytes. */
function heads(size: number, short: number, base: number, types: readonly number[]): Bytes[] {
  const all: Bytes[] = size < short ? [[base | size]] : [];
  types.forEach((type, i) => {
    const width = (types.length === 3 ? [1, 2, 4] : [2, 4])[i] as number;
    if (size < 2 ** (8 * width)) all.push([type, ...big(BigInt(size), width)]);
  });
  return all;
}

export const mapHeads = (count: number) => heads(count, 16, 0x80, [0xde, 0xdf]);
export const arrayHeads = (count: number) => heads(count, 16, 0x90, [0xdc, 0xdd]);
export const stringHeads = (size: number) => heads(size, 32, 0xa0, [0xd9, 0xda, 0xdb]);
export const binaryHeads = (size: number) => heads(size, 0, 0, [0xc4, 0xc5, 0xc6]);

export function extensionHeads(size: number, type: number): Bytes[] {
  const fixed = [1, 2, 4, 8, 16].indexOf(size);
  const all = fixed < 0 ? [] : [[0xd4 + fixed]];
  return [...all, ...heads(size, 0, 0, [0xc7, 0xc8, 0xc9])].map((head) => [...head, type & 0xff]);
}

const first = <T>(list: readonly T[]): T => list[0] as T;
const utf8 = new TextEncoder();

export function string(text: string): Bytes {
  const bytes = [...utf8.encode(text)];
  return [...first(stringHeads(bytes.length)), ...bytes];
}
export const binary = (data: Bytes): Bytes => [...first(binaryHeads(data.length)), ...data];
export const integer = (value: bigint | number): Bytes => first(integers(BigInt(value)));
export const array = (items: readonly Bytes[]): Bytes => [
  ...first(arrayHeads(items.length)),
  ...items.flat(),
];
export const map = (pairs: readonly (readonly [Bytes, Bytes])[]): Bytes => [
  ...first(mapHeads(pairs.length)),
  ...pairs.flat(2),
];
export const extension = (type: number, data: Bytes): Bytes => [
  ...first(extensionHeads(data.length, type)),
  ...data,
];

/** An event of type `t` whose property `v` is `value`. */
export const eventWith = (value: Bytes): Bytes =>
  map([
    [string("event_type"), string("t")],
    [string("properties"), map([[string("v"), value]])],
  ]);
