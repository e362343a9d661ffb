import { describe, expect, test } from "vitest";
import { comparePeers, peerTables } from "../../bench/peers.ts";
import { compareAnswers, plain } from "../../bench/peers-answers.ts";
import { isInstalled } from "../../bench/peers-engines.ts";
import { NestedStream, PeerStream } from "../../bench/peers-events.ts";
import { questionsOf } from "../../bench/peers-questions.ts";

// The comparison with other engines in a size that takes no time. Nothing here fails for being slow.

const absent = isInstalled("chdb")
  ? ""
  : " (chDB left out: it is not installed, see docs/benchmarks.md)";

test(`every question has one answer${absent}`, async () => {
  const events = 3000;
  const report = await comparePeers({
    events,
    only: [],
    engines: ["millrace", "duckdb", "chdb"],
    seconds: 0.01,
    rounds: 1,
    folder: null,
    settings: [],
  });
  expect(report.missing).toEqual(absent ? ["chdb"] : []);
  expect(report.rows.length).toBe(questionsOf(events).length);
  expect(report.bytes.every(({ perEvent }) => !(perEvent <= 0))).toBe(true);
  const text = peerTables(report, events);
  expect(text).toContain("| count and avg by minute");
  expect(report.rows.filter(({ note }) => note !== "").map(({ note }) => note)).toEqual([]);
}, 60_000);

describe("answers", () => {
  test("are compared across the classes of drivers", () => {
    expect(plain("2026-11-23T12:00:00.000001Z")).toBe(1_795_435_200_000_001);
    expect(plain({ micros: 5n })).toBe(5);
    expect(compareAnswers([[1n, "a", null]], [[1, "a", ""]], {})).toBeNull();
    expect(compareAnswers([[1, 100]], [[1, 101]], { 1: 0.02 })).toBeNull();
    expect(compareAnswers([[1, 100]], [[1, 101]], {})).toBe("row 0, column 1: got 100, want 101");
    expect(compareAnswers([], [[1]], {})).toBe("got 0 rows, want 1");
  });
});

describe("events", () => {
  test("are the same for the same seed", () => {
    const nested = () => {
      const stream = new NestedStream(3);
      return Array.from({ length: 50 }, () => stream.next());
    };
    expect(nested()).toEqual(nested());
    expect(nested().filter(({ commit }) => commit === undefined).length).toBeLessThan(5);
    expect(new PeerStream(3).next()).toEqual(new PeerStream(3).next());
  });
});
