import { randomBytes } from "node:crypto";
import { valueText } from "../query/result-text.ts";
import { shownValue } from "../query/run/shown.ts";
import type { Rule } from "../stream/rule.ts";
import type { RuleRecord } from "../stream/rule-record.ts";
import type { Streams, Watch, WatchUpdate } from "../stream/streams.ts";
import type { FinalPlace, WindowRow } from "../stream/window-row.ts";
import { WindowLog } from "./metrics-log.ts";
import { EntryTexts, type Place } from "./metrics-page.ts";

/** Windows of a rule that are kept for all its subscribers together, and how many of them may be final. */
export interface FeedBounds {
  readonly entriesMax: number;
  readonly finalsMax: number;
}

export const feedBounds: FeedBounds = { entriesMax: 50_000, finalsMax: 10_000 };

export interface FeedOptions {
  /** Windows that begin before it are not complete, and not shown, µs. */
  readonly fromUs?: bigint;
  /** What the rule is called in figures. */
  readonly label: string;
  readonly bounds: FeedBounds;
}

/** The windows of one version of a rule, watched once for all its subscribers. */
export class RuleFeed {
  readonly rule: Rule;
  readonly label: string;
  readonly fromUs: bigint;
  readonly texts: EntryTexts;
  readonly log: WindowLog;
  /** Names this log among those of other times and servers. */
  readonly run = randomBytes(4).toString("hex");
  /** Who is to be told that the log has something new. */
  readonly listeners = new Set<{ news(): void }>();
  readonly #streams: Streams;
  readonly #isPassing: boolean;
  readonly #reads = new Map<string, Promise<Place | null>>();
  /** Where the log of everyone goes on after what was read for some. */
  readonly #after = new WeakMap<WindowLog, Place>();
  #asOf = 0n;
  #watch: Watch | null = null;
  #opening: Promise<void> | null = null;
  #isClosed = false;

  constructor(streams: Streams, record: RuleRecord, options: FeedOptions) {
    this.#streams = streams;
    this.rule = record.rule;
    this.#isPassing = record.state === "passing";
    this.label = options.label;
    this.fromUs = options.fromUs ?? -(2n ** 63n);
    this.texts = new EntryTexts(record.rule);
    this.log = this.#newLog(options.bounds);
  }

  /** Begins to watch; settles when the first snapshot is there. */
  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    const early: WatchUpdate[] = [];
    const take = (update: WatchUpdate): void => {
      if (this.#watch === null) early.push(update);
      else this.#take(update);
    };
    const watch = await this.#streams.watch({ rule: this.rule.number, since: null }, take);
    if (this.#isClosed) return watch.close();
    this.#watch = watch;
    for (const update of [watch.snapshot, ...early]) this.#take(update);
  }

  #take({ rows, asOf }: WatchUpdate): void {
    const { order } = this.log;
    for (const row of rows) this.log.put(row);
    if (asOf > this.#asOf) this.#asOf = asOf;
    if (this.log.order === order) return;
    for (const listener of this.listeners) listener.news();
  }

  /** Behind everything that is known. */
  place(): Place {
    const { log } = this;
    const finalUs = log.lastFinalUs;
    return { log, order: log.order, asOf: this.#asOf, finalUs, snapshotTo: 0 };
  }

  /** Where to go on after a log of `again`. */
  after(log: WindowLog): Place {
    return this.#after.get(log) ?? this.place();
  }

  /**
   * Reads what has changed since a place that the log does not reach back to; null: it is not known any more. Those
   * who ask for the same share it.
   */
  again({ asOf, finalUs }: Pick<Place, "asOf" | "finalUs">): Promise<Place | null> {
    // What a passing rule has sent is stored nowhere.
    if (this.#isPassing && asOf !== null) return Promise.resolve(null);
    const key = `${asOf} ${finalUs}`;
    let read = this.#reads.get(key);
    if (read === undefined) {
      read = this.#read(asOf, finalUs).finally(() => this.#reads.delete(key));
      this.#reads.set(key, read);
    }
    return read;
  }

  async #read(asOf: bigint | null, finalUs: bigint | null): Promise<Place | null> {
    const watch = await this.#streams.watch(
      { rule: this.rule.number, since: asOf },
      () => undefined,
    );
    watch.close();
    const { snapshot, lost } = watch;
    // What is newer than the log goes into it, so that what comes next repeats nothing.
    const newer = snapshot.rows.filter((row) => row.changedAt > this.#asOf);
    this.#take({ rows: newer, asOf: snapshot.asOf });
    if (asOf !== null && lost !== null && !isKnownFinal(lost, asOf, finalUs)) return null;
    const log = this.#newLog(unbounded);
    for (const row of snapshot.rows) {
      if (asOf === null || !isKnown(row, asOf, finalUs)) log.put(row);
    }
    // Updates come in order with answers: the log has nothing yet that is later than this one.
    this.#after.set(log, { ...this.place(), asOf: snapshot.asOf });
    return { log, order: 0, asOf, finalUs, snapshotTo: asOf === null ? log.order : 0 };
  }

  /** The value of a key as JSON. */
  groupText(row: WindowRow, key: number): string {
    const type = this.rule.keys[key]?.of.type ?? "variant";
    return valueText(shownValue(row.group[key] ?? null, type));
  }

  close(): void {
    this.#isClosed = true;
    this.#watch?.close();
  }

  #newLog({ entriesMax, finalsMax }: FeedBounds): WindowLog {
    return new WindowLog(this.rule.window.kind === "session", entriesMax, finalsMax);
  }
}

const unbounded: FeedBounds = {
  entriesMax: Number.POSITIVE_INFINITY,
  finalsMax: Number.POSITIVE_INFINITY,
};

function isKnown({ state, changedAt, endUs }: WindowRow, asOf: bigint, finalUs: bigint | null) {
  return state === "final" && isKnownFinal({ finalAt: changedAt, endUs }, asOf, finalUs);
}

/** A window that time alone has made final is of the sequence after that of the next row. */
function isKnownFinal({ finalAt, endUs }: FinalPlace, asOf: bigint, finalUs: bigint | null) {
  return finalUs !== null && finalAt === asOf + 1n && endUs <= finalUs;
}
