import { describe, expect, it } from "vitest";
import { noSlot, SessionIntervals } from "../../src/stream/session-intervals.ts";
import { SessionJudge } from "../../src/stream/session-judge.ts";
import { mulberry32 } from "../support/random.ts";
import {
  type SlowLimits as Limits,
  type SessionRow as Row,
  type SlowSession as Session,
  shown,
  slowSessions,
} from "../support/slow-sessions.ts";

const unlimited = { sessionsMax: 1000, groupsMax: 1000 };

/** Rows [first, end) as a chunk, after which W is `last` or what the next row is judged by. */
function chunkOf(rows: readonly Row[], first: number, end: number, last: bigint) {
  const crossing = (us: bigint, from: number): number => {
    let row = from;
    while (row < end && (rows[row] as Row).w < us) row++;
    return row;
  };
  const before = (rows[first]?.w ?? last) - 1n;
  return {
    first,
    end,
    watermarkBeforeUs: before,
    watermarkAfterUs: rows[end]?.w ?? last,
    crossing,
  };
}

/** The rows in pieces that end at `cuts`, each with bounds of W that are as loose as a chunk's. */
function trackedSessions(
  rows: readonly Row[],
  limits: Limits,
  last: bigint,
  cuts: readonly number[],
) {
  const sessions = new SessionIntervals(limits);
  const rowsOf = new Map<number, number[]>();
  const ends: bigint[] = [];
  const final: Session[] = [];
  const tooLate: string[] = [];
  const at = (slot: number): Session => ({
    group: sessions.group[slot] as number,
    start: sessions.start[slot] as bigint,
    end: sessions.end[slot] as bigint,
    rows: [...rowsOf].filter(([s]) => sessions.rootOf(s) === slot).flatMap(([, list]) => list),
    revised: sessions.revised[slot] as number,
    finalAt: sessions.finalAt[slot] as number,
  });
  const list = {
    count: rows.length,
    rows: Uint32Array.from(rows, (_, i) => i),
    groups: Uint32Array.from(rows, ({ group }) => group),
    timesUs: BigInt64Array.from(rows, ({ t }) => t),
    firstSequence: 0,
  };
  const out = new Uint32Array(rows.length);
  [...cuts, rows.length].reduce((from, to) => {
    const judge = new SessionJudge(chunkOf(rows, from, to, last), 0);
    sessions.begin(from);
    const taken = sessions.assign(list, from, to, judge, out);
    let counted = 0;
    for (let r = from; r < to; r++) {
      const slot = out[r] as number;
      if (slot === noSlot) continue;
      counted++;
      rowsOf.set(slot, [...(rowsOf.get(slot) ?? []), r]);
    }
    expect(taken).toBe(counted);
    sessions.sweep(to, judge);
    for (const slot of sessions.final) {
      final.push(at(slot));
      ends.push(sessions.end[slot] as bigint);
    }
    sessions.final = [];
    tooLate.push(...sessions.tooLate.map(({ group, timeUs }) => `${group} ${timeUs}`));
    sessions.tooLate = [];
    return to;
  }, 0);
  expect(ends).toEqual(ends.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
  const open = [...sessions.openSlots()].map(at);
  expect(sessions.open).toBe(open.length);
  expect(sessions.openGroups).toBe(
    new Set(open.map(({ group }) => group).filter((g) => g > 0)).size,
  );
  return {
    open: shown(open),
    final: shown(final),
    tooLate: tooLate.sort(),
    dropped: sessions.dropped,
  };
}

function randomRows(random: () => number): { rows: Row[]; limits: Limits; last: bigint } {
  const groups = 1 + Math.floor(random() * 4);
  const gap = 1 + Math.floor(random() * 20);
  const disorder = random() < 0.3 ? 0 : Math.floor(random() * 120);
  const step = random() * 12;
  const rows: Row[] = [];
  let now = 0;
  let w = -1000;
  for (let r = 0; r < 300; r++) {
    if (random() < 0.7) now += Math.floor(random() * step);
    if (random() < 0.02) now += 200;
    if (random() < 0.8) w = Math.max(w, now - Math.floor(random() * 60));
    const t = now - (random() < 0.4 ? Math.floor(random() * disorder) : 0);
    rows.push({ group: 1 + Math.floor(random() * groups), t: BigInt(t), w: BigInt(w) });
  }
  const tight = random() < 0.3;
  const limits = {
    gapUs: BigInt(gap),
    latenessUs: BigInt(random() < 0.3 ? 0 : Math.floor(random() * 60)),
    sessionsMax: tight ? 1 + Math.floor(random() * 6) : 1000,
    groupsMax: tight ? 1 + Math.floor(random() * 3) : 1000,
  };
  return { rows, limits, last: BigInt(w + Math.floor(random() * 30)) };
}

describe("sessions", () => {
  it("are those of a slow twin, in pieces of any size", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = mulberry32(seed);
      const { rows, limits, last } = randomRows(random);
      const want = slowSessions(rows, limits, last);
      const cuts = rows
        .map((_, i) => i)
        .filter((i) => i > 0 && random() < [0, 0.02, 0.3][seed % 3]!);
      expect(trackedSessions(rows, limits, last, cuts), `seed ${seed}`).toEqual({
        ...want,
        open: shown(want.open),
        final: shown(want.final),
      });
    }
  });

  it("end a gap after their last row: a row exactly then opens the next", () => {
    const rows = [0n, 10n, 19n, 29n].map((t) => ({ group: 1, t, w: -100n }));
    const limits = { gapUs: 10n, latenessUs: 0n, ...unlimited };
    const { open } = trackedSessions(rows, limits, -100n, []);
    expect(open).toEqual(["0-10 g1 r0 f0 0", "10-29 g1 r0 f0 1,2", "29-39 g1 r0 f0 3"]);
  });

  it("are joined by a row that overlaps two, as long as both are open", () => {
    const limits = { gapUs: 10n, latenessUs: 0n, ...unlimited };
    const at = (w: bigint) => [
      { group: 1, t: 0n, w: -100n },
      { group: 1, t: 15n, w: -100n },
      { group: 1, t: 8n, w },
    ];
    expect(trackedSessions(at(9n), limits, 9n, []).open).toEqual(["0-25 g1 r0 f0 0,1,2"]);
    const { open, final } = trackedSessions(at(10n), limits, 10n, []);
    expect(final).toEqual(["0-10 g1 r0 f3 0"]);
    expect(open).toEqual(["8-25 g1 r0 f0 1,2"]);
  });

  it("keep the starts that were told before", () => {
    const sessions = new SessionIntervals({ gapUs: 10n, latenessUs: 0n, ...unlimited });
    const rows = [0n, 15n, 8n].map((t) => ({ group: 1, t, w: -100n }));
    const out = new Uint32Array(1);
    rows.forEach(({ t }, i) => {
      const judge = new SessionJudge(chunkOf(rows, i, i + 1, -100n), 0);
      const list = {
        count: 1,
        rows: Uint32Array.of(i),
        groups: Uint32Array.of(1),
        timesUs: BigInt64Array.of(t),
        firstSequence: 0,
      };
      sessions.begin(i);
      sessions.assign(list, 0, 1, judge, out);
    });
    const [slot] = [...sessions.openSlots()];
    expect(sessions.start[slot as number]).toBe(0n);
    expect(sessions.replaced.get(slot as number)).toEqual([{ startUs: 15n, at: 3 }]);
  });
});
