// Hopping windows of many slides are those of the plain way, however much room there is for what they have in common.

import { describe, expect, it } from "vitest";
import type { Value } from "../../src/query/result.ts";
import { Pane, spanOfPane } from "../../src/stream/pane.ts";
import { PaneRule } from "../../src/stream/pane-rule.ts";
import { PaneSlides } from "../../src/stream/pane-slides.ts";
import { MergedGroups, WindowRows } from "../../src/stream/pane-window.ts";
import type { RuleContext } from "../../src/stream/rule-context.ts";
import type { StatePart } from "../../src/stream/rule-state.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";
import { type PanedShape, WindowPanes } from "../../src/stream/window-shape.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import { windowsOf } from "../oracle/windows.ts";
import { comparePlayed } from "../support/compare-windows.ts";
import { mulberry32 } from "../support/random.ts";
import { makeRule } from "../support/random-rules.ts";
import { makeStream } from "../support/random-streams.ts";
import { RuleBed } from "../support/rule-bed.ts";

const second = 1_000_000;
const rules: TimeRules = { sourcesMax: 64, maxSkewUs: 60_000_000n, idleTimeoutUs: 10_000_000n };
const clock = (us: number) => ({ months: 0, days: 0, us: BigInt(us) });
const bed = new RuleBed();

/** Without what the order of sums changes. */
function rounded(rows: readonly WindowRow[]): unknown[] {
  const short = (value: Value): Value =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(12)) : value;
  return rows.map((row) => ({ ...row, values: row.values.map(short) }));
}

/** A rule whose open windows are also read with little room, with none, and each for itself. */
class ReadThrice extends PaneRule {
  compared = 0;
  readonly #context: RuleContext;
  readonly #parts = new Map<string, Uint8Array>();

  constructor(context: RuleContext) {
    super(context);
    this.#context = context;
  }

  override dirtyParts(): StatePart[] {
    const parts = super.dirtyParts();
    for (const { key, bytes } of parts) {
      const name = Buffer.from(key).toString("hex");
      if (bytes === null) this.#parts.delete(name);
      else if (key[0] === 1) this.#parts.set(name, bytes.slice());
    }
    return parts;
  }

  override open(since: bigint): WindowRow[] {
    this.dirtyParts();
    const rows = this.#context.filters.open(this.rule);
    const panes = [...this.#parts.values()].map((bytes) => {
      const pane = new Pane(this.#context, rows, spanOfPane(bytes));
      pane.restore(bytes);
      return pane;
    });
    const shape = new WindowPanes(this.rule.window as PanedShape);
    const windows = new Map(
      panes.flatMap(({ startUs }) => shape.windowsOf(startUs)).map((one) => [one.startUs, one]),
    );
    const sorted = [...windows.values()].sort((a, b) => (a.startUs < b.startUs ? -1 : 1));
    const plain = new PaneSlides(this.#context, rows, panes, 1);
    const shared = [0, 1000, 1e9].map(
      (bytes) => new PaneSlides(this.#context, rows, panes, 1000, bytes),
    );
    const shown = new WindowRows(this.#context);
    const read = (groups: MergedGroups, window: (typeof sorted)[number]): unknown[] => {
      const found = shown.of(groups, { ...window, duplicate: 0, endedAt: 0n }, 0n);
      groups.free();
      return rounded(found);
    };
    for (const window of sorted) {
      const want = read(plain.groups(window), window);
      for (const one of shared) expect(read(one.groups(window), window)).toEqual(want);
      this.compared++;
    }
    for (const one of [plain, ...shared]) one.free();
    for (const pane of panes) pane.free();
    rows.close();
    return super.open(since);
  }
}

describe("hopping windows of many slides", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("seed %i", (seed) => {
    const random = mulberry32(seed);
    const steps = makeStream(random, {
      records: 40,
      rows: 20,
      sources: 3,
      paceUs: 3 * second,
      disorderUs: 20 * second,
      rules,
    });
    const slides = 5 + Math.floor(random() * 40);
    const slideUs = second * (1 + Math.floor(random() * 5));
    const size = clock(slideUs * slides);
    const window = {
      kind: "hopping",
      size,
      slide: clock(slideUs),
      originUs: null,
      zone: "UTC",
    } as const;
    const allowedLatenessUs = BigInt(Math.floor(random() * 60) * second);
    const rule = { ...makeRule(random, seed, window, slideUs), allowedLatenessUs };
    const want = windowsOf(rule, steps, rules);
    const used = bed.arenaUsed;
    let made: ReadThrice | null = null;
    const make = (context: RuleContext) => {
      made = new ReadThrice(context);
      return made;
    };
    const options = { timeRules: rules, make, chunk: 50, checkpoints: 0, crashes: 0 };
    const played = bed.play(random, rule, steps, options);
    comparePlayed(rule, played, want);
    expect((made as ReadThrice | null)?.compared).toBeGreaterThan(3);
    expect(bed.arenaUsed).toBe(used);
  });
});
