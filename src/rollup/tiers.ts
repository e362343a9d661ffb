// Coarser windows of a rule, each merged from the final windows of the tier before. What is open here follows from
// what is stored: it is made again from there, so it has no checkpoint of its own.

import { Buckets } from "../query/expression/bucket.ts";
import type { Rule } from "../stream/rule.ts";
import type { FinalWindow, PartialGroup, TooLate } from "../stream/window-row.ts";
import type { WindowStore } from "./store.ts";

/** A group's states are merged when there are so many, or so many bytes of all groups. */
const statesMax = 64;
const bytesMax = 16 * 1024 * 1024;

/** Merges the states of each group; empty ones are none. */
export type MergeStates = (groups: readonly (readonly Uint8Array[])[]) => Uint8Array[];

export interface TiersParts {
  /** With tumbling windows. */
  readonly rule: Rule;
  readonly store: WindowStore;
  readonly merge: MergeStates;
}

interface OpenGroup {
  readonly groupId: number;
  count: number;
  late: number;
  revised: number;
  tooLate: number;
  duplicate: number;
  revision: number;
  states: Uint8Array[];
}

interface OpenWindow {
  readonly startUs: bigint;
  readonly endUs: bigint;
  /** The latest of the windows that it is merged from. */
  finalAt: bigint;
  readonly groups: Map<number, OpenGroup>;
}

interface OpenTier {
  /** From 1 on; 0 is the rule's own windows. */
  readonly number: number;
  readonly buckets: Buckets;
  readonly open: Map<bigint, OpenWindow>;
}

export class Tiers {
  readonly #rule: Rule;
  readonly #store: WindowStore;
  readonly #merge: MergeStates;
  readonly #tiers: readonly OpenTier[];
  #watermarkUs: bigint | null = null;
  #bytes = 0;
  #bytesMax = bytesMax;

