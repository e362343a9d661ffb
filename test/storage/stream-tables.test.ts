import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { afterEach, expect, it } from "vitest";
import { clockKey, duplicatesKey } from "../../src/storage/keys.ts";
import { Store } from "../../src/storage/store.ts";
import type { StreamTable, StreamWrite } from "../../src/stream/messages.ts";

const folders: string[] = [];

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "millrace-tables-"));
  folders.push(path);
  return path;
}

afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

const put = (table: StreamTable, key: number[], value: number[] | null): StreamWrite => ({
  table,
  key: Uint8Array.from(key),
  value: value && Uint8Array.from(value),
});

const all = (store: Store, table: StreamTable): number[][][] => {
  store.renew();
  const entries = store.table(table).range(Uint8Array.of(0), Uint8Array.of(255, 255, 255, 255));
  return [...entries].map(({ key, value }) => [[...key], [...value]]);
};

it("writes of the stream thread are one commit with everything else, and are read in key order", async () => {
  const path = folder();
  const store = new Store(path);
  await store.commit({
    journal: { firstSequence: 1n, batch: Uint8Array.of(1) },
    writes: [
      put("windows", [2, 1], [21]),
      put("windows", [1, 9], [19]),
      put("windows", [1, 10], [20]),
      put("rules", [1], [1]),
      put("stream", [7], []),
    ],
  });
  expect(all(store, "windows")).toEqual([
    [[1, 9], [19]],
    [[1, 10], [20]],
    [[2, 1], [21]],
  ]);
  const some = store.table("windows").range(Uint8Array.of(1, 10), Uint8Array.of(2, 1));
  expect([...some].map(({ value }) => [...value])).toEqual([[20]]);
  expect([...(store.table("stream").get(Uint8Array.of(7)) ?? [1])]).toEqual([]);
  const value = store.table("rules").get(Uint8Array.of(1));
  const entry = [...store.table("rules").range(Uint8Array.of(1), Uint8Array.of(2))][0];
  for (const bytes of [value, entry?.key, entry?.value]) {
    expect([Buffer.isBuffer(bytes), bytes?.buffer.byteLength], "memory of its own").toEqual([
      false,
      1,
    ]);
  }
  expect(store.table("finals").get(Uint8Array.of(7))).toBeUndefined();

  store.commitNow({ writes: [put("windows", [1, 10], null), put("windows", [1, 9], [0])] });
  expect(all(store, "windows")).toEqual([
    [[1, 9], [0]],
    [[2, 1], [21]],
  ]);
  expect(store.tableBytes()).toMatchObject({ duplicates: 0, rules: 4096, windows: 4096 });
  await store.close();

  const again = new Store(path);
  expect(all(again, "windows")).toHaveLength(2);
  expect([...again.journal()]).toHaveLength(1);
  await again.close();
});

it("duplicates go with the segments before them, and the counter goes on", async () => {
  const store = new Store(folder());
  const timestamps = new Uint8Array(8);
  const keys = [
    [1n, 0],
    [5n, 0],
    [5n, 1],
    [9n, 0],
    [9n, 1],
    [9n, 2],
  ] as const;
  const writes = keys.map(([sequence, index]) => ({
    table: "duplicates" as const,
    key: duplicatesKey(sequence, index),
    value: timestamps,
  }));
  await store.commit({ writes });
  store.renew();
  expect([1n, 4n, 5n, 9n, 10n].map((sequence) => store.duplicatesAt(sequence))).toEqual([
    1, 0, 2, 3, 0,
  ]);
  const meta = { id: 1, partition: 0, firstSequence: 1n, rows: 8, timeMinUs: 0n, timeMaxUs: 0n };
  const dropped = { ...meta, records: [], columns: [], watermarks: new Uint8Array(0) };
  await store.commit({ dropped: [dropped] });
  expect(all(store, "duplicates")).toHaveLength(3);
  expect([5n, 9n].map((sequence) => store.duplicatesAt(sequence))).toEqual([0, 3]);
  await store.close();
});

it("of what was dropped the greatest timestamp is kept", async () => {
  const store = new Store(folder());
  const meta = { partition: 0, rows: 8, records: [], columns: [], watermarks: new Uint8Array(0) };
  const segment = (id: number, timeMaxUs: bigint) => {
    return { ...meta, id, firstSequence: BigInt(id * 8), timeMinUs: 0n, timeMaxUs };
  };
  for (const dropped of [[segment(1, 5n)], [segment(2, 9n), segment(3, 2n)], [segment(4, 4n)]]) {
    await store.commit({ dropped });
    store.renew();
  }
  expect(store.newestDropped()).toMatchObject({ id: 4, timeMaxUs: 9n });
  await store.close();
});

it("the clock is what a checkpoint has told last", async () => {
  const store = new Store(folder());
  expect(store.clockUs()).toBe(0n);
  const value = Buffer.alloc(8);
  value.writeBigInt64LE(1_700_000_000_000_000n);
  await store.commit({ writes: [{ table: "stream", key: clockKey, value }] });
  store.renew();
  expect(store.clockUs()).toBe(1_700_000_000_000_000n);
  await store.close();
});

it("a folder from before these tables is opened, with what is in it", async () => {
  const path = folder();
  const options = { keyEncoding: "binary", encoding: "binary" } as const;
  const old = open<Buffer, Buffer>({
    path: join(path, "millrace.mdb"),
    noSubdir: true,
    maxDbs: 8,
    ...options,
  });
  for (const name of ["meta", "journal", "segments", "columns", "receipts", "receipt-expiry"]) {
    const table = old.openDB<Buffer, Buffer>(name, options);
    if (name === "meta") table.putSync(Buffer.from("version"), Buffer.of(1));
    if (name === "journal") table.putSync(duplicatesKey(1n, 0).subarray(0, 8), Buffer.of(9));
  }
  await old.close();
  const store = new Store(path);
  expect([...store.journal()]).toMatchObject([{ firstSequence: 1n }]);
  await store.commit({ writes: [put("groups", [1], [2])] });
  expect(all(store, "groups")).toEqual([[[1], [2]]]);
  await store.close();
});
