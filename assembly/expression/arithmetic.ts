// `+`, `-`, `*`, `/` and `%` of two number columns.
//
// Integers are exact and an overflow is reported; doubles round once. Doubles that are whole within ±2^53 count as
// integers, as pages hold both kinds in either form. So a page is first computed in the quick way (64-bit integers, or
// doubles where everything stays within ±2^53, where both agree), and row by row only where that doesn't hold.

import {
  PAGE_ENCODING, PAGE_F64, PAGE_I64, PAGE_MIXED, PAGE_ROWS, PAGE_VALUES,
} from "../layout";
import {
  clearAbsent64, countPage, formOf, FORM_F64, FORM_I64, isDoubleAt, isWhole, loadNumbers, pageOf,
  PAGE_WORDS, presence, SAFE, SAFE_I64, setPresence, settleKinds, VALUES_SIZE, wordsOf,
} from "./pages";

export const OP_ADD: u32 = 0;
export const OP_SUBTRACT: u32 = 1;
export const OP_MULTIPLY: u32 = 2;
export const OP_DIVIDE: u32 = 3;
export const OP_REST: u32 = 4;

const DONE: i32 = 0;
const CANCELLED: i32 = -1;
const OUT_OF_RANGE: i32 = -2;

/**
 * target = a op b for the rows of `mask` that have both. The target's pages have the size of PAGE_MIXED; their
 * encoding is set here. `buffer` has room for 4 × 32 KiB. Answers 0, -1 when cancelled, or -2 when a result is beyond
 * i64, or infinite.
 */
export function arithmetic(
  op: u32, a: usize, b: usize, target: usize, words: u32, mask: usize, buffer: usize, cancel: usize,
): i32 {
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    if (atomic.load<u32>(cancel)) return CANCELLED;
    const out = pageOf(target, index);
    if (!out) continue;
    const left = pageOf(a, index);
    const right = pageOf(b, index);
    if (!left || !right) {
      store<u32>(out, PAGE_I64, PAGE_ENCODING);
      clearAbsent64(out);
      continue;
    }
    const length = wordsOf(words, index);
    for (let w: u32 = 0; w < length; w++) {
      const bits = load<u64>(mask + (<usize>(index * PAGE_WORDS + w) << 3));
      setPresence(out, w, bits & presence(left, w) & presence(right, w));
    }
    const status = arithmeticPage(op, a, left, b, right, out, length, buffer);
    if (status != DONE) return status;
    clearAbsent64(out);
    countPage(out);
  }
  return DONE;
}

function arithmeticPage(
  op: u32, a: usize, left: usize, b: usize, right: usize, out: usize, words: u32, buffer: usize,
): i32 {
  const leftForm = formOf(a, left);
  const rightForm = formOf(b, right);
  const x = loadNumbers(a, left, buffer);
  const y = loadNumbers(b, right, buffer + VALUES_SIZE);
  const to = out + PAGE_VALUES;
  const size = <usize>words << 9;
  if (op == OP_DIVIDE) {
    const dividends = asDoubles(left, leftForm, x, buffer + VALUES_SIZE * 2, size);
    const divisors = asDoubles(right, rightForm, y, buffer + VALUES_SIZE * 3, size);
    return divide(dividends, divisors, out, words);
  }
  if (leftForm == FORM_I64 && rightForm == FORM_I64) {
    store<u32>(out, PAGE_I64, PAGE_ENCODING);
    if (op == OP_REST) return restI64(x, y, out, words);
    const safe = op == OP_MULTIPLY ? multiplyI64(x, y, to, size) : addI64(op, x, y, to, size);
    return safe ? DONE : eachRow(op, left, leftForm, x, right, rightForm, y, out, words);
  }
  if (op != OP_REST) {
    const p = exactDoubles(leftForm, x, buffer + VALUES_SIZE * 2, size);
    const q = exactDoubles(rightForm, y, buffer + VALUES_SIZE * 3, size);
    if (p && q && doubles(op, p, q, to, size)) {
      store<u32>(out, PAGE_F64, PAGE_ENCODING);
      return DONE;
    }
  }
  return eachRow(op, left, leftForm, x, right, rightForm, y, out, words);
}

