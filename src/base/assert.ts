/** A broken invariant is a bug of ours: it ends the thread instead of going on with wrong data. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new Error(`BUG: ${invariant}`);
}

/** The value at `index`, which the caller knows to exist. */
export function at<T>(list: ArrayLike<T>, index: number): T {
  const value = list[index];
  assert(value !== undefined, `index ${index} is within 0…${list.length - 1}`);
  return value;
}
