import { assert, at } from "../base/assert.ts";
import { MillraceError } from "../errors.ts";
import type { Core } from "./core.ts";
import * as layout from "./layout.ts";
import { region } from "./memory.ts";
import * as status from "./status.ts";

/** A hot slot as it was when it was listed. */
export interface SlotView {
  readonly address: number;
  readonly segmentId: number;
  readonly firstSequence: bigint;
  /** Published rows; whatever is loaded after them is at least as new. */
  readonly rows: number;
  /** Earliest and latest timestamp, µs; the earliest is above the latest when there are no rows. */
  readonly timeMinUs: bigint;
  readonly timeMaxUs: bigint;
  readonly state: number;
}

/** What became of the rows of a batch: those before `rowEnd` are applied. */
export interface Applied {
  readonly rowEnd: number;
  /** True when all rows are applied; false when a free slot is needed before going on at `rowEnd`. */
  readonly done: boolean;
  /** Slots that this call made full, in order: the sealer's next work. */
  readonly full: readonly number[];
}

/**
 * A slot of this many bytes takes any event that the limits allow: 2,048 pages of numbers are 65 MiB, and the
 * rest is paths, texts and descriptors.
 */
export const anyEventSlotBytes = 80 * 1024 * 1024;

/** A slot that has more rows than this is closed rather than topped up with a part of a batch. */
const PART_ROWS_MIN = 16_384;

function slotAddresses(core: Core): number[] {
  const count = Atomics.load(core.u32, layout.ROOT_SLOTS_COUNT >>> 2);
  const size = at(core.u32, layout.ROOT_SLOTS_SIZE >>> 2);
  const base = at(core.u32, layout.ROOT_SLOTS_BASE >>> 2);
  return Array.from({ length: count }, (_, index) => base + index * size);
}

function viewOf(core: Core, address: number): SlotView {
  // The state comes first: what follows belongs to the segment that it speaks of, or to a later one.
  const state = Atomics.load(core.u32, (address + layout.SLOT_STATE) >>> 2);
  const rows = Atomics.load(core.u32, (address + layout.SLOT_ROWS) >>> 2);
  const { view } = core;
  return {
    address,
    segmentId: view.getUint32(address + layout.SLOT_SEGMENT_ID, true),
    firstSequence: view.getBigInt64(address + layout.SLOT_FIRST_SEQUENCE, true),
    rows,
    timeMinUs: view.getBigInt64(address + layout.SLOT_TIME_MIN, true),
    timeMaxUs: view.getBigInt64(address + layout.SLOT_TIME_MAX, true),
    state,
  };
}

/** The slots in use, in sequence order. */
function viewsOf(core: Core, addresses: readonly number[]): SlotView[] {
  return addresses
    .map((address) => viewOf(core, address))
    .filter((slot) => slot.state !== layout.SLOT_FREE)
    .sort((a, b) => (a.firstSequence < b.firstSequence ? -1 : byRows(a, b)));
}

/** A slot without rows comes before the one that begins with the same sequence. */
function byRows(a: SlotView, b: SlotView): number {
  return a.firstSequence > b.firstSequence ? 1 : a.rows - b.rows;
}

/**
 * The writer's side of the hot slots; one per memory, on the engine thread.
 *
 * A slot goes FREE → OPEN → FULL → SEALED → FREE. Freeing it retires what is in it at the current epoch, and
 * the slot is opened again only when no reader pins that epoch or one before it.
 */
export class HotSlots {
  readonly count: number;
  readonly #core: Core;
  readonly #addresses: readonly number[];
  /** Per slot the epoch at which its last segment was retired. */
  readonly #retired = new Map<number, number>();
  #open = 0;
  #segmentId = 0;

  /**
   * Cuts the region of hot slots in slots of `slotSize` bytes.
   * A slot smaller than `anyEventSlotBytes` refuses the widest events. Memory is backed only where a slot was
   * written, so large slots cost address space rather than memory.
   */
  constructor(core: Core, slotSize: number) {
    this.#core = core;
    this.count = this.#call("slotsFormat", slotSize);
    if (this.count < 2) {
      const size = region(core.memory, layout.REGION_SLOTS).size;
      throw new RangeError(`got ${size} bytes for slots of ${slotSize} bytes, want 2 at least`);
    }
    this.#addresses = slotAddresses(core);
  }