/** Whether no result left i64, in any row of `size` bytes, wanted or not. */
function addI64(op: u32, x: usize, y: usize, to: usize, size: usize): bool {
  let overflow = i64x2.splat(0);
  if (op == OP_ADD) {
    for (let at: usize = 0; at < size; at += 16) {
      const a = v128.load(x + at);
      const b = v128.load(y + at);
      const sum = i64x2.add(a, b);
      overflow = v128.or(overflow, v128.and(v128.xor(a, sum), v128.xor(b, sum)));
      v128.store(to + at, sum);
    }
  } else {
    for (let at: usize = 0; at < size; at += 16) {
      const a = v128.load(x + at);
      const b = v128.load(y + at);
      const difference = i64x2.sub(a, b);
      overflow = v128.or(overflow, v128.and(v128.xor(a, b), v128.xor(a, difference)));
      v128.store(to + at, difference);
    }
  }
  return i64x2.bitmask(overflow) == 0;
}

/** Whether all factors are so small that no product can leave i64. */
function multiplyI64(x: usize, y: usize, to: usize, size: usize): bool {
  let large = i64x2.splat(0);
  for (let at: usize = 0; at < size; at += 16) {
    const a = v128.load(x + at);
    const b = v128.load(y + at);
    large = v128.or(large, v128.xor(a, i64x2.shr_s(a, 63)));
    large = v128.or(large, v128.xor(b, i64x2.shr_s(b, 63)));
    v128.store(to + at, i64x2.mul(a, b));
  }
  return (i64x2.extract_lane(large, 0) | i64x2.extract_lane(large, 1)) >> 31 == 0;
}

/** No value where the divisor is 0. */
function restI64(x: usize, y: usize, out: usize, words: u32): i32 {
  for (let w: u32 = 0; w < words; w++) {
    let bits = presence(out, w);
    let left = bits;
    while (left) {
      const bit = ctz<u64>(left);
      left &= left - 1;
      const at = ((<usize>w << 6) + <usize>bit) << 3;
      const divisor = load<i64>(y + at);
      if (divisor == 0) bits &= ~(<u64>1 << bit);
      // The least integer by -1 would trap.
      else store<i64>(out + at, divisor == -1 ? 0 : load<i64>(x + at) % divisor, PAGE_VALUES);
    }
    setPresence(out, w, bits);
  }
  return DONE;
}

/** The values as doubles, if that loses nothing: those of an F64 page, or converted ones in `buffer`; otherwise 0. */
function exactDoubles(form: u32, values: usize, buffer: usize, size: usize): usize {
  if (form == FORM_F64) return values;
  if (form != FORM_I64) return 0;
  let large: u64 = 0;
  for (let at: usize = 0; at < size; at += 8) {
    const value = load<i64>(values + at);
    large |= <u64>(value + SAFE_I64 > SAFE_I64 * 2 || value + SAFE_I64 < 0);
    store<f64>(buffer + at, <f64>value);
  }
  return large ? 0 : buffer;
}

/** The values as the nearest doubles. */
function asDoubles(page: usize, form: u32, values: usize, buffer: usize, size: usize): usize {
  if (form == FORM_F64) return values;
  for (let at: usize = 0; at < size; at += 8) {
    const double = isDoubleAt(page, form, <u32>(at >> 3));
    store<f64>(buffer + at, double ? load<f64>(values + at) : <f64>load<i64>(values + at));
  }
  return buffer;
}

/** Whether every result is within ±(2^53 - 1), where it is right for integers and doubles alike. */
function doubles(op: u32, x: usize, y: usize, to: usize, size: usize): bool {
  const zero = f64x2.splat(0);
  const limit = f64x2.splat(SAFE);
  let within = i64x2.splat(-1);
  for (let at: usize = 0; at < size; at += 16) {
    const a = v128.load(x + at);
    const b = v128.load(y + at);
    let result = op == OP_ADD ? f64x2.add(a, b) : op == OP_SUBTRACT ? f64x2.sub(a, b) : f64x2.mul(a, b);
    // Zero has no sign.
    result = f64x2.add(result, zero);
    within = v128.and(within, f64x2.le(f64x2.abs(result), limit));
    v128.store(to + at, result);
  }
  return i64x2.bitmask(within) == 3;
}

