// The stream thread's part of the shared memory and of the store, put together for the processor.
//
//   REGION_STREAM   arena: tables of event time, panes of open windows
//   its reader      64 bytes │ scratch of a chunk │ scratch of reads │ decoded columns of stored segments

import type { Clock } from "../base/clock.ts";
import { Columns } from "../core/columns.ts";
import type { Core } from "../core/core.ts";
import { REGION_READER_FIRST, REGION_STREAM } from "../core/layout.ts";
import { region } from "../core/memory.ts";
import { SlotReader } from "../core/slots.ts";
import { Cells } from "../query/columns/cells.ts";
import { type QueryRun, queryKernels } from "../query/columns/kernels.ts";
import { Scratch } from "../query/columns/scratch.ts";
import type { SegmentStore } from "../query/read/reader.ts";
import { FoundCodes } from "../query/run/text-codes.ts";
import { LiveSource, StoredSegments } from "../query/segments/segments.ts";
import type { Snapshot } from "../query/segments/source.ts";
import { openGroupDirectories } from "../rollup/group-directories.ts";
import { StateMerger } from "../rollup/state-merger.ts";
import type { GroupDirectory, TableReader } from "../rollup/store.ts";
import { Tiers } from "../rollup/tiers.ts";
import { openWindowStore } from "../rollup/window-store.ts";
import { ColumnCache } from "../storage/column-cache.ts";
import { decodeSegmentMeta, type SegmentMeta } from "../storage/segment.ts";
import { Arena } from "./arena.ts";
import { EventTime, timeTableSize } from "./event-time.ts";
import type { FromStream, StreamTable } from "./messages.ts";
import { PaneRule } from "./pane-rule.ts";
import { rollupAnswer } from "./rollup-answer.ts";
import type { Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";
import { RuleFilters } from "./rule-filters.ts";
import { ruleFold, ruleFoldFilters } from "./rule-fold.ts";
import type { RuleSink, RuleState } from "./rule-state.ts";
import { SessionRule } from "./session-rule.ts";
import type { ChunkScope, FollowedTime, StreamParts, StreamSettings } from "./stream-parts.ts";
import { WindowReader } from "./window-reader.ts";
import { WindowValues } from "./window-values.ts";

const HEAD_SIZE = 64;

export interface StreamRuntimeParts {
  readonly core: Core;
  /** Index among the reading threads. */
  readonly reader: number;
  readonly clock: Clock;
  readonly store: SegmentStore & {
    table(name: StreamTable): TableReader;
    /** As of `Store`. */
    newestDropped(): { readonly timeMaxUs: bigint } | undefined;
  };
  readonly settings: Omit<StreamSettings, "memoryMax">;
  readonly sourcesMax: number;
  readonly maxSkewUs: bigint;
  readonly idleTimeoutUs: bigint;
  readonly commit: StreamParts["commit"];
  readonly emit: (message: FromStream) => void;
}

/** This thread's memory, and what reads and folds with it. */
interface StreamMemory {
  readonly arena: Arena;
  readonly cells: Cells;
  readonly found: FoundCodes;
  readonly cache: ColumnCache;
  /** Of a chunk; `run` works with it. */
  readonly scratch: Scratch;
  readonly run: QueryRun;
  /** With a scratch that is empty between reads. */
  readonly reads: QueryRun;
}

function memoryOf({ core, reader, store }: StreamRuntimeParts): StreamMemory {
  const { base, size } = region(core.memory, REGION_READER_FIRST + reader);
  const scratchSize = Math.floor((size - HEAD_SIZE) / 3 / 64) * 64;
  const at = (n: number): number => base + HEAD_SIZE + n * scratchSize;
  const own = region(core.memory, REGION_STREAM);
  const kernels = queryKernels(core);
  const scratch = new Scratch(at(0), scratchSize);
  const run = { core, kernels, scratch, cancel: base };
  return {
    arena: new Arena(own.base, own.size),
    cells: new Cells(core),
    found: new FoundCodes(),
    cache: new ColumnCache(core, { base: at(2), size: scratchSize }, store),
    scratch,
    run,
    reads: { ...run, scratch: new Scratch(at(1), scratchSize) },
  };
}

/** Chunks in the memory of one: what they take is given back when they end. */
function scopeOf(filters: RuleFilters, { scratch }: QueryRun): ChunkScope {
  let mark = 0;
  let entered = false;
  return {
    begin: () => {
      mark = scratch.mark();
    },
    enter: (chunk) => {
      entered = true;
      return filters.enter(chunk);
    },
    end: () => {
      if (entered) filters.leave();
      entered = false;
      scratch.release(mark);
    },
  };
}

type StoreParts = Pick<
  StreamParts,
  | "store"
  | "directory"
  | "storeWrites"
  | "committed"
  | "drop"
  | "tiers"
  | "rows"
  | "read"
  | "rollup"
>;

/** Stored windows, and what reads them. */
function storeParts(
  { store, clock }: StreamRuntimeParts,
  { reads, cells, found }: StreamMemory,
): StoreParts {
  const table = (name: StreamTable): TableReader => store.table(name);
  const windows = openWindowStore({ windows: table("windows"), finals: table("finals") });
  const directories = openGroupDirectories(table("groups"));
  const directory = (rule: number): GroupDirectory => directories.of(rule);
  const reader = new WindowReader(windows, directory, new WindowValues(reads, cells));
  const state = { run: reads, cells, found, clock };
  return {
    store: windows,
    directory,
    storeWrites: () => [...windows.writes(), ...directories.writes()],
    committed: () => {
      // What memory lets go of must be seen in the tables.
      store.renew();
      windows.committed();
      directories.committed();
    },
    drop: (rule, limit) => {
      reader.forget(rule);
      const dropped = windows.drop(rule, limit);
      return dropped < limit ? dropped + directories.drop(rule, limit - dropped) : dropped;
    },
    tiers: (rule) => {
      if (rule.tiers.length === 0) return null;
      const [query, filters] = [ruleFold(rule, 0n, 1n), ruleFoldFilters(rule)];
      const merger = new StateMerger({ run: reads, cells, query, filters });
      return new Tiers({ rule, store: windows, merge: (groups) => merger.merge(groups) });
    },
    rows: (rule, some) => reader.rows(rule, some),
    read: (rule, request, watermarkUs, next) => reader.read(rule, request, watermarkUs, next),
    rollup: (rule, open, { query, limits = {} }, bounds) =>
      rollupAnswer(
        { store: windows, directory: directory(rule.number), state, limits },
        rule,
        open,
        query,
        bounds,
      ),
  };
}

export class StreamRuntime {
  readonly parts: StreamParts;
  readonly #store: SegmentStore;
  readonly #stored: StoredSegments;
  readonly #source: LiveSource;

  constructor(from: StreamRuntimeParts) {
    const { core, clock, store, commit, emit } = from;
    const memory = memoryOf(from);
    const { arena, cells, found, cache, run } = memory;
    this.#store = store;
    this.#stored = new StoredSegments(cache);
    this.#source = new LiveSource({
      core,
      columns: new Columns(core),
      slots: new SlotReader(core, from.reader),
      stored: this.#stored,
      cache,
      refresh: () => this.#segments(),
    });
    const filters = new RuleFilters(run, found, arena);
    const stored = storeParts(from, memory);
    const shared = { run, cells, arena, filters };
    this.parts = {
      ...stored,
      source: {
        snapshot: (first) => this.#snapshot(first),
        droppedMaxUs: () => store.newestDropped()?.timeMaxUs ?? null,
      },
      clock,
      settings: { ...from.settings, memoryMax: arena.size },
      table: (name) => store.table(name),
      time: () => new TimeInArena(core, arena, memory.scratch, from),
      state: (rule, sink) =>
        stateOf({ ...shared, rule, sink, directory: stored.directory(rule.number) }),
      scope: scopeOf(filters, run),
      memoryBytes: () => arena.used,
      commit,
      emit,
    };
  }

  #segments(): SegmentMeta[] {
    return this.#store.segments();
  }

  /**
   * Rows below its `asOf`: what was committed with them is in the tables as they are read now. Stored segments are
   * listed anew, as one of them may have been merged into another since.
   */
  #snapshot(first: bigint): Snapshot {
    const before = this.#source.snapshot();
    before.release();
    this.#store.renew();
    const hot = before.segments.find((one) => one.hot)?.firstSequence ?? before.asOf;
    const snapshot = this.#source.snapshot(first < hot);
    return { ...snapshot, asOf: before.asOf };
  }

  /** As of `Reader`. */
  segments(added: readonly Uint8Array[], dropped: readonly number[], end: bigint): void {
    this.#stored.add(added.map(decodeSegmentMeta));
    this.#stored.drop(dropped);
    this.#stored.reach(end);
  }
}

