import type { WindowState } from "../stream/window-row.ts";
import { Crowd } from "./metrics-crowd.ts";
import { metricsCursorOf } from "./metrics-cursor.ts";
import type { RuleFeed } from "./metrics-feed.ts";
import type { WindowEntry, WindowLog } from "./metrics-log.ts";
import { Page, type Place } from "./metrics-page.ts";
import { Ticker, type Timers } from "./metrics-timers.ts";

/** What of a rule a subscriber wants; those who want the same share a channel. */
export interface View {
  /** Groups of each window. */
  readonly groupsMax: number;
  /** Texts of group values by index of the key; null: all groups. */
  readonly group: ReadonlyMap<number, string> | null;
  /** Null: all. */
  readonly states: ReadonlySet<WindowState> | null;
  readonly paceMs: number;
}

/** What several subscribers are sent at the same pace. */
export interface Channel {
  /** What it is of, for figures. */
  readonly label: string;
  readonly crowd: Crowd;
  /** Where those who are not behind stand. */
  readonly until: Place;
  /** Where a new subscriber begins. */
  start(): Place;
  /** Moves `until` on to what has come. */
  refresh(): void;
  /** What follows a place; null: it was dropped, and is to be read again. */
  page(place: Place): Page | null;
  /** What changed since a place that `page` has nothing for; null: that is not known. */
  again(place: Place): Promise<Place | null>;
}

/** Windows and characters of one message; a window more may be in it. */
export const pageWindowsMax = 1000;
const pageCharsMax = 512 * 1024;

/** A rule's windows for those who want the same groups, states and pace. */
export class RuleChannel implements Channel {
  readonly crowd: Crowd;
  readonly #feed: RuleFeed;
  readonly #view: View;
  /** What was asked for since the last tick, by log and place. */
  readonly #pages = new Map<WindowLog, Map<string, Page>>();
  /** Ranks among the groups that pass the filter, by window. */
  readonly #ranks = new Map<bigint, Map<string, number>>();
  readonly #ticker: Ticker;
  /** What those who are not behind were given last, most often all of them. */
  #latest: { readonly place: Place; readonly page: Page } | null = null;
  #until: Place;

  /** `closed` is called when nobody is left. */
  constructor(feed: RuleFeed, view: View, timers: Timers, closed: () => void) {
    this.#feed = feed;
    this.#view = view;
    this.crowd = new Crowd(closed);
    this.#until = feed.place();
    this.#ticker = new Ticker(timers, view.paceMs, () => this.#tick());
    feed.listeners.add(this.#ticker);
  }

  /** Nobody is told of anything any more. */
  close(): void {
    this.#feed.listeners.delete(this.#ticker);
    this.#ticker.close();
  }

  get label(): string {
    return this.#feed.label;
  }

  get until(): Place {
    return this.#until;
  }

  start(): Place {
    const { log, order } = this.#until;
    return { log, order: 0, asOf: null, finalUs: null, snapshotTo: order };
  }

  refresh(): void {
    const place = this.#feed.place();
    if (place.order === this.#until.order && place.asOf === this.#until.asOf) return;
    this.#until = place;
    this.#forgetPages();
  }

  #tick(): void {
    this.refresh();
    this.crowd.advance();
    // Everyone has it, or is behind for long: it is made again for those.
    this.#forgetPages();
    this.#forgetRanks();
  }

  #forgetPages(): void {
    this.#pages.clear();
    this.#latest = null;
  }

  page(place: Place): Page | null {
    if (this.#latest?.place === place) return this.#latest.page;
    const page = this.#find(place);
    if (page !== null) this.#latest = { place, page };
    return page;
  }

  #find(place: Place): Page | null {
    const log = place.log ?? this.#feed.log;
    if (place.order < log.floor && !isWholeFor(place, log)) return null;
    let pages = this.#pages.get(log);
    if (pages === undefined) {
      pages = new Map();
      this.#pages.set(log, pages);
    }
    const key = `${place.order} ${place.asOf} ${place.finalUs} ${place.snapshotTo}`;
    let page = pages.get(key);
    if (page === undefined) {
      page = this.#make(place, log);
      pages.set(key, page);
    }
    return page;
  }

  again(place: Place): Promise<Place | null> {
    return this.#feed.again(place);
  }

  #make(place: Place, log: WindowLog): Page {
    const { texts } = this.#feed;
    const until = log === this.#feed.log ? this.#until.order : log.order;
    const snapshot = place.asOf === null;
    const taken: WindowEntry[] = [];
    let [order, chars, leftOff, more] = [place.order, 0, 0, false];
    for (const entry of log.after(place.order, until)) {
      more = taken.length >= pageWindowsMax || chars >= pageCharsMax;
      if (more) break;
      order = entry.order;
      if (!this.#wants(entry)) continue;
      if (snapshot && order <= place.snapshotTo && isPast(entry, log.lastFinalUs)) continue;
      if (this.#rank(entry) >= this.#view.groupsMax) {
        leftOff++;
        continue;
      }
      taken.push(entry);
      chars += texts.json(entry).length;
    }
    const next = more ? { ...place, order } : this.#after(log);
    return new Page({
      json: taken.map((entry) => texts.json(entry)),
      packed: () => taken.map((entry) => texts.packed(entry)),
      snapshot,
      more,
      leftOff,
      next,
      cursor: this.#cursor(next),
    });
  }

  /** The place when everything of a log has been sent. */
  #after(log: WindowLog): Place {
    return log === this.#feed.log ? this.#until : this.#feed.after(log);
  }

  #cursor(place: Place): string {
    const { asOf, finalUs } = place;
    // A place in what was read for one alone can't be found again: it resumes where it began to read.
    const isShared = place.log === null || place.log === this.#feed.log;
    const [run, order] = isShared ? [this.#feed.run, place.order] : ["0", 0];
    return metricsCursorOf({ rule: this.#feed.rule.number, run, order, asOf, finalUs });
  }

  #wants({ row }: WindowEntry): boolean {
    const { group, states } = this.#view;
    if (row.startUs < this.#feed.fromUs) return false;
    if (states !== null && !states.has(row.state)) return false;
    if (group === null) return true;
    if (row.other) return false;
    for (const [key, text] of group) {
      if (this.#feed.groupText(row, key) !== text) return false;
    }
    return true;
  }

  #rank(entry: WindowEntry): number {
    if (this.#view.group === null) return entry.rank;
    let ranks = this.#ranks.get(entry.row.startUs);
    if (ranks === undefined) {
      ranks = new Map();
      this.#ranks.set(entry.row.startUs, ranks);
    }
    let rank = ranks.get(entry.group);
    if (rank === undefined) {
      rank = ranks.size;
      ranks.set(entry.group, rank);
    }
    return rank;
  }

  #forgetRanks(): void {
    for (const startUs of this.#ranks.keys()) {
      if (!this.#feed.log.hasWindow(startUs)) this.#ranks.delete(startUs);
    }
  }
}

/** A snapshot has no use for the final windows that were dropped before it began. */
function isWholeFor(place: Place, log: WindowLog): boolean {
  return place.asOf === null && log.isWhole && log.floor <= place.snapshotTo;
}

/** A snapshot has the last final windows, not those before. */
function isPast({ row }: WindowEntry, lastFinalUs: bigint | null): boolean {
  return row.state === "final" && lastFinalUs !== null && row.endUs < lastFinalUs;
}
