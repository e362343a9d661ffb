// Count, mean and sum of squared deviations by group: SPREAD in layout.ts. A group's numbers are taken from its
// first one (the shift), so that what is far from 0 but close together loses nothing; blocks of neighbouring rows
// of one group make a spread of their own, in two passes, which is then merged (Chan, Golub, LeVeque, "Algorithms
// for Computing the Sample Variance", The American Statistician 37, 1983); others are added one by one (Welford
// 1962).
//
// The relative error of the squares is at most about n 2^-53 κ, κ² = 1 + (mean - shift)² / variance; merging adds
// errors of blocks, which are far fewer than n. Integers are taken as doubles.

import {
  SPREAD_COUNT, SPREAD_MEAN, SPREAD_SHIFT, SPREAD_SIZE, SPREAD_SQUARES, VECTOR_COUNT, VECTOR_GROUPS, VECTOR_VALUES,
} from "../layout";
import { BLOCK, isUniform } from "./uniform";
import { nextVector } from "./vectors";

/** Adds the numbers of a column, as doubles. 0, or -1 when cancelled. */
export function addSpreads(v: usize, spreads: usize): i32 {
  let found = nextVector(v);
  for (; found > 0; found = nextVector(v)) {
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const count = load<u32>(v, VECTOR_COUNT);
    let i: u32 = 0;
    for (; i + BLOCK <= count; i += BLOCK) {
      const at = groups + (<usize>i << 2);
      if (!groups) addRun(values + (<usize>i << 3), BLOCK, spreads);
      else if (isUniform(at)) {
        addRun(values + (<usize>i << 3), BLOCK, spreads + <usize>load<u32>(at) * SPREAD_SIZE);
      } else for (let n = i; n < i + BLOCK; n++) addOne(values, groups, n, spreads);
    }
    for (; i < count; i++) addOne(values, groups, i, spreads);
  }
  return found;
}

@inline
function addOne(values: usize, groups: usize, i: u32, spreads: usize): void {
  const spread = groups ? spreads + <usize>load<u32>(groups + (<usize>i << 2)) * SPREAD_SIZE : spreads;
  const value = load<f64>(values + (<usize>i << 3));
  const count = load<f64>(spread, SPREAD_COUNT) + 1;
  store<f64>(spread, count, SPREAD_COUNT);
  if (count == 1) {
    store<f64>(spread, value, SPREAD_SHIFT);
    return;
  }
  const shifted = value - load<f64>(spread, SPREAD_SHIFT);
  const mean = load<f64>(spread, SPREAD_MEAN);
  const before = shifted - mean;
  const after = mean + before / count;
  store<f64>(spread, after, SPREAD_MEAN);
  store<f64>(spread, load<f64>(spread, SPREAD_SQUARES) + before * (shifted - after), SPREAD_SQUARES);
}

/** A block of numbers, two at a time. */
function addRun(values: usize, count: u32, spread: usize): void {
  const shift = load<f64>(spread, SPREAD_COUNT) ? load<f64>(spread, SPREAD_SHIFT) : load<f64>(values);
  const shifts = f64x2.splat(shift);
  const end = values + (<usize>count << 3);
  let sums = f64x2.splat(0);
  for (let at = values; at < end; at += 16) sums = f64x2.add(sums, f64x2.sub(v128.load(at), shifts));
  const mean = (f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1)) / <f64>count;
  const means = f64x2.splat(mean);
  let squares = f64x2.splat(0);
  let rest = f64x2.splat(0);
  for (let at = values; at < end; at += 16) {
    const deviation = f64x2.sub(f64x2.sub(v128.load(at), shifts), means);
    squares = f64x2.add(squares, f64x2.mul(deviation, deviation));
    rest = f64x2.add(rest, deviation);
  }
  // What the mean was rounded by: the deviations should add up to 0.
  const off = f64x2.extract_lane(rest, 0) + f64x2.extract_lane(rest, 1);
  const exact = f64x2.extract_lane(squares, 0) + f64x2.extract_lane(squares, 1) - (off * off) / <f64>count;
  merge(spread, <f64>count, shift, mean + off / <f64>count, exact);
}

/** Joins the SPREAD with one of `count` numbers. */
function merge(spread: usize, count: f64, shift: f64, mean: f64, squares: f64): void {
  const own = load<f64>(spread, SPREAD_COUNT);
  if (own == 0) {
    store<f64>(spread, count, SPREAD_COUNT);
    store<f64>(spread, shift, SPREAD_SHIFT);
    store<f64>(spread, mean, SPREAD_MEAN);
    store<f64>(spread, squares, SPREAD_SQUARES);
    return;
  }
  const total = own + count;
  const before = load<f64>(spread, SPREAD_MEAN);
  const apart = shift - load<f64>(spread, SPREAD_SHIFT) + mean - before;
  store<f64>(spread, total, SPREAD_COUNT);
  store<f64>(spread, before + apart * (count / total), SPREAD_MEAN);
  const between = apart * apart * (own * (count / total));
  store<f64>(spread, load<f64>(spread, SPREAD_SQUARES) + squares + between, SPREAD_SQUARES);
}

/** spreads[groups[i]] is joined with partials[i]. */
export function mergeSpreads(partials: usize, groups: usize, count: u32, spreads: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const from = partials + <usize>i * SPREAD_SIZE;
    const others = load<f64>(from, SPREAD_COUNT);
    if (others == 0) continue;
    const to = spreads + <usize>load<u32>(groups + (<usize>i << 2)) * SPREAD_SIZE;
    merge(to, others, load<f64>(from, SPREAD_SHIFT), load<f64>(from, SPREAD_MEAN), load<f64>(from, SPREAD_SQUARES));
  }
}
