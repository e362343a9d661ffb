// Texts that outlive the segment that they stand in: copied to blocks of working memory, which the caller grants.
// A text that is replaced leaves its bytes to the one that comes, if they are enough.

import { HEAP_END, HEAP_MISSING, HEAP_TOP, TEXT_ADDRESS, TEXT_CAPACITY, TEXT_LENGTH } from "../layout";

/** Address of `size` bytes, or 0 when the block has no more: what is missing is said then. */
@inline
export function heapTake(heap: usize, size: u32): usize {
  const address = load<u32>(heap, HEAP_TOP);
  if (size > load<u32>(heap, HEAP_END) - address) {
    store<u32>(heap, size, HEAP_MISSING);
    return 0;
  }
  store<u32>(heap, address + size, HEAP_TOP);
  return address;
}

/** Copies a text into the TEXT at `slot`. False when the heap has no room for it: nothing has changed then. */
export function keepText(slot: usize, address: usize, length: u32, heap: usize): bool {
  let to = <usize>load<u32>(slot, TEXT_ADDRESS);
  if (!to || load<u32>(slot, TEXT_CAPACITY) < length) {
    // Never 0 bytes: an address says that there is a text.
    const capacity = (max<u32>(length, 1) + 15) & ~15;
    to = heapTake(heap, capacity);
    if (!to) return false;
    store<u32>(slot, <u32>to, TEXT_ADDRESS);
    store<u32>(slot, capacity, TEXT_CAPACITY);
  }
  memory.copy(to, address, length);
  store<u32>(slot, length, TEXT_LENGTH);
  return true;
}

/** Whether something was missing since the heap last grew. */
@inline
export function heapFull(heap: usize): bool {
  return load<u32>(heap, HEAP_MISSING) != 0;
}

/** Whether the block has less than `size` bytes left: that is what is missing then. */
export function heapLacks(heap: usize, size: u32): bool {
  if (size <= load<u32>(heap, HEAP_END) - load<u32>(heap, HEAP_TOP)) return false;
  store<u32>(heap, size, HEAP_MISSING);
  return true;
}
