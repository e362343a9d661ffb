/** A 64-bit integer as values have it everywhere: a number where that is exact, otherwise a bigint. */
export function integer(value: bigint): number | bigint {
  return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value;
}
