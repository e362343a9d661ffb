import { beforeEach, describe, expect, test } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import { type Log, silentLog } from "../../src/base/log.ts";
import { InputError, TimeoutError } from "../../src/errors.ts";
import type { Query } from "../../src/query/query.ts";
import type { QueryResult, Value } from "../../src/query/result.ts";
import { RuleBook } from "../../src/stream/rule-book.ts";
import { FakeEngine } from "../support/fake-engine.ts";

/** Answers counts and lists of values by what the query asks for. */
class CountingEngine extends FakeEngine {
  answerTo: (query: Query) => readonly (readonly Value[])[] = () => [[1]];

  override async query(query: Query): Promise<QueryResult> {
    const { result } = this;
    this.asked.push(query);
    return { ...result, rows: this.answerTo(query) };
  }
}

let engine: CountingEngine;
let book: RuleBook;
let logged: string[];
let nowUs: bigint;

beforeEach(() => {
  engine = new CountingEngine();
  logged = [];
  nowUs = 1_790_000_000_000_000n;
  const clock: Clock = { nowUs: () => nowUs, monotonicMs: () => 0 };
  const line = (fields: object, message: string) => {
    logged.push(`${message} ${JSON.stringify(fields)}`);
  };
  const log: Log = { ...silentLog, warn: line, info: line, debug: line };
  book = new RuleBook(engine, clock, log);
});

const form = (name: string, more: object = {}) => ({
  name,
  window: { type: "tumbling", size: "1m" },
  aggregations: [{ fn: "count", as: "n" }],
  ...more,
});

async function refusal(work: Promise<unknown>): Promise<InputError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  return error as InputError;
}

