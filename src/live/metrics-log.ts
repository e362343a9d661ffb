// The newest state of each window that a rule's subscribers may still have to be told, in the order of change.

import type { WindowRow } from "../stream/window-row.ts";

/** A group of a window as it was last told. Never changed: what comes after it is another entry. */
export interface WindowEntry {
  readonly key: string;
  readonly row: WindowRow;
  /** Grows with each change in the log. */
  readonly order: number;
  /** How many groups of its window came into the log before this one did. */
  readonly rank: number;
  /** Starts of the sessions that have become part of this one, µs. */
  readonly replaces: readonly bigint[];
  /** What it is called within its window. */
  readonly group: string;
  /** Its encodings, made when they are first asked for. */
  json: string | null;
  packed: Uint8Array | null;
}

interface Node {
  entry: WindowEntry;
  older: Node | null;
  newer: Node | null;
}

interface WindowGroups {
  /** Groups that ever came, and those that are in the log now. */
  came: number;
  present: number;
}

/**
 * A log that keeps only the newest entry of each window and group: a reader's place is a number, what it has not seen
 * is everything after that, and a reader that falls behind finds each window once. Its length is bounded: the oldest
 * final entries go first, and `floor` says up to where it has holes.
 */
export class WindowLog {
  readonly #entriesMax: number;
  readonly #finalsMax: number;
  readonly #isSession: boolean;
  readonly #nodes = new Map<string, Node>();
  readonly #windows = new Map<bigint, WindowGroups>();
  /** Open sessions by group. */
  readonly #sessions = new Map<string, Set<Node>>();
  /** Keys of final entries, the oldest first. */
  readonly #finals = new Set<string>();
  #oldest: Node | null = null;
  #newest: Node | null = null;
  #order = 0;
  #floor = 0;
  #isWhole = true;
  #lastFinalUs: bigint | null = null;

  constructor(isSession: boolean, entriesMax: number, finalsMax: number) {
    this.#isSession = isSession;
    this.#entriesMax = entriesMax;
    this.#finalsMax = finalsMax;
  }

  /** Of the newest entry. */
  get order(): number {
    return this.#order;
  }

  /** A reader at a place before it has missed something. */
  get floor(): number {
    return this.#floor;
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** Every open window that it was ever given is in it. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Latest end of the final windows. */
  get lastFinalUs(): bigint | null {
    return this.#lastFinalUs;
  }

  /** Some group of the window is in it. */
  hasWindow(startUs: bigint): boolean {
    return this.#windows.has(startUs);
  }

  /** False: the row says nothing new. */
  put(row: WindowRow): boolean {
    const group = groupKey(row);
    const key = `${row.startUs} ${group}`;
    const node = this.#nodes.get(key);
    if (node !== undefined && !isNews(node.entry.row, row)) return false;
    const replaces = this.#isSession ? this.#replace(key, group, row, node) : none;
    const rank = node === undefined ? this.#rank(row.startUs) : node.entry.rank;
    this.#order++;
    const entry = { key, row, order: this.#order, rank, replaces, group, json: null, packed: null };
    if (node === undefined) this.#add(key, { entry, older: null, newer: null });
    else this.#renew(node, entry);
    this.#settle(key, group, row);
    this.#shrink();
    return true;
  }

  /** The entries after `order` up to `until`, oldest first. */
  *after(order: number, until: number): Generator<WindowEntry> {
    let node = order === 0 ? this.#oldest : this.#firstAfter(order);
    while (node !== null && node.entry.order <= until) {
      yield node.entry;
      node = node.newer;
    }
  }

  /** Back from the newest: what is asked for is mostly near the end. */
  #firstAfter(order: number): Node | null {
    let found: Node | null = null;
    let node = this.#newest;
    while (node !== null && node.entry.order > order) {
      found = node;
      node = node.older;
    }
    return found;
  }

  #rank(startUs: bigint): number {
    let groups = this.#windows.get(startUs);
    if (groups === undefined) {
      groups = { came: 0, present: 0 };
      this.#windows.set(startUs, groups);
    }
    groups.present++;
    return groups.came++;
  }