function stateOf(
  context: RuleContext & { readonly sink: RuleSink; readonly rule: Rule },
): RuleState {
  return context.rule.window.kind === "session" ? new SessionRule(context) : new PaneRule(context);
}

/** An event time whose table is a block of the arena. */
class TimeInArena implements FollowedTime {
  readonly #arena: Arena;
  readonly #scratch: Scratch;
  readonly #block: { readonly address: number; readonly size: number };
  readonly #time: EventTime;

  constructor(
    core: Core,
    arena: Arena,
    scratch: Scratch,
    options: Pick<StreamRuntimeParts, "sourcesMax" | "maxSkewUs" | "idleTimeoutUs">,
  ) {
    const { sourcesMax, maxSkewUs, idleTimeoutUs } = options;
    this.#arena = arena;
    this.#scratch = scratch;
    this.#block = arena.take(timeTableSize(core, sourcesMax));
    const table = this.#block.address;
    this.#time = new EventTime(core, { table, sourcesMax, maxSkewUs, idleTimeoutUs });
  }

  take(...[segment, first, end]: Parameters<FollowedTime["take"]>) {
    return this.#time.chunk(segment, first, end, this.#scratch);
  }

  tick(receivedAtUs: bigint): void {
    this.#time.tick(receivedAtUs);
  }

  watermarkUs(): bigint {
    return this.#time.watermarkUs();
  }

  get sourceCount(): number {
    return this.#time.sourceCount;
  }

  sources(limit: number) {
    return this.#time.sources(limit);
  }

  encode(): Uint8Array {
    return this.#time.encode();
  }

  restore(bytes: Uint8Array): void {
    this.#time.restore(bytes);
  }

  close(): void {
    this.#arena.give(this.#block);
  }
}
