import { beforeEach, expect, test } from "vitest";
import { Questions } from "../../src/api/ask.ts";
import { systemClock } from "../../src/base/clock.ts";
import { FakeEngine } from "../support/fake-engine.ts";

// Questions on their way: which of them reach the engine, and what the list of running ones shows of them.

let engine: FakeEngine;
let questions: Questions;
beforeEach(() => {
  engine = new FakeEngine();
  questions = new Questions(engine, systemClock);
});

function sql(text: string, params: readonly unknown[] = []) {
  return { sql: text, params };
}

test("a statement and its JSON form are the same query, and are shown as they came", async () => {
  const signal = new AbortController().signal;
  await questions.rows(sql("SELECT count(*) AS n FROM events WHERE source = $1", ["a"]), {
    signal,
  });
  const form = {
    select: [{ fn: "count", as: "n" }],
    where: { field: "source", op: "=", value: "a" },
  };
  await questions.rows({ query: form });
  expect(engine.asked[0]).toEqual(engine.asked[1]);
  expect(engine.options.map(({ text }) => text)).toEqual([
    "SELECT count(*) AS n FROM events WHERE source = $1",
    JSON.stringify(form),
  ]);
  expect(engine.options[0]?.signal).toBe(signal);
});

test("what looks around is answered without the engine reading events", async () => {
  engine.paths = [{ path: "properties.n", types: ["number"] }];
  const described = await questions.rows(sql("DESCRIBE events"));
  expect(described.rows).toContainEqual(["properties.n", "numeric", true]);
  const { pieces, rest } = await questions.text(sql("SHOW TABLES"), "ndjson");
  expect(Buffer.concat(pieces).toString()).toBe('{"schema":"public","name":"events"}\n');
  expect([rest, engine.asked]).toEqual([null, []]);
  engine.paths = [];
  expect((await questions.rows(sql("DESCRIBE events"))).rows).not.toContainEqual(
    expect.arrayContaining(["properties.n"]),
  );
});

test("a long text is cut in the list of running queries; a wrong one has its place", async () => {
  await questions.text(sql(`SELECT count(*) FROM events -- ${"x".repeat(10_000)}`), "csv");
  expect(engine.options[0]?.text).toHaveLength(4096);
  await expect(questions.rows(sql("SELECT nope FROM events"))).rejects.toMatchObject({
    detail: { position: 8 },
  });
  await expect(questions.text({ query: { nope: 1 } }, "json")).rejects.toMatchObject({
    name: "InputError",
  });
});
