// Subscribers of rules that leave and come again at random, while the process ends and begins: what they know in the
// end is what one who never left knows, which is what the plain way has.

import { expect, it } from "vitest";
import type { Rule } from "../../src/stream/rule.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import { groupText, type OracleWindow, windowsOf } from "../oracle/windows.ts";
import { compareRows, toldOf } from "../support/compare-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";
import { makeRule, makeShapes } from "../support/random-rules.ts";
import { makeStream, type StreamShape } from "../support/random-streams.ts";
import { StreamBed } from "../support/stream-bed.ts";

const second = 1_000_000;
const time: TimeRules = { sourcesMax: 64, maxSkewUs: 60_000_000n, idleTimeoutUs: 10_000_000n };
const usual: StreamShape = {
  records: 60,
  rows: 20,
  sources: 4,
  paceUs: 3 * second,
  disorderUs: 20 * second,
  rules: time,
};

const below = (random: Random, end: number): number => Math.floor(random() * end);

/** Who keeps the newest state of each window of a rule that it was told, and its cursor. */
class Subscriber {
  readonly windows = new Map<string, WindowRow>();
  readonly finals = new Set<string>();
  cursor: bigint | null = null;
  isHere = false;
  readonly #isSession: boolean;

  constructor(rule: Rule) {
    this.#isSession = rule.window.kind === "session";
  }

  take(rows: readonly WindowRow[], asOf: bigint): void {
    for (const row of rows) this.#put(row);
    this.cursor = asOf;
  }

  #put(row: WindowRow): void {
    const key = this.#key(row, row.startUs);
    const known = this.windows.get(key);
    const where = `${key} as of ${this.cursor}`;
    if (known) {
      expect(row.count, where).toBeGreaterThanOrEqual(known.count);
      expect(row.revision, where).toBeGreaterThanOrEqual(known.revision);
      if (known.state === "final") expect(row.state, where).toBe("final");
    }
    for (const startUs of row.replaces ?? []) this.windows.delete(this.#key(row, startUs));
    if (this.#isSession) this.#join(row);
    this.windows.set(key, row);
    if (row.state === "final") this.finals.add(key);
  }

  /** An open session that overlaps a newer one has become part of it. */
  #join(row: WindowRow): void {
    for (const [key, one] of this.windows) {
      const overlaps = one.startUs < row.endUs && row.startUs < one.endUs;
      // One may have begun after this one was final, which is told once it is on disk.
      if (!overlaps || one.state === "final" || one.changedAt >= row.changedAt) continue;
      if (groupText(one.group) === groupText(row.group)) this.windows.delete(key);
    }
  }

  #key({ group, other }: WindowRow, startUs: bigint): string {
    return `${startUs} ${other} ${groupText(group)}`;
  }
}

/** The subscribers of a rule, of whom the stream thread knows whether there are any. */
class Audience {
  readonly rule: Rule;
  readonly all: readonly Subscriber[];
  readonly #bed: StreamBed;
  #seen = 0;

  constructor(bed: StreamBed, rule: Rule, count: number) {
    this.#bed = bed;
    this.rule = rule;
    this.all = Array.from({ length: count }, () => new Subscriber(rule));
  }

  come(one: Subscriber): void {
    if (one.isHere) return;
    const watch = { rule: this.rule.number, since: one.cursor };
    const { rows, asOf } = this.#bed.ask({ type: "watch", watch });
    // What others were told before is not for this one.
    this.hear();
    one.isHere = true;
    one.take(rows, asOf);
  }

  leave(one: Subscriber): void {
    if (!one.isHere) return;
    one.isHere = false;
    if (this.all.some(({ isHere }) => isHere)) return;
    this.#bed.ask({ type: "unwatch", rule: this.rule.number });
  }

  hear(): void {
    const { told } = this.#bed;
    for (; this.#seen < told.length; this.#seen++) {
      const one = told[this.#seen];
      if (one?.type !== "updates" || one.rule !== this.rule.number) continue;
      for (const subscriber of this.all) if (subscriber.isHere) subscriber.take(one.rows, one.asOf);
    }
  }

  /** The process is gone. */
  lose(): void {
    this.#seen = this.#bed.told.length;
    for (const one of this.all) one.isHere = false;
  }
}

/** Nobody is told what came too late for a final window, and of a duplicate before a row changes its window. */
function told<T extends WindowRow | OracleWindow>(windows: Iterable<T>): T[] {
  return [...windows]
    .filter(({ count }) => count > 0)
    .map((one) => ({ ...one, tooLate: 0, duplicate: one.state === "final" ? one.duplicate : 0 }));
}

it.each(Array.from({ length: 12 }, (_, i) => i + 1))(
  "subscribers who leave and come again, seed %i",
  (seed) => {
    const random = mulberry32(seed);
    const steps = makeStream(random, { ...usual, sources: pick(random, [1, 3, 8]) });
    const unitUs = second * pick(random, [1, 5, 20]);
    const shapes = makeShapes(random, unitUs);
    const rules = shapes.map(({ window, tiers }, i): Rule => {
      return { ...makeRule(random, i + 1, window, unitUs), tiers };
    });
    const bed = new StreamBed({ rules: time, chunkRows: 1 + below(random, 100) });
    bed.put(...rules);
    const audiences = rules.map((rule) => new Audience(bed, rule, 3));
    for (const audience of audiences) for (const one of audience.all) audience.come(one);
    const hear = (): void => {
      for (const audience of audiences) audience.hear();
    };
    for (const step of steps) {
      bed.play(step);
      if (random() < 0.5) bed.processor.step();
      if (random() < 0.4) bed.take();
      if (random() < 0.6) {
        bed.nowMs += pick(random, [10, 60, 1000]);
        bed.processor.attend();
      }
      if (random() < 0.5) bed.flush();
      hear();
      if (random() < 0.1) {
        bed.restart();
        for (const audience of audiences) audience.lose();
      }
      for (const audience of audiences) {
        // The first one only ever leaves with the process.
        for (const [i, one] of audience.all.entries()) {
          if (i > 0 && random() < 0.2) audience.leave(one);
          else if (i === 0 || random() < 0.3) audience.come(one);
        }
      }
    }
    for (const audience of audiences) for (const one of audience.all) audience.come(one);
    bed.end(steps);
    bed.checkpoint();
    bed.pass(1000);
    bed.pass(1000);
    hear();
    for (const { rule, all } of audiences) {
      const { windows } = windowsOf(rule, steps, time);
      for (const [i, { windows: own }] of all.entries()) {
        const got = told(own.values());
        toldOf(rule, `subscriber ${i}`, () => compareRows(rule, got, told(windows)));
      }
    }
  },
);
