// Stored windows against a plain list of them, under random operations, over a plain table and over LMDB.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openGroupDirectories } from "../../src/rollup/group-directories.ts";
import type { FinalGroups, StoredGroup, WindowStore } from "../../src/rollup/store.ts";
import { openWindowStore } from "../../src/rollup/window-store.ts";
import { Store } from "../../src/storage/store.ts";
import type { StreamWrite } from "../../src/stream/messages.ts";
import type { Rule } from "../../src/stream/rule.ts";
import type { FinalWindow, PartialGroup } from "../../src/stream/window-row.ts";
import { mulberry32 } from "../support/random.ts";
import { PlainTables, type TestTables } from "./plain-table.ts";

const ruleOf = (number: number) => ({ number }) as Rule;
type Random = () => number;
const below = (random: Random, count: number) => Math.floor(random() * count);

/** The same, as a list of all windows. */
class Twin {
  windows: (StoredGroup & { rule: number; tier: number })[] = [];
  finals: (FinalGroups & { rule: number; tier: number })[] = [];

  find(rule: number, tier: number, groupId: number, startUs: bigint, endUs: bigint): number {
    return this.windows.findIndex(
      (one) =>
        one.rule === rule &&
        one.tier === tier &&
        one.groupId === groupId &&
        one.startUs === startUs &&
        one.endUs === endUs,
    );
  }

  set(rule: number, tier: number, window: StoredGroup): void {
    const at = this.find(rule, tier, window.groupId, window.startUs, window.endUs);
    const own = { ...window, rule, tier };
    if (at < 0) this.windows.push(own);
    else this.windows[at] = own;
  }

  final(rule: number, tier: number, { finalAt, startUs, endUs, groups }: FinalWindow): void {
    const ids = groups.map(({ groupId }) => groupId);
    const at = this.finals.findIndex(
      (one) =>
        one.rule === rule &&
        one.tier === tier &&
        one.finalAt === finalAt &&
        one.startUs === startUs &&
        one.endUs === endUs,
    );
    const known = at < 0 ? [] : [...(this.finals[at] as FinalGroups).groupIds];
    const groupIds = Uint32Array.from(new Set([...known, ...ids])).sort();
    const entry = { rule, tier, finalAt, startUs, endUs, groupIds };
    if (at < 0) this.finals.push(entry);
    else this.finals[at] = entry;
  }

  read(rule: number, tier: number, ids: readonly number[] | null): StoredGroup[] {
    return this.windows
      .filter((one) => one.rule === rule && one.tier === tier)
      .filter(({ groupId }) => ids === null || ids.includes(groupId))
      .sort((a, b) => Number(a.startUs - b.startUs || a.endUs - b.endUs) || a.groupId - b.groupId)
      .map(({ rule: _, tier: __, ...window }) => window);
  }
}

function randomGroup(random: Random, groupId: number): PartialGroup {
  const count = below(random, 100);
  return {
    groupId,
    count,
    late: below(random, 5),
    revised: below(random, 5),
    tooLate: below(random, 3),
    duplicate: below(random, 3),
    revision: below(random, 5),
    partial: Uint8Array.from({ length: below(random, random() < 0.05 ? 6000 : 60) }, () =>
      below(random, 256),
    ),
  };
}

/** Windows end in the order in which they start, as those of a group do. */
function randomWindow(random: Random, sequence: number, at: number): FinalWindow {
  const groups = new Set(Array.from({ length: 1 + below(random, 4) }, () => below(random, 6)));
  const startUs = BigInt(at) * 60n;
  return {
    startUs,
    endUs: startUs + 60n,
    finalAt: BigInt(sequence),
    groups: [...groups].map((groupId) => randomGroup(random, groupId)),
  };
}

function plain(windows: Iterable<StoredGroup>): unknown[] {
  return [...windows].map((one) => ({ ...one, partial: Buffer.from(one.partial).toString("hex") }));
}

interface Bed {
  readonly store: WindowStore;
  readonly twin: Twin;
  readonly random: Random;
  readonly commits: StreamWrite[][];
  sequence: number;
  at: number;
}

