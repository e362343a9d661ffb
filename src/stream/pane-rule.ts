// The open windows of a rule with tumbling or hopping windows: its panes, and the windows that they make. See
// docs/windows.md.

import { assert } from "../base/assert.ts";
import { LimitError } from "../errors.ts";
import { HeldSink } from "./held-sink.ts";
import { Pane, paneKey, restoredPane } from "./pane.ts";
import { type BatchParts, batchFrom, type PaneBatch, paneBatches } from "./pane-batches.ts";
import { paneKernels } from "./pane-kernels.ts";
import {
  decodePaneLedger,
  encodePaneLedger,
  type OpenWindow,
  type SavedRule,
} from "./pane-ledger.ts";
import { PaneSlides } from "./pane-slides.ts";
import {
  MergedGroups,
  partialsOf,
  type WindowFacts,
  type WindowGroups,
  WindowRows,
  withGroups,
} from "./pane-window.ts";
import type { Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";
import type { ChunkRows } from "./rule-filters.ts";
import type { RuleState, RuleStateStats, StatePart, WantedWindows } from "./rule-state.ts";
import { noWatermark, type TimedChunk } from "./timed-chunk.ts";
import { countTooLate } from "./too-late.ts";
import type { FinalWindow, WindowRow } from "./window-row.ts";
import { overlaps, shapeKey, WindowPanes } from "./window-shape.ts";

/** Panes that are remembered for their duplicates alone. */
const duplicatesMax = 10_000;
const ledgerKey = Uint8Array.of(0);

export class PaneRule implements RuleState {
  readonly rule: Rule;
  readonly #context: RuleContext;
  readonly #rows: ChunkRows;
  readonly #shape: WindowPanes;
  readonly #batching: BatchParts;
  readonly #shown: WindowRows;
  /** By start. */
  readonly #panes = new Map<bigint, Pane>();
  readonly #stored = new Set<bigint>();
  /** By start, ascending, and so by end; `#starts` are the same. */
  readonly #windows: OpenWindow[] = [];
  readonly #starts = new Set<bigint>();
  /** Of the first windows, so many have ended. */
  #ended = 0;
  /** By start of a pane. */
  readonly #duplicates = new Map<bigint, number>();
  /** The groups of a window with one pane are those of the pane. */
  readonly #isPaneEnough: boolean;
  #watermarkUs = noWatermark;
  #counts = { rows: 0, tooLate: 0, dropped: 0, overflowed: 0 };
  /** Of the panes: what they have in the arena, and their groups. */
  readonly #tally = { bytes: 0 };
  #openGroups = 0;
  #isDirty = true;
  readonly #sink: HeldSink;
  /** While a chunk is taken that there may be no room for. */
  #saved: SavedRule | null = null;

  constructor({ sink, ...parts }: RuleContext) {
    this.#sink = new HeldSink(sink);
    const context = { ...parts, sink: this.#sink };
    const { rule } = context;
    assert(rule.window.kind !== "session", "sessions are no panes");
    this.rule = rule;
    this.#context = context;
    this.#rows = context.filters.open(rule);
    this.#shape = new WindowPanes(rule.window);
    this.#shown = new WindowRows(context);
    // A rate is per second of the window.
    const hasRate = rule.aggregates.some(({ fn }) => fn === "rate");
    this.#isPaneEnough = this.#shape.perWindow === 1 || !hasRate;
    this.#batching = {
      context,
      kernels: paneKernels(context.run.core),
      shape: this.#shape,
      shapeKey: shapeKey(rule.window),
      rows: this.#rows,
    };
  }

  /**
   * The chunk is the one that the context's filters have entered. Throws LimitError when there is no room: then none of
   * its rows was taken, unless a pane wanted an eighth of the arena at once.
   */
  add(_: TimedChunk): void {
    const { chunk } = this.#context.filters;
    if (!this.#context.arena.isLow) return this.#addRows(chunk);
    const saved = { ledger: this.#encodeLedger(), panes: new Map() };
    this.#saved = saved;
    this.#sink.hold();
    let isTaken = false;
    try {
      this.#addRows(chunk);
      isTaken = true;
    } finally {
      this.#saved = null;
      this.#sink.release(isTaken);
      if (!isTaken) this.#undo(saved);
    }
  }

  #addRows(chunk: TimedChunk): void {
    for (const batches of paneBatches(this.#batching, chunk)) {
      for (let i = 0; i < batches.length; i++) {
        const batch = batches[i] as PaneBatch;
        if (!this.#canWait(batch)) this.#finishIn(chunk, batch.first);
        this.#take(chunk, batch, batches, i);
      }
    }
    this.#finishIn(chunk, chunk.end);
    if (this.#watermarkUs !== chunk.watermarkAfterUs) this.#reach(chunk.watermarkAfterUs);
  }

  /** Windows that share panes are closed together: before rows for one of them, or for which there is no room. */
  #canWait({ final, ended }: PaneBatch): boolean {
    const { perWindow } = this.#shape;
    if (perWindow === 1 || final.length + ended.length > 0) return false;
    return this.#windows.length + perWindow <= this.rule.windowsMax && !this.#context.arena.isLow;
  }

  /** To be called before a pane changes, is opened or goes. */
  #save(startUs: bigint): void {
    if (this.#saved === null || this.#saved.panes.has(startUs)) return;
    const pane = this.#panes.get(startUs);
    this.#saved.panes.set(startUs, pane ? { bytes: pane.encode(), rows: pane.rowCount } : null);
  }

  #undo({ ledger, panes }: SavedRule): void {
    for (const startUs of panes.keys()) this.#forget(this.#panes.get(startUs));
    this.#windows.length = 0;
    this.#starts.clear();
    this.#ended = 0;
    this.#duplicates.clear();
    this.#restoreLedger(ledger);
    for (const pane of panes.values()) {
      try {
        if (pane !== null) this.#restorePane(pane.bytes);
      } catch (error) {
        if (!(error instanceof LimitError)) throw error;
        this.#counts.dropped += pane?.rows ?? 0;
      }
    }
    this.#isDirty = true;
  }

  #restorePane(bytes: Uint8Array): Pane {
    const pane = restoredPane(this.#context, this.#rows, bytes, this.#tally);
    this.#panes.set(pane.startUs, pane);
    this.#openGroups += pane.groups;
    return pane;
  }

  #reach(watermarkUs: bigint): void {
    if (watermarkUs <= this.#watermarkUs) return;
    this.#watermarkUs = watermarkUs;
    this.#isDirty = true;
    this.#forgetDuplicates();
  }

  /** What W has come to before row `row` of the chunk, which the row after it may be. */
  #finishIn(chunk: TimedChunk, row: number): void {
    const { watermarkAfterUs, first } = chunk;
    const next = this.#nextUs();
    if (next === null || next > watermarkAfterUs) return;
    const before = chunk.segment.firstSequence + 1n;
    this.#finish((us) => {
      if (us > watermarkAfterUs) return null;
      const at = chunk.crossing(us, first);
      return at <= row ? before + BigInt(at) : null;
    });
  }

  /** The smallest W at which something happens to an open window. */
  #nextUs(): bigint | null {
    const [oldest] = this.#windows;
    if (oldest === undefined) return null;
    const finalUs = oldest.endUs + this.rule.allowedLatenessUs;
    const ends = this.#windows[this.#ended];
    return ends !== undefined && ends.endUs < finalUs ? ends.endUs : finalUs;
  }

  /** `sequenceAt` says after which sequence W had come to a time; null: it has not. */
  #finish(sequenceAt: (us: bigint) => bigint | null): void {
    for (;;) {
      const window = this.#windows[this.#ended];
      const sequence = window === undefined ? null : sequenceAt(window.endUs);
      if (window === undefined || sequence === null) break;
      window.endedAt = sequence;
      this.#ended++;
      this.#isDirty = true;
    }
    const finalAt = (window: OpenWindow | undefined): bigint | null =>
      window === undefined ? null : sequenceAt(window.endUs + this.rule.allowedLatenessUs);
    let count = 0;
    while (finalAt(this.#windows[count]) !== null) count++;
    // A window that closes takes nothing from those after it.
    this.#each(this.#windows.slice(0, count), (window, _, slides) =>
      this.#close(window, finalAt(window) as bigint, slides),
    );
  }

  #close(window: OpenWindow, finalAt: bigint, slides: PaneSlides | null): void {
    if (this.#saved !== null)
      for (const { startUs } of this.#panesOf(window.startUs)) this.#save(startUs);
    this.#sink.final(this.rule, this.#partials(window, finalAt, slides));
    this.#windows.shift();
    this.#starts.delete(window.startUs);
    this.#ended--;
    this.#isDirty = true;
    // No later window has the pane that this one begins with.
    this.#forget(this.#panes.get(window.startUs));
    for (const pane of this.#panesOf(window.startUs)) pane.revised.delete(window.startUs);
  }

  #forget(pane: Pane | undefined): void {
    if (pane === undefined) return;
    this.#openGroups -= pane.groups;
    pane.free();
    this.#panes.delete(pane.startUs);
  }

  #panesOf(startUs: bigint): Pane[] {
    const starts = this.#shape.perWindow === 1 ? [startUs] : this.#shape.panesOf(startUs);
    return starts.map((start) => this.#panes.get(start)).filter((pane) => pane !== undefined);
  }

  /** Calls `use` with the groups of a window. */
  #groups<T>(
    window: OpenWindow,
    use: (groups: WindowGroups) => T,
    slides: PaneSlides | null = null,
  ): T {
    const panes = slides?.panes(window) ?? this.#panesOf(window.startUs);
    const isOne = panes.length === 1 && this.#isPaneEnough;
    const merge = (): MergedGroups =>
      slides?.groups(window) ?? new MergedGroups(this.#context, this.#rows, window, panes);
    return withGroups(this.#context.run, window, panes, isOne ? null : merge, use);
  }

  #facts({ startUs, endUs, endedAt }: OpenWindow): WindowFacts {
    return { startUs, endUs, endedAt, duplicate: this.#duplicatesIn(startUs) };
  }

  #duplicatesIn(startUs: bigint): number {
    if (this.#duplicates.size === 0) return 0;
    if (this.#shape.perWindow === 1) return this.#duplicates.get(startUs) ?? 0;
    let count = 0;
    for (const pane of this.#shape.panesOf(startUs)) count += this.#duplicates.get(pane) ?? 0;
    return count;
  }

  #partials(window: OpenWindow, finalAt: bigint, slides: PaneSlides | null = null): FinalWindow {
    const { startUs, endUs } = window;
    const duplicate = this.#duplicatesIn(startUs);
    const partials = (own: WindowGroups) => partialsOf(this.#context, own, duplicate);
    const groups = this.#groups(window, partials, slides);
    return { startUs, endUs, finalAt, groups };
  }

  #take(chunk: TimedChunk, batch: PaneBatch, batches: PaneBatch[], index: number): void {
    const { final, ended, pane: span, count } = batch;
    const isLost = final.length === this.#shape.perWindow;
    if (isLost) this.#counts.rows += count;
    if (final.length > 0) countTooLate(this.#context, this.#rows, batch, final);
    this.#isDirty = true;
    if (isLost) {
      this.#counts.tooLate += count;
      return;
    }
    const pane = this.#panes.get(span.startUs) ?? this.#open(batch);
    if (pane === null) {
      this.#drop(chunk, batch, batches, index);
      return;
    }
    this.#counts.rows += count;
    const revises = ended.map(({ startUs }) => startUs);
    const { groupsMax } = this.rule;
    const limit = this.#context.arena.isTight ? Math.min(groupsMax, pane.fold.count) : groupsMax;
    this.#save(span.startUs);
    const before = pane.groups;
    try {
      this.#counts.overflowed += pane.add(batch, revises, limit);
    } catch (error) {
      // No half of a batch stays: the pane goes if it is not restored.
      this.#counts.dropped += this.#saved === null ? pane.rowCount : 0;
      this.#openGroups += pane.groups - before;
      this.#forget(pane);
      throw error;
    }
    this.#openGroups += pane.groups - before;
  }

  /** The rows would open a window too many, until another one is final. */
  #drop(chunk: TimedChunk, batch: PaneBatch, batches: PaneBatch[], index: number): void {
    const [oldest] = this.#windows;
    let { count } = batch;
    const finalUs = oldest && oldest.endUs + this.rule.allowedLatenessUs;
    if (finalUs !== undefined && finalUs <= chunk.watermarkAfterUs) {
      const { before, rest } = batchFrom(
        this.#batching,
        batch,
        chunk.crossing(finalUs, chunk.first),
      );
      count = before;
      if (rest !== null) {
        let at = index + 1;
        while (at < batches.length && (batches[at] as PaneBatch).first < rest.first) at++;
        batches.splice(at, 0, rest);
      }
    }
    this.#counts.rows += count;
    this.#counts.dropped += count;
  }

  /** A pane and those of its windows that are not final; null: there are too many windows. */
  #open({ pane: span, final }: PaneBatch): Pane | null {
    const isFullNow = this.#windows.length >= this.rule.windowsMax;
    // The window that begins with the pane is the last of its windows to be final.
    if (isFullNow && !this.#starts.has(span.startUs)) return null;
    const gone = new Set(final.map(({ startUs }) => startUs));
    const wanted =
      this.#shape.perWindow === 1
        ? [span].filter(({ startUs }) => !this.#starts.has(startUs))
        : this.#shape
            .windowsOf(span.startUs)
            .filter(({ startUs }) => !gone.has(startUs) && !this.#starts.has(startUs));
    const { arena } = this.#context;
    const isFull = this.#windows.length + wanted.length > this.rule.windowsMax;
    if (wanted.length > 0 && (isFull || arena.isTight)) return null;
    this.#save(span.startUs);
    const pane = new Pane(this.#context, this.#rows, span, this.#tally);
    this.#panes.set(span.startUs, pane);
    this.#openGroups += pane.groups;
    for (const { startUs, endUs } of wanted) this.#insert({ startUs, endUs, endedAt: 0n });
    return pane;
  }

  #insert(window: OpenWindow): void {
    let at = this.#windows.length;
    while (at > 0 && (this.#windows[at - 1] as OpenWindow).startUs > window.startUs) at--;
    // One that opens when W has passed its end is among those that have ended: it is told so as it comes.
    if (at < this.#ended) {
      const next = this.#windows[at] as OpenWindow;
      window.endedAt = next.endedAt;
      this.#ended++;
    }
    this.#windows.splice(at, 0, window);
    this.#starts.add(window.startUs);
  }

  advance(watermarkUs: bigint, sequence: bigint): void {
    // Before row `sequence`, as that row would find it.
    this.#finish((us) => (us <= watermarkUs ? sequence + 1n : null));
    this.#reach(watermarkUs);
  }

  duplicates(timestampsUs: readonly bigint[]): void {
    for (const us of timestampsUs) {
      const { startUs } = this.#shape.paneOf(us);
      if (this.#isGone(startUs)) continue;
      const known = this.#duplicates.get(startUs);
      if (known === undefined && this.#duplicates.size >= duplicatesMax) continue;
      this.#duplicates.set(startUs, (known ?? 0) + 1);
      this.#isDirty = true;
    }
  }

  /** Whether all windows of the pane are final. */
  #isGone(startUs: bigint): boolean {
    if (this.#watermarkUs === noWatermark) return false;
    const { endUs } = this.#shape.windowAt(startUs);
    return endUs + this.rule.allowedLatenessUs <= this.#watermarkUs;
  }

  #forgetDuplicates(): void {
    // W may have come to the end of windows that the next row makes final.
    const oldestUs = this.#windows[0]?.startUs ?? null;
    for (const startUs of this.#duplicates.keys()) {
      const isOpen = oldestUs !== null && oldestUs <= startUs;
      if (!isOpen && this.#isGone(startUs)) this.#duplicates.delete(startUs);
    }
  }

  /** Calls `use` with each of the windows, with its panes, and `groups` to read them. */
  #each(
    windows: readonly OpenWindow[],
    use: (window: OpenWindow, panes: readonly Pane[], slides: PaneSlides | null) => void,
  ): void {
    if (this.#shape.perWindow === 1 || windows.length === 0) {
      for (const window of windows) use(window, this.#panesOf(window.startUs), null);
      return;
    }
    const slides = new PaneSlides(this.#context, this.#rows, this.#panes.values(), windows.length);
    try {
      for (const window of windows) use(window, slides.panes(window), slides);
    } finally {
      slides.free();
    }
  }

  open(since: bigint, wanted?: WantedWindows): WindowRow[] {
    const rows: WindowRow[] = [];
    const windows = wanted ? this.#windows.filter((one) => overlaps(one, wanted)) : this.#windows;
    this.#each(windows, (window, panes, slides) => {
      const changed = panes.findLast(({ changedAt }) => changedAt > since) !== undefined;
      if (!changed && window.endedAt <= since) return;
      const shown = (groups: WindowGroups) =>
        this.#shown.of(groups, this.#facts(window), since, wanted?.groups);
      for (const row of this.#groups(window, shown, slides)) rows.push(row);
    });
    return rows;
  }

  openPartials(fromUs: bigint | null, toUs: bigint | null): FinalWindow[] {
    const found: FinalWindow[] = [];
    const windows = this.#windows.filter((window) => overlaps(window, { fromUs, toUs }));
    this.#each(windows, (window, panes, slides) => {
      const changedAt = panes.reduce((max, one) => (one.changedAt > max ? one.changedAt : max), 0n);
      found.push(this.#partials(window, changedAt, slides));
    });
    return found;
  }

  dirtyParts(): StatePart[] {
    const parts: StatePart[] = [];
    for (const startUs of this.#stored) {
      if (this.#panes.has(startUs)) continue;
      parts.push({ key: paneKey(startUs), bytes: null });
      this.#stored.delete(startUs);
    }
    for (const pane of this.#panes.values()) {
      if (!pane.isDirty) continue;
      pane.isDirty = false;
      parts.push({ key: paneKey(pane.startUs), bytes: pane.encode() });
      this.#stored.add(pane.startUs);
    }
    if (this.#isDirty) parts.push({ key: ledgerKey, bytes: this.#encodeLedger() });
    this.#isDirty = false;
    return parts;
  }

  #encodeLedger(): Uint8Array {
    return encodePaneLedger(this.#context.run, {
      watermarkUs: this.#watermarkUs,
      counts: this.#counts,
      windows: this.#windows,
      duplicates: this.#duplicates,
    });
  }

  restore(parts: readonly StatePart[]): void {
    for (const { key, bytes } of parts) {
      if (bytes === null) continue;
      if (key[0] === ledgerKey[0]) this.#restoreLedger(bytes);
      else {
        const pane = this.#restorePane(bytes);
        this.#stored.add(pane.startUs);
      }
    }
    this.#isDirty = true;
  }

  #restoreLedger(bytes: Uint8Array): void {
    const { watermarkUs, counts, windows, duplicates } = decodePaneLedger(this.#context.run, bytes);
    this.#watermarkUs = watermarkUs;
    this.#counts = { ...counts };
    for (const window of windows) {
      this.#windows.push(window);
      this.#starts.add(window.startUs);
      if (window.endedAt > 0n) this.#ended = this.#windows.length;
    }
    for (const [startUs, count] of duplicates) this.#duplicates.set(startUs, count);
  }

  get dropped(): number {
    return this.#counts.dropped;
  }

  get stats(): RuleStateStats {
    const openWindows = this.#windows.length;
    const { bytes: memoryBytes } = this.#tally;
    return { ...this.#counts, openWindows, openGroups: this.#openGroups, memoryBytes };
  }

  close(): void {
    for (const pane of this.#panes.values()) this.#forget(pane);
    this.#windows.length = 0;
    this.#starts.clear();
    this.#rows.close();
  }
}
