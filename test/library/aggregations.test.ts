import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { MillraceError } from "../../src/errors.ts";
import { Aggregations, type RuleInput } from "../../src/library/aggregations.ts";
import { RuleBook } from "../../src/stream/rule-book.ts";
import { FakeEngine } from "../support/fake-engine.ts";

const views: RuleInput = {
  name: "views",
  event_filter: "event_type = 'view'",
  aggregation_type: { fn: "count", as: "n" },
  time_window: "1m",
};

describe("aggregations of the library", () => {
  const open = (refuse: () => void = () => {}) =>
    new Aggregations(new RuleBook(new FakeEngine(), systemClock, silentLog), refuse);

  test("a rule's life", async () => {
    const rules = open();
    const made = await rules.create(views);
    expect(made).toMatchObject({
      name: "views",
      version: 1,
      fromSequence: 0n,
      createdAt: expect.stringMatching(/Z$/),
      warnings: [{ code: "no_events" }],
    });
    expect(rules.list().map(({ id }) => id)).toEqual([made.id]);
    const next = await rules.replace("views", {
      window: { type: "session", gap: "5m" },
      aggregations: [{ fn: "count" }],
    });
    expect([next.version, next.versions]).toEqual([2, [1, 2]]);
    expect((await rules.get("views@1")).state).toBe("replaced");
    expect((await rules.pause("views")).paused).toBe(true);
    expect((await rules.resume(made.id)).paused).toBe(false);
    expect(await rules.recompute("views", { from: new Date(0), to: 1 })).toMatchObject({});
    await rules.delete("views");
    expect(rules.list()).toEqual([]);
    await expect(rules.get("views")).rejects.toMatchObject({ code: "rule_not_found" });
  });

  test("a closed engine has none", async () => {
    const rules = open(() => {
      throw new MillraceError("closed", "the engine has been closed");
    });
    await expect(rules.create(views)).rejects.toMatchObject({ code: "closed" });
  });
});