function step(bed: Bed): void {
  const { store, twin, random } = bed;
  const rule = 1 + below(random, 2);
  const tier = below(random, 2);
  const kind = random();
  bed.sequence += below(random, 3);
  if (kind < 0.75) {
    bed.at += below(random, 2);
    const isOld = random() < 0.1;
    const window = randomWindow(random, bed.sequence, isOld ? below(random, bed.at + 1) : bed.at);
    store.put(ruleOf(rule), tier, window);
    twin.final(rule, tier, window);
    for (const group of window.groups) {
      const { startUs, endUs, finalAt } = window;
      const known = twin.windows[twin.find(rule, tier, group.groupId, startUs, endUs)];
      const tooLate = group.tooLate + (known?.tooLate ?? 0);
      twin.set(rule, tier, { ...group, tooLate, startUs, endUs, finalAt });
    }
  } else if (kind < 0.85) {
    const startUs = BigInt(below(random, bed.at + 1)) * 60n;
    const late = { startUs, endUs: startUs + 60n, groupId: below(random, 6), count: 3 };
    store.tooLate(ruleOf(rule), late);
    const known = twin.windows[twin.find(rule, 0, late.groupId, startUs, late.endUs)];
    const none = { late: 0, revised: 0, tooLate: 0, duplicate: 0, revision: 0, finalAt: 0n };
    const window = known ?? { ...none, ...late, count: 0, partial: new Uint8Array(0) };
    const { rule: _, tier: __, ...own } = { rule: 0, tier: 0, ...window };
    twin.set(rule, 0, { ...own, tooLate: own.tooLate + 3 });
  } else if (kind < 0.92) {
    const window = randomWindow(random, bed.sequence, below(random, bed.at + 1));
    store.replace(ruleOf(rule), tier, window);
    twin.final(rule, tier, window);
    for (const group of window.groups) {
      const { startUs, endUs, finalAt } = window;
      twin.set(rule, tier, { ...group, startUs, endUs, finalAt });
    }
  } else {
    const startUs = BigInt(below(random, bed.at + 1)) * 60n;
    const groupId = below(random, 6);
    const at = twin.find(rule, tier, groupId, startUs, startUs + 60n);
    expect(store.remove(rule, tier, groupId, startUs, startUs + 60n)).toBe(at >= 0);
    if (at >= 0) twin.windows.splice(at, 1);
  }
}

function check(bed: Bed, where: string): void {
  const { store, twin, random } = bed;
  const rule = 1 + below(random, 2);
  const tier = below(random, 2);
  const from = random() < 0.3 ? null : BigInt(below(random, (bed.at + 2) * 60));
  const to = random() < 0.3 ? null : BigInt(below(random, (bed.at + 2) * 60));
  const ids = random() < 0.5 ? null : [...new Set([below(random, 6), below(random, 6)])];
  const descending = random() < 0.5;
  const want = twin
    .read(rule, tier, ids)
    .filter(
      ({ startUs, endUs }) => (from === null || endUs > from) && (to === null || startUs < to),
    );
  if (descending) {
    want.sort(
      (a, b) => Number(b.startUs - a.startUs || b.endUs - a.endUs) || a.groupId - b.groupId,
    );
  }
  const range = { rule, tier, groupIds: ids, fromUs: from, toUs: to, descending };
  expect(plain(store.windows(range)), where).toEqual(plain(want));
  const groups = new Set(twin.read(rule, tier, null).map(({ groupId }) => groupId));
  expect([...store.groups(rule, tier)], where).toEqual([...groups].sort((a, b) => a - b));
  const since = BigInt(below(random, bed.sequence + 1));
  const finals = twin.finals
    .filter((one) => one.rule === rule && one.tier === tier)
    .sort((a, b) => Number(a.finalAt - b.finalAt || a.startUs - b.startUs || a.endUs - b.endUs))
    .map(({ rule: _, tier: __, ...own }) => own);
  expect([...store.finalSince(rule, since, tier)], where).toEqual(
    finals.filter(({ finalAt }) => finalAt >= since),
  );
  expect(store.newest(rule, tier), where).toEqual(finals.at(-1) ?? null);
}

async function run(tables: TestTables, seed: number, steps: number): Promise<void> {
  const random = mulberry32(seed);
  const open = () =>
    openWindowStore(
      { windows: tables.reader("windows"), finals: tables.reader("finals") },
      seed % 2 === 0 ? 20_000 : 2 ** 25,
    );
  let bed: Bed = { store: open(), twin: new Twin(), random, commits: [], sequence: 1, at: 0 };
  const commit = async () => {
    await tables.commit(bed.commits.shift() ?? []);
    bed.store.committed();
  };
  for (let i = 0; i < steps; i++) {
    step(bed);
    if (random() < 0.1) bed.commits.push(bed.store.writes());
    if (bed.commits.length > 0 && random() < 0.2) await commit();
    if (random() < 0.2) check(bed, `seed ${seed}, step ${i}`);
    if (random() < 0.01) {
      bed.commits.push(bed.store.writes());
      while (bed.commits.length > 0) await commit();
      bed = { ...bed, store: open() };
    }
  }
  for (const rule of [1, 2]) {
    while (bed.store.drop(rule, 7)) {
      bed.commits.push(bed.store.writes());
      await commit();
    }
    for (const tier of [0, 1]) {
      expect([...bed.store.groups(rule, tier)]).toEqual([]);
      expect(bed.store.newest(rule, tier)).toBe(null);
    }
  }
}

