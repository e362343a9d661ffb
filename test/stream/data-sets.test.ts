// Streams with published answers through the rules that ask for them: in any order within the allowed lateness, in any
// batches, with everything twice.

import { describe, expect, test } from "vitest";
import { parseTime } from "../../src/query/time.ts";
import { PaneRule } from "../../src/stream/pane-rule.ts";
import type { Rule } from "../../src/stream/rule.ts";
import type { RuleContext } from "../../src/stream/rule-context.ts";
import { ruleFrom } from "../../src/stream/rule-form.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import type { OracleRow } from "../oracle/query.ts";
import { windowsOf } from "../oracle/windows.ts";
import { comparePlayed } from "../support/compare-windows.ts";
import { absent, reason } from "../support/conformance.ts";
import { mulberry32 } from "../support/random.ts";
import type { Random } from "../support/random-queries.ts";
import type { StreamStep } from "../support/random-streams.ts";
import { type Played, RuleBed } from "../support/rule-bed.ts";
import {
  batched,
  cellsOf,
  closing,
  type DataEvent,
  type DataSet,
  dataLine,
  dataSets,
  type Question,
  sentTwice,
  shuffled,
} from "../support/stream-data-sets.ts";

const timeRules: TimeRules = {
  sourcesMax: 100,
  maxSkewUs: 3_600_000_000n,
  idleTimeoutUs: 10_000_000n,
};

/** In which order and in which batches the events are sent. */
const ways: Readonly<
  Record<string, (set: DataSet, random: Random) => readonly (readonly DataEvent[])[]>
> = {
  "as they are": ({ events }) => batched(events, 1000),
  shuffled: (set, random) => batched(shuffled(random, set), 1000),
  "in other batches": ({ events }, random) => batched(events, 300, random),
  "sent twice": ({ events }) => sentTwice(batched(events, 700)),
};

/** Records as the engine makes them of batches: what has come before is a duplicate. */
function stepsOf(set: DataSet, batches: readonly (readonly DataEvent[])[]): StreamStep[] {
  const known = new Set<string>();
  let receivedAtUs = BigInt(Date.parse("2026-01-01T00:00:00Z")) * 1000n;
  let sequence = 0n;
  return [...batches, closing(set)].map((batch): StreamStep => {
    receivedAtUs += 1000n;
    const rows: OracleRow[] = [];
    const duplicatesUs: bigint[] = [];
    for (const event of batch) {
      const timestampUs = parseTime(event.timestamp) as bigint;
      if (known.has(event.id)) {
        duplicatesUs.push(timestampUs);
        continue;
      }
      known.add(event.id);
      const { id } = event;
      const cells = cellsOf(event);
      rows.push({ sequence: sequence++, timestampUs, receivedAtUs, latenessUs: 0n, id, cells });
    }
    return { kind: "record", receivedAtUs, rows, duplicatesUs };
  });
}

function ruleOf({ definition }: Question, number: number): Rule {
  const id = "00000000-0000-4000-8000-000000000000";
  return { ...ruleFrom(definition).rule, number, id, version: 1 };
}

function linesOf({ finals }: Played): string[] {
  return finals
    .map(({ startUs, group, aggregates }) =>
      dataLine(new Date(Number(startUs / 1000n)).toISOString(), group, aggregates),
    )
    .sort();
}

describe.skipIf(absent)(`published streams and their windows${reason}`, () => {
  const bed = new RuleBed();

  for (const [name, make] of Object.entries(dataSets)) {
    test.each(Object.keys(ways))(`${name} %s`, (way) => {
      const random = mulberry32(7);
      const set = make();
      const steps = stepsOf(set, ways[way]?.(set, random) ?? []);
      for (const [i, question] of set.questions.entries()) {
        const rule = ruleOf(question, i + 1);
        const common = { timeRules, make: (context: RuleContext) => new PaneRule(context) };
        const played = bed.play(random, rule, steps, {
          ...common,
          chunk: 3000,
          checkpoints: 0.3,
          crashes: 0.2,
        });
        expect(linesOf(played), question.name).toEqual([...question.want].sort());
        if (set.events.length < 1000)
          comparePlayed(rule, played, windowsOf(rule, steps, timeRules));
        expect(played.tooLate).toEqual([]);
      }
    });
  }
});