  constructor({ rule, store, merge }: TiersParts) {
    this.#rule = rule;
    this.#store = store;
    this.#merge = merge;
    const { originUs, zone } =
      rule.window.kind === "tumbling" ? rule.window : { originUs: null, zone: "UTC" };
    this.#tiers = rule.tiers.map(({ size }, i) => ({
      number: i + 1,
      buckets: new Buckets({ width: size, originUs, zone }),
      open: new Map(),
    }));
  }

  get memoryBytes(): number {
    return this.#bytes;
  }

  /** Windows of all tiers that ended by then are stored; null while there is no W. */
  get storedToUs(): bigint | null {
    return this.#watermarkUs === null ? null : this.#watermarkUs - this.#rule.allowedLatenessUs;
  }

  #tier(number: number): OpenTier | undefined {
    return this.#tiers[number - 1];
  }

  #isClosed(endUs: bigint): boolean {
    return this.#watermarkUs !== null && endUs + this.#rule.allowedLatenessUs <= this.#watermarkUs;
  }

  /** A window of the rule is final, and was put into the store. */
  final(window: FinalWindow): void {
    this.#add(1, window);
  }

  #add(number: number, window: FinalWindow): void {
    const tier = this.#tier(number);
    if (tier === undefined) return;
    const span = tier.buckets.span(window.startUs);
    if (this.#isClosed(span.endUs) && !tier.open.has(span.startUs)) {
      this.#refoldFrom(number, [span.startUs]);
      return;
    }
    this.#addTo(this.#windowAt(tier, window.startUs), window.finalAt, window.groups);
    if (this.#bytes > this.#bytesMax) this.#compact();
  }

  #windowAt(tier: OpenTier, us: bigint): OpenWindow {
    const { startUs, endUs } = tier.buckets.span(us);
    let open = tier.open.get(startUs);
    if (open === undefined) {
      open = { startUs, endUs, finalAt: 0n, groups: new Map() };
      tier.open.set(startUs, open);
    }
    return open;
  }

  #addTo(open: OpenWindow, finalAt: bigint, groups: readonly PartialGroup[]): void {
    if (finalAt > open.finalAt) open.finalAt = finalAt;
    for (const one of groups) {
      const group = groupAt(open, one.groupId);
      group.count += one.count;
      group.late += one.late;
      group.revised += one.revised;
      group.tooLate += one.tooLate;
      group.duplicate += one.duplicate;
      group.revision += one.revision;
      if (one.partial.length === 0) continue;
      group.states.push(one.partial);
      this.#bytes += one.partial.length;
      if (group.states.length >= statesMax) this.#mergeGroups([group]);
    }
  }

  #mergeGroups(groups: readonly OpenGroup[]): void {
    const merged = this.#merge(groups.map(({ states }) => states));
    groups.forEach((group, i) => {
      for (const { length } of group.states) this.#bytes -= length;
      const states = merged[i] as Uint8Array;
      this.#bytes += states.length;
      group.states = states.length > 0 ? [states] : [];
    });
  }

  #compact(): void {
    for (const { open } of this.#tiers) {
      for (const { groups } of open.values()) {
        this.#mergeGroups([...groups.values()].filter(({ states }) => states.length > 1));
      }
    }
    // Where there are many groups, nothing more is to be gained for long.
    this.#bytesMax = Math.max(bytesMax, this.#bytes * 2);
  }

  /** Rows came too late for a window of the rule, whose own ledger says so already. */
  tooLate(late: TooLate): void {
    for (const tier of this.#tiers) {
      const { startUs, endUs } = tier.buckets.span(late.startUs);
      const open = tier.open.get(startUs);
      if (open || !this.#isClosed(endUs)) {
        groupAt(open ?? this.#windowAt(tier, startUs), late.groupId).tooLate += late.count;
        // Coarser tiers get it with this one's window.
        return;
      }
      this.#store.tooLate(this.#rule, { ...late, startUs, endUs }, tier.number);
    }
  }

  /**
   * W has come to `watermarkUs`, and the windows of the rule that are final by it were told. Before a checkpoint it is
   * told the W that the checkpoint has.
   */
  advance(watermarkUs: bigint): void {
    this.#watermarkUs = watermarkUs;
    for (const tier of this.#tiers) {
      const ended = [...tier.open.values()].filter(({ endUs }) => this.#isClosed(endUs));
      ended.sort((a, b) => (a.startUs < b.startUs ? -1 : 1));
      for (const open of ended) this.#close(tier, open);
    }
  }

  /** The rule takes no more rows: what is open is stored as it is. */
  closeAll(): void {
    for (const tier of this.#tiers) {
      for (const open of [...tier.open.values()]) this.#close(tier, open);
    }
  }

  #close(tier: OpenTier, open: OpenWindow): void {
    const window = this.#merged(open);
    tier.open.delete(open.startUs);
    for (const { partial } of window.groups) this.#bytes -= partial.length;
    this.#store.put(this.#rule, tier.number, window);
    this.#add(tier.number + 1, window);
  }

  #merged(open: OpenWindow): FinalWindow {
    const { startUs, endUs, finalAt } = open;
    const groups = [...open.groups.values()];
    this.#mergeGroups(groups.filter(({ states }) => states.length > 1));
    return {
      startUs,
      endUs,
      finalAt,
      groups: groups.map(({ states, ...ledger }) => ({
        ...ledger,
        partial: states[0] ?? new Uint8Array(0),
      })),
    };
  }

  /** Windows of a tier that are not final yet, as far as windows of the rule are; those that overlap [fromUs, toUs). */
  open(tier: number, fromUs: bigint | null, toUs: bigint | null): FinalWindow[] {
    const windows = [...(this.#tier(tier)?.open.values() ?? [])].filter(
      ({ startUs, endUs }) =>
        (fromUs === null || endUs > fromUs) && (toUs === null || startUs < toUs),
    );
    return windows
      .sort((a, b) => (a.startUs < b.startUs ? -1 : 1))
      .map((window) => this.#merged(window));
  }

  /** Into new tiers, from what is stored: `watermarkUs` is the W of the checkpoint. */
  restore(watermarkUs: bigint): void {
    this.#watermarkUs = watermarkUs;
    for (const tier of this.#tiers) {
      const first = tier.buckets.span(watermarkUs - this.#rule.allowedLatenessUs).startUs;
      this.#addStored(tier, first, null);
    }
  }

  /** Adds the stored windows of the tier before that begin in [fromUs, toUs). */
  #addStored(tier: OpenTier, fromUs: bigint, toUs: bigint | null): void {
    const { number } = this.#rule;
    const stored = this.#store.windows({
      rule: number,
      tier: tier.number - 1,
      groupIds: null,
      fromUs,
      toUs,
      descending: false,
    });
    for (const group of stored) {
      if (group.startUs < fromUs) continue;
      this.#addTo(this.#windowAt(tier, group.startUs), group.finalAt, [group]);
    }
  }

  /** Windows of the rule with these starts were replaced: the tiers above are merged from them again. */
  refold(startsUs: Iterable<bigint>): void {
    this.#refoldFrom(1, startsUs);
  }

  #refoldFrom(number: number, startsUs: Iterable<bigint>): void {
    let starts = new Set(startsUs);
    for (const tier of this.#tiers.slice(number - 1)) {
      const ends = new Map<bigint, bigint>();
      for (const at of starts) {
        const { startUs, endUs } = tier.buckets.span(at);
        ends.set(startUs, endUs);
      }
      for (const [startUs, endUs] of ends) this.#refold(tier, startUs, endUs);
      starts = new Set(ends.keys());
    }
  }

  #refold(tier: OpenTier, startUs: bigint, endUs: bigint): void {
    const before = tier.open.get(startUs);
    if (before) this.#forget(tier, before);
    this.#addStored(tier, startUs, endUs);
    const open = tier.open.get(startUs);
    if (open === undefined || !this.#isClosed(endUs)) return;
    const window = this.#merged(open);
    this.#forget(tier, open);
    // Where windows of the tier before are gone already, what was merged from them is all that is known: rows only
    // ever come, and go from too late ones to the others.
    const groups = window.groups.filter((group) => {
      const known = [
        ...this.#store.read(this.#rule.number, tier.number, group.groupId, startUs, endUs),
      ].find((one) => one.startUs === startUs);
      return known === undefined || known.count + known.tooLate <= group.count + group.tooLate;
    });
    if (groups.length > 0) this.#store.replace(this.#rule, tier.number, { ...window, groups });
  }

  #forget(tier: OpenTier, open: OpenWindow): void {
    tier.open.delete(open.startUs);
    for (const { states } of open.groups.values()) {
      for (const { length } of states) this.#bytes -= length;
    }
  }

  /**
   * Windows of a tier (0: the rule's own) from here on are still needed, whatever their retention: a window of the
   * next tier is open. Null: none is.
   */
  neededFrom(tier: number): bigint | null {
    let first: bigint | null = null;
    for (const { startUs } of this.#tier(tier + 1)?.open.values() ?? []) {
      if (first === null || startUs < first) first = startUs;
    }
    return first;
  }
}

function groupAt(open: OpenWindow, groupId: number): OpenGroup {
  let group = open.groups.get(groupId);
  if (group === undefined) {
    const none = { count: 0, late: 0, revised: 0, tooLate: 0, duplicate: 0, revision: 0 };
    group = { groupId, ...none, states: [] };
    open.groups.set(groupId, group);
  }
  return group;
}