describe("rules by name", () => {
  test("a rule takes events from now on", async () => {
    engine.publish([{ event_type: "a" }, { event_type: "b" }]);
    const record = await book.create(form("one"));
    expect(record).toMatchObject({
      rule: { number: 1, name: "one", version: 1 },
      createdAtUs: nowUs,
      fromSequence: 2n,
      paused: false,
      complete: true,
      backfill: null,
      state: "live",
    });
    expect(record.rule.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(book.list()).toEqual([record]);
    for (const reference of ["one", "one@1", record.rule.id, `${record.rule.id}@1`]) {
      expect(book.get(reference)).toBe(record);
    }
  });

  test("with a backfill it begins with the oldest that is stored", async () => {
    engine.publish([{ event_type: "a" }, { event_type: "b" }]);
    const { fromSequence, backfill } = await book.create(form("one", { backfill: true }));
    expect([fromSequence, backfill]).toEqual([0n, { from: 0n, next: 0n, until: 2n }]);
  });

  test("a name is given once, whoever asks at the same time", async () => {
    const both = await Promise.allSettled([book.create(form("one")), book.create(form("one"))]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    const error = await refusal(book.create(form("one")));
    expect([error.code, error.status, error.detail.pointer]).toEqual([
      "rule_exists",
      409,
      "#/name",
    ]);
  });

  test("an unknown one is refused with near names", async () => {
    await book.create(form("purchases"));
    expect(() => book.get("purchase")).toThrow(/no rule "purchase"; did you mean "purchases"/);
    expect(() => book.get("purchases@2")).toThrow(/no rule "purchases@2"/);
    expect(book.find("x@y")).toBeNull();
  });
});

describe("versions", () => {
  test("a new version takes over, the old one stays to be read", async () => {
    const first = await book.create(form("one"));
    engine.publish([{ event_type: "a" }, { event_type: "b" }]);
    const second = await book.replace("one", form("one", { group_by: ["source"] }));
    expect(second).toMatchObject({
      rule: { number: 2, id: first.rule.id, version: 2 },
      fromSequence: 2n,
    });
    expect(book.list()).toEqual([second]);
    expect(book.get("one@1")).toMatchObject({ state: "replaced", rule: { number: 1 } });
    expect(book.get("one")).toBe(second);
    expect(book.versions(first.rule.id).map(({ rule }) => rule.version)).toEqual([1, 2]);
  });

  test("the name may be left out, and never changes", async () => {
    await book.create(form("one"));
    const { name: _name, ...nameless } = form("one");
    expect((await book.replace("one", nameless)).rule.version).toBe(2);
    const error = await refusal(book.replace("one", form("two")));
    expect([error.code, error.status]).toEqual(["rule_name_immutable", 400]);
  });

  test("only the current version can be changed", async () => {
    await book.create(form("one"));
    await book.replace("one", form("one"));
    for (const work of [
      book.replace("one@1", form("one")),
      book.delete("one@1"),
      book.setPaused("one@1", true),
    ]) {
      expect((await refusal(work)).status).toBe(409);
    }
  });

  test("a deleted rule leaves nothing, and its name is free", async () => {
    await book.create(form("one"));
    await book.replace("one", form("one"));
    await book.delete("one");
    expect(engine.streams.rules()).toEqual([]);
    expect((await refusal(book.delete("one"))).status).toBe(404);
    expect((await book.create(form("one"))).rule).toMatchObject({ number: 3, version: 1 });
  });

  test("a change that fails is followed by the next", async () => {
    engine.streams.failNext = new InputError("disk", "no room");
    await refusal(book.create(form("one")));
    expect((await book.create(form("one"))).rule.name).toBe("one");
  });
});

describe("pauses", () => {
  test("what comes in meanwhile is missing", async () => {
    await book.create(form("one"));
    expect(await book.setPaused("one", true)).toMatchObject({ paused: true, complete: false });
    expect(await book.setPaused("one", false)).toMatchObject({ paused: false, complete: false });
  });

  test("twice the same changes nothing", async () => {
    const record = await book.create(form("one"));
    expect(await book.setPaused("one", false)).toBe(record);
  });
});

describe("warnings", () => {
  const warningsOf = async (more: object) => {
    const record = await book.create(form("one", more));
    return (await book.warnings(record)).map(({ code, message, near }) => [code, message, near]);
  };

  test("nothing can be said of nothing", async () => {
    expect(await warningsOf({})).toEqual([["no_events", expect.any(String), undefined]]);
    expect(engine.asked).toEqual([]);
  });

  describe("of fields", () => {
    beforeEach(() => {
      engine.publish([{ event_type: "a" }, { event_type: "b" }]);
      engine.paths = [
        { path: "properties.amount", types: ["number"] },
        { path: "properties.note", types: ["string"] },
        { path: "properties.address.city", types: ["string"] },
      ];
    });

    test.each<[object, string, RegExp]>([
      [
        { aggregations: [{ fn: "sum", field: "properties.amuont" }] },
        "unknown_field",
        /no stored event has properties.amuont, which sum\(\) reads; did you mean "properties.amount"/,
      ],
      [{ event_filter: "properties.zzz = 1" }, "unknown_field", /which the filter reads$/],
      [{ group_by: ["properties.address"] }, "unknown_field", /such as "properties.address.city"/],
      [
        { aggregations: [{ fn: "sum", field: "properties.note" }] },
        "wrong_type",
        /reads properties.note as number, but all that is stored there is string/,
      ],
      [{ event_filter: "properties.amount = 'x'" }, "wrong_type", /as string.* is number/],
      [
        { aggregations: [{ fn: "count", filter: "properties.nope IS NOT NULL" }] },
        "unknown_field",
        /the filter of count\(\)/,
      ],
    ])("%j", async (more, code, message) => {
      const [first, ...others] = await warningsOf(more);
      expect(first?.slice(0, 2)).toEqual([code, expect.stringMatching(message)]);
      expect(others).toEqual([]);
    });

    test("none where all is well", async () => {
      const more = { event_filter: "properties.amount > 1", group_by: ["properties.note"] };
      expect(await warningsOf(more)).toEqual([]);
    });
  });

  test("a text that never comes, with the near one", async () => {
    engine.publish([{ event_type: "purchase" }, { event_type: "view" }]);
    engine.answerTo = (query) => {
      if (query.groupBy.length > 0) return [["view"], ["purchase"]];
      return [[JSON.stringify(query.where, noBigint).includes("purchas") ? 0 : 5]];
    };
    expect(await warningsOf({ event_filter: "event_type = 'purchas' AND source = 'web'" })).toEqual(
      [
        [
          "unseen_value",
          'no event of the last 7 days has event_type = "purchas"; did you mean "purchase"?',
          "purchase",
        ],
        ["no_match", "no event of the last 7 days passes the filter", undefined],
      ],
    );
    const since = nowUs - 7n * 86_400_000_000n;
    expect(JSON.stringify(engine.asked[0]?.where, noBigint)).toContain(String(since));
  });

  test("nothing has come in", async () => {
    engine.publish([{ event_type: "a" }, { event_type: "b" }]);
    engine.answerTo = () => [[0]];
    expect(await warningsOf({ event_filter: "event_type = 'a'" })).toEqual([
      ["no_match", "no event has come in for 7 days", undefined],
    ]);
  });

  test("what takes too long says nothing", async () => {
    engine.publish([{ event_type: "a" }, { event_type: "b" }]);
    engine.answerTo = () => {
      throw new TimeoutError("query_timeout", "it took too long");
    };
    expect(await warningsOf({})).toEqual([]);
  });

  test("the log is told once, and when it is over", async () => {
    engine.publish([{ event_type: "a" }, { event_type: "b" }]);
    await book.create(form("one"));
    await book.check();
    expect(logged).toEqual([]);
    engine.answerTo = () => [[0]];
    await book.check();
    await book.check();
    expect(logged).toEqual([expect.stringContaining("no event of the last 7 days has come in")]);
    engine.answerTo = () => [[1]];
    await book.check();
    expect(logged).toHaveLength(2);
  });

  test("a rule that has taken rows since the last look is not asked about", async () => {
    engine.publish([{ event_type: "a" }, { event_type: "b" }]);
    const { rule } = await book.create(form("one"));
    engine.streams.figures = { rules: [{ rule: rule.number, rows: 3 }] } as never;
    await book.check();
    expect(engine.asked).toEqual([]);
    await book.check();
    expect(engine.asked).toHaveLength(1);
  });

  test("a paused rule has none", async () => {
    engine.publish([{ event_type: "a" }, { event_type: "b" }]);
    engine.answerTo = () => [[0]];
    await book.create(form("one"));
    expect(await book.warnings(await book.setPaused("one", true))).toEqual([]);
  });
});

function noBigint(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
