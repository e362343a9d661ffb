// Blocks of windows as they were first written, and damaged ones.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CorruptionError } from "../../src/errors.ts";
import type { StoredGroup } from "../../src/rollup/store.ts";
import { WindowBlock } from "../../src/rollup/window-block.ts";
import { openWindowStore } from "../../src/rollup/window-store.ts";
import type { Rule } from "../../src/stream/rule.ts";
import { mulberry32 } from "../support/random.ts";
import { PlainTables } from "./plain-table.ts";

const golden = new URL("../golden/windows-v1.bin", import.meta.url);
const update = process.env.MILLRACE_UPDATE_GOLDEN === "1";
const place = { rule: 3, tier: 1, groupId: 77, startUs: -60_000_000n };

const windows: readonly StoredGroup[] = Array.from({ length: 5 }, (_, i) => ({
  groupId: 77,
  startUs: BigInt(i - 1) * 60_000_000n,
  endUs: BigInt(i) * 60_000_000n,
  finalAt: 2n ** 40n + BigInt(i),
  count: 2 ** 40 + i,
  late: i,
  revised: i * 2,
  tooLate: i * 3,
  duplicate: 5,
  revision: 6,
  // The third has only rows that came too late.
  partial: Uint8Array.from({ length: i === 2 ? 0 : 9 * i }, (_, at) => at),
}));

function block(): WindowBlock {
  const made = new WindowBlock(place);
  for (const i of [0, 2, 4, 3, 1]) made.put(windows[i] as StoredGroup);
  return made;
}

describe("blocks of windows of version 1", () => {
  test("are written and read as they first were", () => {
    const bytes = block().encode();
    if (update && !existsSync(golden)) writeFileSync(golden, bytes);
    const stored = new Uint8Array(readFileSync(golden));
    expect(Buffer.compare(bytes, stored)).toBe(0);
    const read = WindowBlock.read(place, stored);
    expect(read.overlapping(-(2n ** 62n), 2n ** 62n)).toEqual(windows);
    expect(Buffer.compare(read.encode(), stored)).toBe(0);
  });

  test("damaged anywhere, or cut off, they are refused by name", () => {
    const whole = block().encode();
    const random = mulberry32(5);
    const name = "rule 3, tier 1, group 77 that begins at -60000000 µs";
    for (let at = 0; at < whole.length; at++) {
      const bytes = Uint8Array.from(whole);
      bytes[at] = (bytes[at] as number) ^ (1 + Math.floor(random() * 255));
      expect(() => WindowBlock.read(place, bytes), `byte ${at}`).toThrow(name);
      expect(() => WindowBlock.read(place, whole.subarray(0, at)), `${at} bytes`).toThrow(name);
    }
    const rubbish = Uint8Array.from({ length: 400 }, () => Math.floor(random() * 256));
    expect(() => WindowBlock.read(place, rubbish)).toThrow(CorruptionError);
  });

  test("a store says which block it could not read, and reads the others", () => {
    const tables = new PlainTables();
    const open = () =>
      openWindowStore({ windows: tables.reader("windows"), finals: tables.reader("finals") });
    const store = open();
    for (const { startUs, endUs, finalAt, ...group } of windows) {
      const groups = [1, 2].map((groupId) => ({ ...group, groupId }));
      store.put({ number: 3 } as Rule, 0, { startUs, endUs, finalAt, groups });
    }
    tables.commit(store.writes());
    const first = tables.values("windows")[0] as Uint8Array;
    first[60] = (first[60] as number) ^ 1;
    const again = open();
    expect(() => [...again.read(3, 0, 1, null, null)]).toThrow(
      "rule 3, tier 0, group 1 that begins at -60000000 µs does not have its checksum",
    );
    expect([...again.read(3, 0, 2, null, null)]).toHaveLength(5);
  });

  test("are split where they are full, and appended to where starts are equal", () => {
    const made = new WindowBlock({ ...place, startUs: 0n });
    const window = { ...(windows[1] as StoredGroup), startUs: 0n };
    for (let i = 0; i < 10; i++) made.put({ ...window, endUs: BigInt(i) });
    expect(made.split()).toBe(undefined);
    for (let i = 1; i < 9; i++) made.put({ ...window, startUs: BigInt(i), endUs: 100n });
    const later = made.split();
    expect(made.count + (later?.count ?? 0)).toBe(18);
    expect(later?.place.startUs).toBe(later?.overlapping(0n, 1000n)[0]?.startUs);
    expect(made.lastStartUs).toBe((later?.place.startUs as bigint) - 1n);
  });
});
