import { describe, expect, it } from "vitest";
import { type WindowEntry, WindowLog } from "../../src/live/metrics-log.ts";
import { countRow, minuteUs, noonUs } from "../support/window-rows.ts";

const shown = (entries: Iterable<WindowEntry>) =>
  [...entries].map(
    ({ row }) => `${(row.startUs - noonUs) / minuteUs} ${row.group[0]} ${row.count}`,
  );

describe("a log of windows", () => {
  it("has the newest state of each group, in the order of change", () => {
    const log = new WindowLog(false, 100, 100);
    log.put(countRow(0, "web", 1, 1));
    log.put(countRow(0, "app", 1, 2));
    const { order } = log;
    log.put(countRow(0, "web", 2, 3));
    log.put(countRow(1, "web", 1, 4));
    expect(shown(log.after(0, log.order))).toEqual(["0 app 1", "0 web 2", "1 web 1"]);
    expect(shown(log.after(order, log.order))).toEqual(["0 web 2", "1 web 1"]);
    expect(shown(log.after(order, log.order - 1))).toEqual(["0 web 2"]);
    expect(shown(log.after(log.order, log.order))).toEqual([]);
  });

  it("takes nothing that it knows or that is older", () => {
    const log = new WindowLog(false, 100, 100);
    expect(log.put(countRow(0, "web", 2, 5))).toBe(true);
    expect(log.put(countRow(0, "web", 2, 5))).toBe(false);
    expect(log.put(countRow(0, "web", 1, 4))).toBe(false);
    expect(log.put(countRow(0, "web", 2, 5, { duplicate: 1 }))).toBe(true);
    expect(log.put(countRow(0, "web", 2, 6, { state: "final" }))).toBe(true);
    expect(log.put(countRow(0, "web", 2, 7))).toBe(false);
    // Recomputing has folded a row in.
    expect(log.put(countRow(0, "web", 3, 6, { state: "final", revision: 1 }))).toBe(true);
  });

  it("keeps groups apart whose values look alike", () => {
    const log = new WindowLog(false, 100, 100);
    for (const value of ["1", 1, "null", null, "a,b", true, "true"]) {
      log.put(countRow(0, "", 1, 1, { group: [value] }));
    }
    log.put(countRow(0, "", 1, 1, { group: [null], other: true }));
    expect(log.size).toBe(8);
  });

  it("drops the oldest final windows, and says up to where it has holes", () => {
    const log = new WindowLog(false, 100, 2);
    for (let minute = 0; minute < 4; minute++) {
      log.put(countRow(minute, "web", 1, minute + 1, { state: "final" }));
    }
    log.put(countRow(9, "web", 1, 9));
    expect(shown(log.after(0, log.order))).toEqual(["2 web 1", "3 web 1", "9 web 1"]);
    expect([log.floor, log.isWhole, log.hasWindow(noonUs)]).toEqual([2, true, false]);
  });

  it("with too many open windows is not whole any more", () => {
    const log = new WindowLog(false, 2, 2);
    for (let minute = 0; minute < 3; minute++) log.put(countRow(minute, "web", 1, minute + 1));
    expect([log.size, log.floor, log.isWhole]).toEqual([2, 1, false]);
  });

  it("puts a merged session in the place of those that it replaces", () => {
    const log = new WindowLog(true, 100, 100);
    const session = (from: number, to: number, n: number, at: number, source = "web") =>
      countRow(from, source, n, at, { endUs: noonUs + BigInt(to) * minuteUs });
    log.put(session(0, 5, 1, 1));
    log.put(session(8, 12, 1, 2));
    log.put(session(8, 12, 1, 2, "app"));
    log.put(session(0, 6, 2, 3));
    log.put(session(0, 12, 4, 4));
    const entries = [...log.after(0, log.order)];
    expect(shown(entries)).toEqual(["8 app 1", "0 web 4"]);
    expect(entries[1]?.replaces).toEqual([noonUs + 8n * minuteUs]);
    // An earlier event moves the start back; who knew only the first two is told of both.
    log.put({ ...session(-2, 12, 5, 5), state: "final" });
    const [, last] = [...log.after(0, log.order)];
    expect(last?.replaces).toEqual([noonUs, noonUs + 8n * minuteUs]);
    // A final session is never part of another one.
    log.put(session(10, 20, 1, 6));
    expect(log.size).toBe(3);
  });

  it("a session that began after one was final is none of its parts, though it is told before", () => {
    const log = new WindowLog(true, 100, 100);
    const session = (from: number, to: number, n: number, at: number) =>
      countRow(from, "web", n, at, { endUs: noonUs + BigInt(to) * minuteUs });
    log.put(session(0, 5, 1, 1));
    log.put(session(4, 9, 1, 8));
    log.put({ ...session(0, 5, 1, 7), state: "final" });
    const entries = [...log.after(0, log.order)];
    expect(shown(entries)).toEqual(["4 web 1", "0 web 1"]);
    expect(entries[1]?.replaces).toEqual([]);
  });
});
