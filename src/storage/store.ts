import { existsSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import { uncut } from "../base/exit.ts";
import { CorruptionError, MillraceError } from "../errors.ts";
import type { TableReader } from "../rollup/store.ts";
import type { StreamTable, StreamWrite } from "../stream/messages.ts";
import {
  clockKey,
  columnKey,
  filterKey,
  journalKey,
  journalSequence,
  receiptExpiryKey,
  segmentKey,
} from "./keys.ts";
import {
  decodeSegmentMeta,
  encodeSegmentMeta,
  type SealedSegment,
  type SegmentMeta,
} from "./segment.ts";
import { asBuffer, StreamTables } from "./stream-tables.ts";

/** The version of the folder's layout: which databases there are and what their keys mean. */
const FOLDER_VERSION = 1;
const VERSION_KEY = Buffer.from("version");
const DROPPED_KEY = Buffer.from("dropped");
const TABLES_MAX = 16;

type Table = Database<Buffer, Buffer>;

/** One commit: everything in it becomes durable together or not at all. */
export interface Commit {
  /** A ColumnBatch, private memory, under its first sequence. */
  readonly journal?: { readonly firstSequence: bigint; readonly batch: Uint8Array };
  readonly receipts?: readonly StoredReceipt[];
  /** Sealed segments that take the place of journal records. */
  readonly sealed?: readonly SealedSegment[];
  /** Journal records, by first sequence, whose rows are all sealed now. */
  readonly journalDone?: readonly bigint[];
  /** Segments to forget, oldest first. */
  readonly dropped?: readonly SegmentMeta[];
  /** Segments that take the place of others, with all their rows. */
  readonly compacted?: readonly CompactedSegment[];
  /** What the stream thread keeps. */
  readonly writes?: readonly StreamWrite[];
}

/** A segment and the adjacent ones that it was made of. */
export interface CompactedSegment extends SealedSegment {
  readonly sources: readonly SegmentMeta[];
}

/** The answer kept for an idempotency key. `key` and `bodyHash` are hashes, 16 and 32 bytes. */
export interface StoredReceipt {
  readonly key: Uint8Array;
  readonly bodyHash: Uint8Array;
  readonly answer: string;
  readonly expiresAtUs: bigint;
}

/**
 * The LMDB environment of a data folder. One thread commits; any thread may open another `Store` to read.
 *
 * `overlappingSync` is off on purpose: with it, a failed flush leaves readable data that is not on disk.
 */
export class Store {
  readonly #path: string;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #meta: Table;
  readonly #journal: Table;
  readonly #segments: Table;
  readonly #columns: Table;
  readonly #receipts: Table;
  readonly #receiptExpiry: Table;
  readonly #stream: StreamTables;
  #flushes = 0;

  /** @throws CorruptionError when the folder is of another version or not LMDB. */
  constructor(folder: string) {
    this.#path = join(folder, "millrace.mdb");
    const options = { keyEncoding: "binary", encoding: "binary" } as const;
    try {
      const path = this.#path;
      this.#root = uncut(() =>
        open<Buffer, Buffer>({
          path,
          noSubdir: true,
          maxDbs: TABLES_MAX,
          overlappingSync: false,
          ...options,
        }),
      );
      this.#meta = this.#root.openDB("meta", options);
      this.#journal = this.#root.openDB("journal", options);
      this.#segments = this.#root.openDB("segments", options);
      this.#columns = this.#root.openDB("columns", options);
      this.#receipts = this.#root.openDB("receipts", options);
      this.#receiptExpiry = this.#root.openDB("receipt-expiry", options);
      this.#stream = new StreamTables(this.#root, options);
    } catch (cause) {
      throw new CorruptionError(
        "store_unreadable",
        `store ${this.#path}: ${(cause as Error).message}`,
        {},
        { cause },
      );
    }
    this.#checkVersion();
  }

  #checkVersion(): void {
    const stored = this.#meta.get(VERSION_KEY);
    if (stored === undefined) {
      this.#meta.putSync(VERSION_KEY, Buffer.from([FOLDER_VERSION]));
    } else if (stored[0] !== FOLDER_VERSION) {
      throw new CorruptionError(
        "store_version",
        `store ${this.#path}: got folder version ${stored[0]}, want ${FOLDER_VERSION}`,
      );
    }
  }

  /** Resolves when the commit is flushed. A rejection means that nobody knows what is on disk. */
  async commit(commit: Commit): Promise<void> {
    await this.#flush(() => this.#write(commit));
  }

  /** No commit is on its way to the disk. */
  get isIdle(): boolean {
    return this.#flushes === 0;
  }

  /** @throws MillraceError `flush_failed` with the reason in words. */
  async #flush(write: () => void): Promise<void> {
    this.#flushes++;
    try {
      await this.#root.batch(write);
      await this.#root.flushed;
    } catch (error) {
      throw flushFailure(this.#path, await flushReason(error));
    }
    this.#flushes--;
  }

  /**
   * As `commit`, on this thread: returns once it is flushed, without the way to a thread of LMDB's and back.
   * Only while the store is idle: it would wait for other commits otherwise.
   *
   * @throws MillraceError `flush_failed`: nobody knows what is on disk then
   */
  commitNow(commit: Commit): void {
    try {
      this.#root.transactionSync(() => this.#write(commit));
    } catch (error) {
      throw flushFailure(this.#path, error);
    }
  }

  #write(commit: Commit): void {
    const { journal, receipts = [], journalDone = [], dropped = [], compacted = [] } = commit;
    const { sealed = [], writes = [] } = commit;
    if (journal) this.#journal.put(journalKey(journal.firstSequence), asBuffer(journal.batch));
    for (const receipt of receipts) {
      const value = Buffer.concat([receipt.bodyHash, Buffer.from(receipt.answer)]);
      this.#receipts.put(asBuffer(receipt.key), value);
      this.#receiptExpiry.put(receiptExpiryKey(receipt.expiresAtUs, receipt.key), Buffer.alloc(0));
    }
    for (const segment of [...sealed, ...compacted]) this.#putSegment(segment);
    for (const sequence of journalDone) this.#journal.remove(journalKey(sequence));
    for (const segment of dropped) this.#removeSegment(segment);
    for (const { sources } of compacted)
      sources.forEach((one) => {
        this.#removeSegment(one);
      });
    const end = dropped.at(-1);
    if (end) {
      const summary = { ...withoutColumns(end), timeMaxUs: this.#droppedMaxUs(dropped) };
      this.#meta.put(DROPPED_KEY, asBuffer(encodeSegmentMeta(summary)));
      this.#stream.dropDuplicates(end.firstSequence + BigInt(end.rows));
    }
    this.#stream.write(writes);
  }

  /** The greatest timestamp of these and of all that were dropped before. */
  #droppedMaxUs(dropped: readonly SegmentMeta[]): bigint {
    const known = this.newestDropped();
    const all = known === undefined ? dropped : [...dropped, known];
    return all.map(({ timeMaxUs }) => timeMaxUs).reduce((a, b) => (a > b ? a : b));
  }

  #putSegment({ meta, columns, filters = [] }: SealedSegment): void {
    columns.forEach((bytes, index) => {
      this.#columns.put(columnKey(meta.id, index), asBuffer(bytes));
    });
    filters.forEach((bytes, index) => {
      if (bytes !== null) this.#columns.put(filterKey(meta.id, index), asBuffer(bytes));
    });
    this.#segments.put(segmentKey(meta.id), asBuffer(encodeSegmentMeta(meta)));
  }

  #removeSegment({ id, columns }: SegmentMeta): void {
    columns.forEach(({ filterBytes }, index) => {
      this.#columns.remove(columnKey(id, index));
      if (filterBytes > 0) this.#columns.remove(filterKey(id, index));
    });
    this.#segments.remove(segmentKey(id));
  }

  /** Every journal record in sequence order. The bytes are a private copy. */
  *journal(): Generator<{ firstSequence: bigint; batch: Uint8Array }> {
    for (const { key, value } of this.#journal.getRange({ snapshot: false })) {
      yield { firstSequence: journalSequence(key), batch: value };
    }
  }

  /** Lets the next read see all that is committed by then: reads of one event-loop turn share a view otherwise. */
  renew(): void {
    this.#root.resetReadTxn();
  }

  /** The metas of all sealed segments, in sequence order. @throws CorruptionError naming the segment. */
  segments(): SegmentMeta[] {
    const metas: SegmentMeta[] = [];
    for (const { value } of this.#segments.getRange()) metas.push(decodeSegmentMeta(value));
    return metas.sort((a, b) => (a.firstSequence < b.firstSequence ? -1 : 1));
  }

  /**
   * The newest segment that was dropped, without its columns: sequences and ids go on after it. Its `timeMaxUs` is that
   * of all that were dropped.
   */
  newestDropped(): SegmentMeta | undefined {
    const value = this.#meta.get(DROPPED_KEY);
    return value && decodeSegmentMeta(value);
  }

  /** A sealed column's bytes, valid until the next call; undefined once the segment was dropped. */
  column(segmentId: number, columnIndex: number): Uint8Array | undefined {
    const bytes = this.#columns.getBinaryFast(columnKey(segmentId, columnIndex));
    // The buffer is larger than the value, and only its `length` says where the value ends.
    return bytes?.subarray(0, bytes.length);
  }

  /** The filter of a column's texts, valid until the next call; undefined when there is none. */
  filter(segmentId: number, columnIndex: number): Uint8Array | undefined {
    const bytes = this.#columns.getBinaryFast(filterKey(segmentId, columnIndex));
    return bytes?.subarray(0, bytes.length);
  }

  /** A table of the stream thread, as it is at the last `renew`. */
  table(name: StreamTable): TableReader {
    return this.#stream.reader(name);
  }

  /** How many entries of duplicates there are for a record that begins at `sequence`. */
  duplicatesAt(sequence: bigint): number {
    return this.#stream.duplicatesAt(sequence);
  }

  /** The newest time that was told to the stream thread, as far as a checkpoint may reflect it, µs. */
  clockUs(): bigint {
    const bytes = this.#stream.reader("stream").get(clockKey);
    return bytes === undefined ? 0n : Buffer.from(bytes).readBigInt64LE();
  }

  receipt(key: Uint8Array): { bodyHash: Uint8Array; answer: string } | undefined {
    const value = this.#receipts.getBinary(asBuffer(key));
    if (!value) return undefined;
    return { bodyHash: value.subarray(0, 32), answer: value.subarray(32).toString() };
  }

  /** Removes at most `limit` receipts that expired before `nowUs`. */
  async expireReceipts(nowUs: bigint, limit: number): Promise<number> {
    const end = receiptExpiryKey(nowUs, new Uint8Array(0));
    const expired = [...this.#receiptExpiry.getKeys({ end, limit })].map((key) => Buffer.from(key));
    if (expired.length === 0) return 0;
    await this.#flush(() => {
      for (const key of expired) {
        this.#receiptExpiry.remove(key);
        this.#receipts.remove(key.subarray(8));
      }
    });
    return expired.length;
  }

  /** Bytes of the pages that hold data: what a fresh copy of the file would need. */
  liveBytes(): number {
    return Object.values(this.tableBytes()).reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Bytes of the pages that hold data, by table. */
  tableBytes(): Record<string, number> {
    const tables = {
      meta: this.#meta,
      journal: this.#journal,
      segments: this.#segments,
      columns: this.#columns,
      receipts: this.#receipts,
      receipt_expiry: this.#receiptExpiry,
      ...this.#stream.tables,
    };
    return Object.fromEntries(
      Object.entries(tables).map(([name, table]) => [name, pagesOf(table.getStats())]),
    );
  }

  /** Bytes of the file on disk, free pages included. */
  fileBytes(): number {
    return existsSync(this.#path) ? statSync(this.#path).size : 0;
  }

  /** Bytes of the file that hold nothing any more, about: what is written next goes there. */
  reusableBytes(): number {
    return Math.max(0, this.fileBytes() - this.liveBytes());
  }

  close(): Promise<void> {
    return this.#root.close();
  }
}

function withoutColumns(meta: SegmentMeta): SegmentMeta {
  return { ...meta, records: meta.records.slice(-1), columns: [] };
}

/** How long LMDB may take to give the reason of a failure that it has told, milliseconds. */
const REASON_MS_MAX = 1000;

/** Why a commit failed: LMDB rejects with a promise of the reason, which is rejected in its turn. */
async function flushReason(error: unknown): Promise<unknown> {
  const late = new Promise((resolve) => setTimeout(resolve, REASON_MS_MAX));
  const later = Promise.resolve((error as { commitError?: unknown }).commitError);
  return (await Promise.race([later, late]).catch((cause: unknown) => cause)) ?? error;
}

function flushFailure(path: string, reason: unknown): MillraceError {
  const words = reason instanceof Error ? reason.message : String(reason);
  return new MillraceError(
    "flush_failed",
    `store ${path}: a commit could not be flushed: ${words}; ${freeBytes(dirname(path))}. What is on the disk is not ` +
      "known now, so the process ends; start it again: what was acknowledged is there",
    {},
    { cause: reason },
  );
}

function freeBytes(folder: string): string {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return `the disk has ${bavail * bsize} bytes free`;
  } catch (error) {
    return `the free space of the disk can't be read: ${(error as Error).message}`;
  }
}

interface TableStats {
  pageSize: number;
  treeBranchPageCount: number;
  treeLeafPageCount: number;
  overflowPages: number;
}

function pagesOf(stats: object): number {
  const { pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages } = stats as TableStats;
  return pageSize * (treeBranchPageCount + treeLeafPageCount + overflowPages);
}