describe("stored windows are those of a plain list", () => {
  test.each([1, 2, 3, 4, 5, 6])("over a plain table, seed %i", async (seed) => {
    await run(new PlainTables(), seed, 500);
  });

  test("over LMDB", async () => {
    const folder = mkdtempSync(join(tmpdir(), "millrace-windows-"));
    const store = new Store(folder);
    try {
      const tables: TestTables = {
        reader: (name) => store.table(name),
        async commit(writes) {
          await store.commit({ writes });
          store.renew();
        },
      };
      await run(tables, 7, 300);
    } finally {
      await store.close();
      rmSync(folder, { recursive: true });
    }
  });
});

describe("expiry", () => {
  test("forgets whole blocks that ended, a bounded number at a time", () => {
    const tables = new PlainTables();
    const store = openWindowStore({
      windows: tables.reader("windows"),
      finals: tables.reader("finals"),
    });
    const groups = Array.from({ length: 20 }, (_, g) => randomGroup(mulberry32(g), g));
    for (let i = 0; i < 200; i++) {
      const startUs = BigInt(i * 60);
      store.put(ruleOf(1), 0, { startUs, endUs: startUs + 60n, finalAt: BigInt(i), groups });
    }
    tables.commit(store.writes());
    store.committed();
    const endUs = 150n * 60n;
    let calls = 1;
    while (store.expire(1, 0, endUs, 30)) calls++;
    expect(calls).toBeGreaterThan(5);
    const left = [...store.read(1, 0, 3, null, null)];
    expect(left.filter((one) => one.endUs > endUs)).toHaveLength(50);
    expect(left.filter((one) => one.endUs <= endUs).length).toBeLessThan(64);
    expect([...store.finalSince(1, 0n)][0]?.startUs).toBe(endUs);
    const dropped = { finalAt: 149n, endUs };
    expect(store.dropped(1, 0)).toMatchObject(dropped);
    tables.commit(store.writes());
    store.committed();
    expect([...store.read(1, 0, 3, null, null)]).toEqual(left);
    expect([store.dropped(1, 1), store.dropped(2, 0)]).toEqual([null, null]);
    const again = openWindowStore({
      windows: tables.reader("windows"),
      finals: tables.reader("finals"),
    });
    expect(again.dropped(1, 0)).toMatchObject(dropped);
    expect([...again.finalSince(1, 0n)]).toHaveLength(50);
    while (again.expire(1, 0, 1_000_000n, 30));
    expect(again.dropped(1, 0)).toMatchObject({ finalAt: 199n, endUs: 12_000n });
    expect([again.newest(1, 0), ...again.finalSince(1, 0n)]).toEqual([null]);
    while (again.drop(1, 1000));
    expect(again.dropped(1, 0)).toBe(null);
  });
});

describe("groups", () => {
  test("have one number for ever, whatever was asked before", () => {
    const tables = new PlainTables();
    let directories = openGroupDirectories(tables.reader("groups"));
    const random = mulberry32(11);
    const known = new Map<string, number>();
    for (let i = 0; i < 3000; i++) {
      const key = Uint8Array.from({ length: below(random, 3) }, () => below(random, 30));
      const text = Buffer.from(key).toString("hex");
      const rule = directories.of(4);
      expect(rule.find(key)).toBe(known.get(text) ?? 0);
      if (!known.has(text)) known.set(text, known.size + 1);
      expect(rule.idOf(key)).toBe(known.get(text));
      expect(Buffer.from(rule.keyOf(known.get(text) as number)).toString("hex")).toBe(text);
      if (i % 100 !== 0) continue;
      tables.commit(directories.writes());
      directories.committed();
      if (i % 500 === 0) directories = openGroupDirectories(tables.reader("groups"));
    }
    const all = [...directories.of(4).all()];
    expect(all.map(({ groupId, key }) => [Buffer.from(key).toString("hex"), groupId])).toEqual([
      ...known,
    ]);
    expect(directories.of(4).count).toBe(known.size);
    expect(directories.of(5).count).toBe(0);
    expect(directories.of(5).find(Uint8Array.of(1))).toBe(0);
    while (directories.drop(4, 100)) {
      tables.commit(directories.writes());
      directories.committed();
    }
    expect(directories.of(4).count).toBe(0);
  });
});
