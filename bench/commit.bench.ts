// A durable commit of a batch: one journal record and a flush, against one put per event and a flush.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import * as layout from "../src/core/layout.ts";
import { Store } from "../src/storage/store.ts";
import { makeBatch, rowOf } from "../test/support/make-batch.ts";
import { type BenchEvent, EventStream } from "./events.ts";
import type { Comparison } from "./harness.ts";

interface CommitBench {
  readonly comparison: Comparison;
  close(): Promise<void>;
}

/** Batches are made before, so that each commit writes bytes that no other did. */
export function commitBench(batch: number): CommitBench {
  const folder = mkdtempSync(join(tmpdir(), "millrace-commit-"));
  const store = new Store(folder);
  const twin = open<BenchEvent, string>({ path: join(folder, "twin.mdb"), noSubdir: true });
  const streams = [new EventStream(21), new EventStream(22)] as const;
  const prepared = Array.from({ length: 16 }, () => {
    return makeBatch(streams[0].take(batch).map((event) => rowOf({ ...event })));
  });
  let sequence = 0n;
  const commit = async (): Promise<number> => {
    const bytes = prepared[Number(sequence / BigInt(batch)) % prepared.length] as Uint8Array;
    await store.commit({ journal: { firstSequence: sequence, batch: bytes.slice() } });
    sequence += BigInt(batch);
    return bytes.length;
  };
  const putEach = async (): Promise<number> => {
    const events = streams[1].take(batch);
    for (const event of events) void twin.put(event.id, event);
    await twin.flushed;
    return events.length;
  };
  const journalRows = (): number => {
    let rows = 0;
    for (const { batch: stored } of store.journal()) {
      rows += new DataView(stored.buffer, stored.byteOffset).getUint32(layout.BATCH_ROWS, true);
    }
    return rows;
  };
  const comparison: Comparison = {
    name: `commit: ${batch} events, flushed`,
    units: batch,
    unit: "events",
    reference: {
      name: "an LMDB put per event",
      run: putEach,
      result: async () => {
        await putEach();
        return twin.getCount();
      },
    },
    candidate: {
      name: "a journal record",
      run: commit,
      result: async () => {
        await commit();
        return journalRows();
      },
    },
  };
  const close = async (): Promise<void> => {
    await store.close();
    await twin.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { comparison, close };
}