  #add(key: string, node: Node): void {
    this.#nodes.set(key, node);
    this.#append(node);
  }

  #renew(node: Node, entry: WindowEntry): void {
    this.#unlink(node);
    node.entry = entry;
    this.#append(node);
  }

  #append(node: Node): void {
    node.older = this.#newest;
    node.newer = null;
    if (this.#newest === null) this.#oldest = node;
    else this.#newest.newer = node;
    this.#newest = node;
  }

  #unlink(node: Node): void {
    const { older, newer } = node;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
  }

  /** Open sessions of the group that the new one covers are part of it now. */
  #replace(key: string, group: string, row: WindowRow, own: Node | undefined): readonly bigint[] {
    const replaced = [...(own?.entry.replaces ?? none)];
    for (const other of this.#sessions.get(group) ?? []) {
      const { row: was, key: otherKey } = other.entry;
      if (otherKey === key || was.startUs >= row.endUs || was.endUs <= row.startUs) continue;
      // One that began after this one was final, which is told once it is on disk, is no part of it.
      if (was.changedAt >= row.changedAt) continue;
      replaced.push(was.startUs, ...other.entry.replaces);
      this.#remove(other);
    }
    return replaced.length === 0 ? none : replaced;
  }

  #settle(key: string, group: string, row: WindowRow): void {
    const isFinal = row.state === "final";
    if (isFinal) {
      this.#finals.delete(key);
      this.#finals.add(key);
      if (this.#lastFinalUs === null || row.endUs > this.#lastFinalUs) {
        this.#lastFinalUs = row.endUs;
      }
    }
    if (!this.#isSession) return;
    const node = this.#nodes.get(key) as Node;
    const open = this.#sessions.get(group);
    if (!isFinal) {
      if (open === undefined) this.#sessions.set(group, new Set([node]));
      else open.add(node);
    } else if (open?.delete(node) && open.size === 0) this.#sessions.delete(group);
  }

  #remove(node: Node): void {
    const { key, row, group } = node.entry;
    this.#unlink(node);
    this.#nodes.delete(key);
    this.#finals.delete(key);
    const open = this.#sessions.get(group);
    if (open?.delete(node) && open.size === 0) this.#sessions.delete(group);
    const groups = this.#windows.get(row.startUs);
    if (groups !== undefined && --groups.present === 0) this.#windows.delete(row.startUs);
  }

  #shrink(): void {
    while (this.#finals.size > this.#finalsMax || this.#nodes.size > this.#entriesMax) {
      const [key] = this.#finals;
      const node = key === undefined ? this.#oldest : this.#nodes.get(key);
      if (node === undefined || node === null) return;
      if (key === undefined) this.#isWhole = false;
      this.#floor = Math.max(this.#floor, node.entry.order);
      this.#remove(node);
    }
  }
}

const none: readonly bigint[] = [];

/** Text is quoted, so that it is none of the others. */
function groupKey(row: WindowRow): string {
  if (row.other) return "other";
  let key = "";
  for (const value of row.group) {
    key += typeof value === "string" ? JSON.stringify(value) : groupPart(value);
    key += ",";
  }
  return key;
}

function groupPart(value: Exclude<WindowRow["group"][number], string>): string {
  return typeof value === "object" && value !== null ? value.text : String(value);
}

/** A row that was read earlier than what is known already is none. */
function isNews(known: WindowRow, row: WindowRow): boolean {
  if (known.state === "final" && row.state !== "final") return false;
  if (row.changedAt !== known.changedAt) {
    return row.changedAt > known.changedAt || row.revision > known.revision;
  }
  return (
    row.state !== known.state ||
    row.endUs !== known.endUs ||
    row.revision !== known.revision ||
    row.count !== known.count ||
    row.late !== known.late ||
    row.tooLate !== known.tooLate ||
    row.duplicate !== known.duplicate
  );
}
