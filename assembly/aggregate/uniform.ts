// Neighbouring rows often belong to one group: those of one minute, of one batch. Kernels look at so many rows at
// once and add them in registers where they all do, and one by one where not.

export const BLOCK: u32 = 64;

/** Whether the BLOCK groups at `groups` are all the same. */
@inline
export function isUniform(groups: usize): bool {
  const first = load<u32>(groups);
  if (first != load<u32>(groups, (BLOCK - 1) * 4) || first != load<u32>(groups, BLOCK * 2)) return false;
  const all = i32x4.splat(first);
  let differ = v128.xor(all, v128.load(groups));
  for (let i: usize = 16; i < BLOCK * 4; i += 16) {
    differ = v128.or(differ, v128.xor(all, v128.load(groups + i)));
  }
  return !v128.any_true(differ);
}
