// Range tests of 64 rows at once: bit r of the answer is set when value r lies within [low, high].
// Each reads 64 values from `values`, whatever the number of rows that the page has.

/** The signs of sixteen 64-bit lanes, lane 0 first. */
@inline
function signs16(
  a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128,
): u64 {
  const low = i16x8.narrow_i32x4_s(
    v128.shuffle<i32>(a, b, 1, 3, 5, 7),
    v128.shuffle<i32>(c, d, 1, 3, 5, 7),
  );
  const high = i16x8.narrow_i32x4_s(
    v128.shuffle<i32>(e, f, 1, 3, 5, 7),
    v128.shuffle<i32>(g, h, 1, 3, 5, 7),
  );
  return <u64><u32>i8x16.bitmask(i8x16.narrow_i16x8_s(low, high));
}

@inline
function signs32(a: v128, b: v128, c: v128, d: v128): u64 {
  return <u64><u32>i8x16.bitmask(
    i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d)),
  );
}

/** `low` and `span` = high - low are splatted; value - low wraps, so that one unsigned comparison does. */
@inline
export function matchU8(values: usize, low: v128, span: v128): u64 {
  const a = <u64><u32>i8x16.bitmask(i8x16.le_u(i8x16.sub(v128.load(values), low), span));
  const b = <u64><u32>i8x16.bitmask(i8x16.le_u(i8x16.sub(v128.load(values, 16), low), span));
  const c = <u64><u32>i8x16.bitmask(i8x16.le_u(i8x16.sub(v128.load(values, 32), low), span));
  const d = <u64><u32>i8x16.bitmask(i8x16.le_u(i8x16.sub(v128.load(values, 48), low), span));
  return a | (b << 16) | (c << 32) | (d << 48);
}

@inline
function matchU16x16(values: usize, low: v128, span: v128): u64 {
  return <u64><u32>i8x16.bitmask(
    i8x16.narrow_i16x8_s(
      i16x8.le_u(i16x8.sub(v128.load(values), low), span),
      i16x8.le_u(i16x8.sub(v128.load(values, 16), low), span),
    ),
  );
}

@inline
export function matchU16(values: usize, low: v128, span: v128): u64 {
  return (
    matchU16x16(values, low, span) |
    (matchU16x16(values + 32, low, span) << 16) |
    (matchU16x16(values + 64, low, span) << 32) |
    (matchU16x16(values + 96, low, span) << 48)
  );
}

@inline
function matchU32x16(values: usize, low: v128, span: v128): u64 {
  return signs32(
    i32x4.le_u(i32x4.sub(v128.load(values), low), span),
    i32x4.le_u(i32x4.sub(v128.load(values, 16), low), span),
    i32x4.le_u(i32x4.sub(v128.load(values, 32), low), span),
    i32x4.le_u(i32x4.sub(v128.load(values, 48), low), span),
  );
}

@inline
export function matchU32(values: usize, low: v128, span: v128): u64 {
  return (
    matchU32x16(values, low, span) |
    (matchU32x16(values + 64, low, span) << 16) |
    (matchU32x16(values + 128, low, span) << 32) |
    (matchU32x16(values + 192, low, span) << 48)
  );
}

@inline
function outsideI64(values: usize, low: v128, high: v128): v128 {
  const value = v128.load(values);
  return v128.or(i64x2.gt_s(low, value), i64x2.gt_s(value, high));
}

/** 16 rows; SSE has only "greater than" for 64-bit lanes, so the rows outside are found and turned over. */
@inline
export function matchI64x16(values: usize, low: v128, high: v128): u64 {
  return (
    signs16(
      outsideI64(values, low, high),
      outsideI64(values + 16, low, high),
      outsideI64(values + 32, low, high),
      outsideI64(values + 48, low, high),
      outsideI64(values + 64, low, high),
      outsideI64(values + 80, low, high),
      outsideI64(values + 96, low, high),
      outsideI64(values + 112, low, high),
    ) ^ 0xffff
  );
}

@inline
function insideF64(values: usize, low: v128, high: v128): v128 {
  const value = v128.load(values);
  return v128.and(f64x2.ge(value, low), f64x2.le(value, high));
}

/** 16 rows; a NaN never matches and -0 equals +0. */
@inline
export function matchF64x16(values: usize, low: v128, high: v128): u64 {
  return signs16(
    insideF64(values, low, high),
    insideF64(values + 16, low, high),
    insideF64(values + 32, low, high),
    insideF64(values + 48, low, high),
    insideF64(values + 64, low, high),
    insideF64(values + 80, low, high),
    insideF64(values + 96, low, high),
    insideF64(values + 112, low, high),
  );
}