  /** The slot that takes rows, 0 when none is open. */
  get openSlot(): number {
    return this.#open;
  }

  /** The slots in use, in sequence order. */
  list(): SlotView[] {
    return viewsOf(this.#core, this.#addresses);
  }

  /** Whether `open` would find a slot. */
  hasFree(): boolean {
    return this.#free() !== 0;
  }

  /** Opens a free slot for segment `segmentId`; answers its address, 0 when none is free and unpinned. */
  open(segmentId: number, firstSequence: bigint): number {
    assert(this.#open === 0, "one slot is open at a time");
    const slot = this.#free();
    if (slot === 0) return 0;
    const code = this.#call("slotOpen", slot, segmentId, firstSequence);
    assert(code === status.OK, `a free slot opens (status ${code})`);
    this.#open = slot;
    this.#segmentId = segmentId;
    return slot;
  }

  /**
   * Applies the rows of a verified batch from `rowBegin` on to the open slot, and to further slots, with
   * segment ids that count up, where they do not fit. Nothing of a part is visible before all of it is.
   * Errors: `event_too_wide` when one row does not fit an empty slot, with `rowEnd` in its detail.
   */
  apply(batch: number, rowBegin = 0): Applied {
    const rows = at(this.#core.u32, (batch + layout.BATCH_ROWS) >>> 2);
    const full: number[] = [];
    let from = rowBegin;
    do {
      assert(this.#open !== 0, "a slot is open");
      this.#assertNext(batch, from);
      const to = this.#partEnd(batch, from, rows);
      if (to >= 0) {
        const code = this.#call("slotApply", this.#open, batch, from, to);
        assert(code === status.OK, `rows that fit are applied (status ${code})`);
        from = to;
        continue;
      }
      if (!this.hasFree()) return { rowEnd: from, done: false, full };
      full.push(this.next(this.#nextSequence(batch, from)));
    } while (from < rows);
    return { rowEnd: from, done: true, full };
  }

  /** Closes the open slot and answers its address: it takes no more rows and waits to be sealed. */
  full(): number {
    const slot = this.#open;
    assert(slot !== 0, "a slot is open");
    this.#setState(slot, layout.SLOT_FULL);
    this.#open = 0;
    return slot;
  }

  /** Closes the open slot, opens the next one and answers the address of the closed one. */
  next(firstSequence: bigint): number {
    const full = this.full();
    this.open(this.#segmentId + 1, firstSequence);
    return full;
  }

  /** A segment id that no slot has or gets. */
  takeSegmentId(): number {
    return ++this.#segmentId;
  }

  /** The slot's segment is in LMDB too. */
  sealed(slot: number): void {
    assert(this.#state(slot) === layout.SLOT_FULL, "a full slot is sealed");
    this.#setState(slot, layout.SLOT_SEALED);
  }

  /** Gives a sealed slot back, oldest first, so that the slots in use are always one run of sequences. */
  free(slot: number): void {
    assert(this.#state(slot) === layout.SLOT_SEALED, "a sealed slot is freed");
    assert(this.list()[0]?.address === slot, "the oldest slot is freed first");
    this.#setState(slot, layout.SLOT_FREE);
    const epoch = Atomics.add(this.#core.u32, layout.ROOT_SLOTS_EPOCH >>> 2, 1);
    this.#retired.set(slot, epoch);
  }

  /** A free slot that nobody can be reading, or 0. */
  #free(): number {
    let oldest = 0xffffffff;
    for (let reader = 0; reader < layout.READERS_MAX; reader++) {
      const pin = Atomics.load(this.#core.u32, (layout.ROOT_PINS >>> 2) + reader);
      if (pin !== 0 && pin < oldest) oldest = pin;
    }
    const free = this.#addresses.find(
      (slot) => this.#state(slot) === layout.SLOT_FREE && (this.#retired.get(slot) ?? 0) < oldest,
    );
    return free ?? 0;
  }

  /** Where the part of the batch ends that the open slot takes next; -1 when it is to be closed first. */
  #partEnd(batch: number, from: number, rows: number): number {
    const written = at(this.#core.u32, (this.#open + layout.SLOT_ROWS) >>> 2);
    const least = written === 0 ? 1 : PART_ROWS_MIN;
    const room = layout.SEGMENT_ROWS_MAX - written;
    for (let take = Math.min(rows - from, room); ; take >>>= 1) {
      if (from + take !== rows && take < least) break;
      const code = this.#call("slotFits", this.#open, batch, from, from + take);
      if (code === status.OK) return from + take;
      if (take === 0) break;
      assert(
        code === status.SLOT_IS_FULL || code === status.OUT_OF_MEMORY,
        `a verified batch is in bounds (status ${code})`,
      );
    }
    if (written !== 0) return -1;
    throw new MillraceError("event_too_wide", `row ${from} of the batch does not fit a slot`, {
      rowEnd: from,
    });
  }

  #nextSequence(batch: number, row: number): bigint {
    const first = this.#core.view.getBigInt64(batch + layout.BATCH_FIRST_SEQUENCE, true);
    return first + BigInt(row);
  }

  #assertNext(batch: number, row: number): void {
    const slot = viewOf(this.#core, this.#open);
    const next = slot.firstSequence + BigInt(slot.rows);
    const got = this.#nextSequence(batch, row);
    assert(got === next, `sequences are gapless: got ${got}, want ${next}`);
  }

  #state(slot: number): number {
    return Atomics.load(this.#core.u32, (slot + layout.SLOT_STATE) >>> 2);
  }

  #setState(slot: number, state: number): void {
    Atomics.store(this.#core.u32, (slot + layout.SLOT_STATE) >>> 2, state);
  }

  #call(name: string, ...values: (number | bigint)[]): number {
    const kernel = this.#core.exports[name];
    assert(kernel !== undefined, `the core exports ${name}`);
    return Number(kernel(...values)) >>> 0;
  }
}

/** Takes away the pin of a reader whose thread has died. */
export function clearPin({ u32 }: Core, reader: number): void {
  Atomics.store(u32, (layout.ROOT_PINS >>> 2) + reader, 0);
}

/** A reader's side of the hot slots, on any thread; `reader` is its index among the reading threads. */
export class SlotReader {
  readonly #core: Core;
  readonly #pin: number;
  #depth = 0;

  constructor(core: Core, reader: number) {
    assert(reader >= 0 && reader < layout.READERS_MAX, `reader ${reader} has a pin`);
    this.#core = core;
    this.#pin = (layout.ROOT_PINS >>> 2) + reader;
  }

  /** Keeps every slot that is listed from now on as it is, until as many unpins have followed. */
  pin(): void {
    if (this.#depth++ !== 0) return;
    const { u32 } = this.#core;
    const epochAt = layout.ROOT_SLOTS_EPOCH >>> 2;
    // The writer may have moved on before the pin was visible to it; then the pin is taken again.
    for (let epoch = 0; epoch !== Atomics.load(u32, epochAt); ) {
      epoch = Atomics.load(u32, epochAt);
      Atomics.store(u32, this.#pin, epoch);
    }
  }

  unpin(): void {
    assert(this.#depth > 0, "a pin is held");
    if (--this.#depth === 0) Atomics.store(this.#core.u32, this.#pin, 0);
  }

  /** Runs `read` under a pin. */
  pinned<T>(read: (slots: SlotView[]) => T): T {
    this.pin();
    try {
      return read(this.list());
    } finally {
      this.unpin();
    }
  }

  /**
   * The slots in use, in sequence order, as one run of sequences without a gap.
   * A slot may fill and the next one open while they are looked at one after the other; then it looks again.
   */
  list(): SlotView[] {
    assert(this.#depth > 0, "slots are listed under a pin");
    const addresses = slotAddresses(this.#core);
    for (let attempt = 0; attempt < 1000; attempt++) {
      const slots = viewsOf(this.#core, addresses);
      if (isRun(slots)) return slots;
    }
    throw new Error("BUG: the hot slots never form one run of sequences");
  }
}

function isRun(slots: readonly SlotView[]): boolean {
  return slots.every((slot, index) => {
    const next = slots[index + 1];
    return next === undefined || slot.firstSequence + BigInt(slot.rows) === next.firstSequence;
  });
}
