import { describe, expect, test } from "vitest";
import { parseRulesOptions } from "../../src/cli/rules-options.ts";
import { type Rule, rulesText, spanText, windowText } from "../../src/cli/rules-text.ts";
import { parseTailOptions } from "../../src/cli/tail-options.ts";
import { windowLine, windowsTail } from "../../src/cli/tail-windows.ts";

const rule: Rule = {
  id: "i",
  name: "views",
  version: 2,
  versions: [1, 2],
  state: "live",
  paused: false,
  complete: true,
  window: { type: "hopping", size: "10m", slide: "1m" },
  definition: {},
  backfill: null,
  stats: {
    events: 1234,
    too_late: 0,
    dropped: 0,
    overflowed: 3,
    open_windows: 10,
    open_groups: 40,
    final_windows: 0,
    memory_bytes: 0,
    subscribers: 0,
  },
};

describe("rules", () => {
  test("figures that are 0 for all have no column; time and warnings stand below", () => {
    const health = {
      watermark: "2026-11-23T12:00:00.000Z",
      lag_seconds: 2.13,
      sources: 3,
      idle_sources: 1,
      ahead_sources: 1,
    };
    const other: Rule = {
      ...rule,
      name: "sums",
      backfill: { events_left: 1500 },
      stats: null,
      warnings: [{ message: "no event passes" }],
    };
    const text = rulesText([rule, other], health, Infinity);
    expect(text.split("\n")).toEqual([
      " rule    │ window               │ state                          │ events │ open │ groups │ other │ warnings",
      "─────────┼──────────────────────┼────────────────────────────────┼────────┼──────┼────────┼───────┼──────────",
      " views@2 │ hopping 10m every 1m │ live                           │   1234 │   10 │     40 │     3 │        0",
      " sums@2  │ hopping 10m every 1m │ live, 1,500 events to backfill │      0 │    0 │      0 │     0 │        1",
      "watermark 2026-11-23T12:00:00Z, 2.1 s behind arrival; 3 sources, 1 of them idle, 1 with a clock that is ahead",
      "sums: no event passes",
    ]);
  });

  test("windows and spans in words", () => {
    expect(windowText({ type: "session", gap: "5m" })).toBe("session, gap 5m");
    expect(windowText({ type: "tumbling", size: "1 day", time_zone: "Asia/Tokyo" })).toBe(
      "tumbling 1 day in Asia/Tokyo",
    );
    expect([0.8501, 2.13, 200, 34_627, 400_000].map(spanText)).toEqual([
      "850 ms",
      "2.1 s",
      "3 min",
      "9 h 37 min",
      "4 days",
    ]);
  });

  test("what is created from flags", () => {
    const flags = ["--name", "v", "--retention", "30d", "--backfill"];
    expect(parseRulesOptions(["create", "-", ...flags], true)).toMatchObject({
      format: "table",
      action: {
        kind: "create",
        source: "-",
        replaces: null,
        members: { name: "v", retention: "30d", backfill: true },
      },
    });
    expect(parseRulesOptions(["replace", "v", "a.json"], false)).toMatchObject({
      format: "json",
      action: { replaces: "v", source: "a.json", members: {} },
    });
    expect(parseRulesOptions([], false)?.action).toEqual({ kind: "list" });
    expect(() => parseRulesOptions(["replace", "v", "-", "--name", "w"], true)).toThrow(
      '--name: "rules replace" has no such flag',
    );
  });
});

describe("tail of windows", () => {
  const window = {
    start: "2026-11-23T12:00:00.000Z",
    end: "2026-11-23T12:01:00.000Z",
    group: { source: "web", "properties.n": null },
    values: { n: 5, top: ["a"] },
    state: "early",
  };

  test.each([
    [
      window,
      '2026-11-23 12:00:00–12:01:00  early    source=web  properties.n=null  n=5  top=["a"]',
    ],
    [
      {
        ...window,
        end: "2026-11-24T00:00:00.500Z",
        state: "final",
        late: 2,
        too_late: 1,
        revision: 3,
      },
      '2026-11-23 12:00:00–2026-11-24 00:00:00.500  final    source=web  properties.n=null  n=5  top=["a"]' +
        "  (late 2, too late 1, revision 3)",
    ],
    [
      { start: null, end: null, group: {}, other: true, values: { "a\u001b": 1 }, state: "early" },
      "(other groups)  a\\u001b=1",
    ],
  ])("a line of a window %#", (shown, line) => {
    expect(windowLine(shown)).toBe(line);
  });

  test("what is subscribed to, printed and told", () => {
    const argv = ["--rule", "v", "--states", "on_time,final", "--pace", "1s"];
    const options = parseTailOptions(argv, false);
    if (options === undefined) throw new Error("no options");
    const tail = windowsTail(options);
    const asked = { rule: "v", states: ["on_time", "final"], pace: "1s" };
    expect(tail.subscription(undefined)).toEqual(asked);
    expect(tail.subscription("c")).toEqual({ ...asked, cursor: "c" });
    const frame =
      '{"type":"metrics","windows":[{"values":{"n":12345678901234567890}}],"cursor":"c"}';
    expect(tail.lines({ type: "metrics" }, frame)).toEqual([
      '{"values":{"n":12345678901234567890}}',
    ]);
    expect(tail.lines({ type: "heartbeat" }, "{}")).toBeNull();
    const told = (message: object) => tail.told({ ...message });
    expect(told({ type: "coalesced", updates: 3 }).note).toMatch(/fell behind by 3 messages/);
    expect(told({ type: "gap", reason: "expired" }).note).toMatch(/\(expired\)/);
    expect(told({ type: "version", rule: "v@2" }).note).toMatch(/v@2 follows/);
    expect(told({ type: "subscribed", rule: "v@1", paused: true }).note).toMatch(/is paused/);
    expect(told({ type: "resumed" }).note).toMatch(/goes on/);
    expect(told({ type: "ended", reason: "deleted" })).toMatchObject({ ends: true });
    expect(told({ type: "heartbeat" })).toEqual({});
  });

  test.each([
    [["--rule", "v", "--where", "a"], /--where: it is about events/],
    [["--pace", "1s"], /--pace: it is about windows/],
    [["--rule", "v", "--sql", "s"], /--sql: got --rule too/],
    [["--rule", "v", "--states", "late"], /--states: got 'late'/],
  ])("%j is refused by name", (argv, message) => {
    expect(() => parseTailOptions(argv, false)).toThrow(message);
  });
});
