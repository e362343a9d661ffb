import { describe, expect, it } from "vitest";
import type { Rule } from "../../src/stream/rule.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import { groupText, type OracleWindow, windowsOf } from "../oracle/windows.ts";
import { exampleRule } from "../support/example-rule.ts";
import { mulberry32 } from "../support/random.ts";
import { makeStream, type StreamShape, type StreamStep } from "../support/random-streams.ts";
import { asRecord, type BedOptions, StreamBed } from "../support/stream-bed.ts";

const time: TimeRules = { sourcesMax: 64, maxSkewUs: 60_000_000n, idleTimeoutUs: 10_000_000n };
const usual: StreamShape = {
  records: 60,
  rows: 30,
  sources: 4,
  paceUs: 3_000_000,
  disorderUs: 20_000_000,
  rules: time,
};

const second = 1_000_000n;
const us = (n: number) => ({ months: 0, days: 0, us: BigInt(n) * second });
const sql =
  "select event_type, count(*) as n, sum(properties.price) as total, count(distinct user_id) as users " +
  "from events where properties.small > 0 group by event_type";

function tumbling(more: Partial<Rule> = {}): Rule {
  const window = { kind: "tumbling", size: us(30), originUs: null, zone: "UTC" } as const;
  return exampleRule(sql, { window, allowedLatenessUs: 5n * second, ...more });
}

function session(more: Partial<Rule> = {}): Rule {
  const window = { kind: "session", gapUs: 5n * second } as const;
  return exampleRule(sql, { window, allowedLatenessUs: 5n * second, ...more });
}

function hopping(more: Partial<Rule> = {}): Rule {
  const window = {
    kind: "hopping",
    size: us(30),
    slide: us(10),
    originUs: null,
    zone: "UTC",
  } as const;
  return exampleRule(sql, { window, ...more });
}

const kinds: readonly [string, (more?: Partial<Rule>) => Rule][] = [
  ["tumbling", tumbling],
  ["hopping", hopping],
  ["session", session],
];

/** What both sides say of a window; duplicates are left out where their moment is. */
function shown(row: WindowRow | OracleWindow): string {
  const { startUs, endUs, group, count, late, revised, tooLate, values, state } = row;
  const rounded = values.map((value) =>
    typeof value === "number" ? Number(value.toPrecision(12)) : value,
  );
  const text = JSON.stringify(rounded, (_, value: unknown) =>
    typeof value === "bigint" ? Number(value) : value,
  );
  return `${startUs} ${endUs} ${groupText(group)} ${count} ${late} ${revised} ${tooLate} ${state} ${text}`;
}

function all(rows: readonly (WindowRow | OracleWindow)[]): string[] {
  return rows.map(shown).sort();
}

function bedOf(more: Partial<BedOptions> = {}): StreamBed {
  return new StreamBed({ rules: time, ...more });
}

function streamOf(seed: number, more: Partial<StreamShape> = {}): StreamStep[] {
  return makeStream(mulberry32(seed), { ...usual, ...more });
}

describe.each(kinds)("%s windows", (_, rule) => {
  it("are those of the slow reference", () => {
    for (const seed of [1, 2]) {
      const steps = streamOf(seed);
      const bed = bedOf();
      bed.put(rule());
      bed.run(steps);
      const { windows } = windowsOf(rule(), steps, time);
      expect(all(bed.windows(1)), `seed ${seed}`).toEqual(all(windows));
    }
  });

  it("are the same whatever the chunks are, and with restarts anywhere", () => {
    for (const seed of [4, 5]) {
      const steps = streamOf(seed);
      const { windows } = windowsOf(rule(), steps, time);
      const random = mulberry32(seed);
      const bed = bedOf({ chunkRows: 1 + Math.floor(random() * 50) });
      bed.put(rule());
      for (const step of steps) {
        bed.play(step);
        if (random() < 0.5) bed.processor.step();
        if (random() < 0.5) bed.take();
        if (random() < 0.2) bed.pass(1000);
        if (random() < 0.1) bed.processor.checkpoint();
        if (random() < 0.1) bed.restart();
      }
      bed.take();
      // A tick that was told before a restart is not told again: the next one says the same.
      const last = steps.at(-1) as StreamStep;
      bed.processor.tick(bed.next, last.receivedAtUs);
      bed.take();
      expect(all(bed.windows(1)), `seed ${seed}`).toEqual(all(windows));
      bed.checkpoint();
      bed.restart();
      expect(all(bed.windows(1)), `seed ${seed}, after a restart`).toEqual(all(windows));
    }
  });

  it("are the same for a rule that is backfilled while events come", () => {
    for (const seed of [7]) {
      const steps = streamOf(seed);
      const { windows } = windowsOf(rule(), steps, time);
      const random = mulberry32(seed);
      const bed = bedOf({ chunkRows: 40 });
      const middle = Math.floor(steps.length / 2);
      bed.run(steps.slice(0, middle));
      const made = { ...asRecord(rule()), backfill: { from: 0n, next: 0n, until: 0n } };
      bed.put(made);
      for (const step of steps.slice(middle)) {
        bed.play(step);
        if (random() < 0.3) bed.processor.step();
        if (random() < 0.1) bed.checkpoint();
        if (random() < 0.1) bed.restart();
      }
      bed.take();
      const last = steps.at(-1) as StreamStep;
      bed.processor.tick(bed.next, last.receivedAtUs);
      bed.take();
      bed.checkpoint();
      expect(bed.record(1)?.backfill, `seed ${seed}`).toBeNull();
      expect(all(bed.windows(1)), `seed ${seed}`).toEqual(all(windows));
    }
  });
});