function divide(x: usize, y: usize, out: usize, words: u32): i32 {
  store<u32>(out, PAGE_F64, PAGE_ENCODING);
  const zero = f64x2.splat(0);
  const largest = f64x2.splat(f64.MAX_VALUE);
  for (let w: u32 = 0; w < words; w++) {
    const offset = <usize>w << 9;
    let zeros: u64 = 0;
    let infinite: u64 = 0;
    for (let i: u64 = 0; i < 64; i += 2) {
      const at = offset + (<usize>i << 3);
      const divisor = v128.load(y + at);
      const result = f64x2.add(f64x2.div(v128.load(x + at), divisor), zero);
      zeros |= <u64>i64x2.bitmask(f64x2.eq(divisor, zero)) << i;
      infinite |= <u64>i64x2.bitmask(f64x2.gt(f64x2.abs(result), largest)) << i;
      v128.store(out + at, result, PAGE_VALUES);
    }
    const bits = presence(out, w) & ~zeros;
    if (bits & infinite) return OUT_OF_RANGE;
    setPresence(out, w, bits);
  }
  return DONE;
}

/** Row by row, each in its own way: integers exactly, everything else as doubles. */
function eachRow(
  op: u32, left: usize, leftForm: u32, x: usize, right: usize, rightForm: u32, y: usize, out: usize,
  words: u32,
): i32 {
  store<u32>(out, PAGE_MIXED, PAGE_ENCODING);
  const kinds = out + PAGE_VALUES + VALUES_SIZE;
  memory.fill(kinds, 0, PAGE_ROWS / 8);
  for (let w: u32 = 0; w < words; w++) {
    let bits = presence(out, w);
    let wanted = bits;
    let floats: u64 = 0;
    while (wanted) {
      const bit = ctz<u64>(wanted);
      wanted &= wanted - 1;
      const row = (w << 6) + <u32>bit;
      const at = <usize>row << 3;
      const aDouble = isDoubleAt(left, leftForm, row);
      const bDouble = isDoubleAt(right, rightForm, row);
      const p = aDouble ? load<f64>(x + at) : <f64>load<i64>(x + at);
      const q = bDouble ? load<f64>(y + at) : <f64>load<i64>(y + at);
      const whole = (!aDouble || isWhole(p)) && (!bDouble || isWhole(q));
      if (op == OP_REST && q == 0) {
        bits &= ~(<u64>1 << bit);
        continue;
      }
      if (whole) {
        const a = aDouble ? <i64>p : load<i64>(x + at);
        const b = bDouble ? <i64>q : load<i64>(y + at);
        if (overflows(op, a, b)) return OUT_OF_RANGE;
        store<i64>(out + at, integerResult(op, a, b), PAGE_VALUES);
        continue;
      }
      const result = doubleResult(op, p, q) + 0.0;
      if (Math.abs(result) == Infinity) return OUT_OF_RANGE;
      floats |= <u64>1 << bit;
      store<f64>(out + at, result, PAGE_VALUES);
    }
    setPresence(out, w, bits);
    store<u64>(kinds + (<usize>w << 3), floats);
  }
  settleKinds(out);
  return DONE;
}

function integerResult(op: u32, a: i64, b: i64): i64 {
  if (op == OP_ADD) return a + b;
  if (op == OP_SUBTRACT) return a - b;
  if (op == OP_MULTIPLY) return a * b;
  return b == -1 ? 0 : a % b;
}

function doubleResult(op: u32, a: f64, b: f64): f64 {
  if (op == OP_ADD) return a + b;
  if (op == OP_SUBTRACT) return a - b;
  return op == OP_MULTIPLY ? a * b : a % b;
}

function overflows(op: u32, a: i64, b: i64): bool {
  if (op == OP_ADD) {
    const sum = a + b;
    return ((a ^ sum) & (b ^ sum)) < 0;
  }
  if (op == OP_SUBTRACT) return ((a ^ b) & (a ^ (a - b))) < 0;
  if (op != OP_MULTIPLY || a == 0 || b == 0) return false;
  if ((a == -1 && b == i64.MIN_VALUE) || (b == -1 && a == i64.MIN_VALUE)) return true;
  const product = a * b;
  return b != -1 && product / b != a;
}
