import type { StoredReceipt } from "../storage/store.ts";
import type { FailureMessage } from "./failure.ts";
import type { EventError, Receipt } from "./ingest.ts";
import { ANSWER_WORDS, type Answers } from "./messages.ts";
import type { ReceiptClaim } from "./receipts.ts";

/** A body that was decoded into the group and waits for its answer. */
export interface Pending {
  readonly requestId: number;
  readonly durable: boolean;
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly errors: readonly EventError[];
  readonly claim: ReceiptClaim | null;
  /** Timestamps of its duplicates, µs; null: it has none. */
  readonly duplicateTimes: BigInt64Array | null;
}

/** Bytes of bodies that are few enough to wait for their flush. */
const BYTES_SMALL = 48 * 1024;

/** The bodies that are committed together: one ColumnBatch, one journal record, one flush. */
export class Group {
  readonly pending: Pending[] = [];
  rows = 0;
  bytes = 0;
  duplicates = 0;
  rejected = 0;
  /** Somebody waits for the flush. */
  #durable = false;
  /** Errors of events that are listed, over all bodies. */
  errors = 0;

  add(pending: Pending, bytes: number): void {
    this.pending.push(pending);
    this.#durable ||= pending.durable;
    this.rows += pending.accepted;
    this.bytes += bytes;
    this.duplicates += pending.duplicates;
    this.rejected += pending.rejected;
    this.errors += pending.errors.length;
  }

  get isEmpty(): boolean {
    return this.pending.length === 0;
  }

  /** Few bytes, and somebody waits for their flush: the next bodies may wait for it too. */
  get isSmall(): boolean {
    return this.bytes <= BYTES_SMALL && this.#durable;
  }

  /** Each body with its first sequence: rows keep the order in which the bodies came. */
  *sequenced(firstSequence: number): Generator<readonly [Pending, number]> {
    let next = firstSequence;
    for (const pending of this.pending) {
      yield [pending, next];
      next += pending.accepted;
    }
  }

  /** Timestamps of all duplicates, µs, in the order in which they came; null: there are none. */
  duplicateTimes(): BigInt64Array | null {
    if (this.duplicates === 0) return null;
    const times = new BigInt64Array(this.duplicates);
    let at = 0;
    for (const { duplicateTimes } of this.pending) {
      if (duplicateTimes === null) continue;
      times.set(duplicateTimes, at);
      at += duplicateTimes.length;
    }
    return times;
  }

  /** The receipts to commit with the batch. */
  receipts(
    firstSequence: number,
    store: (claim: ReceiptClaim, receipt: Receipt) => StoredReceipt,
  ): StoredReceipt[] {
    const receipts: StoredReceipt[] = [];
    for (const [pending, first] of this.sequenced(firstSequence)) {
      if (pending.claim) receipts.push(store(pending.claim, receiptOf(pending, first)));
    }
    return receipts;
  }
}

function receiptOf(pending: Pending, first: number): Receipt {
  const { accepted, duplicates, rejected, errors } = pending;
  const last = first + accepted - 1;
  const sequences =
    accepted === 0 ? [] : [{ partition: 0, first: String(first), last: String(last) }];
  return { accepted, duplicates, rejected, errors, sequences };
}

/** Gathers answers for one message to the HTTP thread. */
export class AnswerBook {
  #packed: number[] = [];
  #errors: [number, readonly EventError[]][] = [];
  #repeated: [number, string][] = [];
  #failures: [number, FailureMessage][] = [];

  get isEmpty(): boolean {
    return this.#packed.length + this.#repeated.length + this.#failures.length === 0;
  }

  /** `first`: the first sequence, or -1 to answer without sequences. */
  add(pending: Pending, first: number): void {
    const { requestId, accepted, duplicates, rejected, errors } = pending;
    const last = first < 0 ? -1 : first + accepted - 1;
    this.#packed.push(requestId, accepted, duplicates, rejected, first, last);
    if (errors.length > 0) this.#errors.push([requestId, errors]);
  }

  repeat(requestId: number, receipt: string): void {
    this.#repeated.push([requestId, receipt]);
  }

  fail(requestId: number, failure: FailureMessage): void {
    this.#failures.push([requestId, failure]);
  }

  take(): Answers {
    const answers = {
      packed: Float64Array.from(this.#packed),
      errors: this.#errors,
      repeated: this.#repeated,
      failures: this.#failures,
    };
    this.#packed = [];
    this.#errors = [];
    this.#repeated = [];
    this.#failures = [];
    return answers;
  }
}

/**
 * Calls `each` with every answer of a message. `sequences` is missing where the body was answered before its
 * flush. A plain loop: it runs for every request.
 */
export function unpackAnswers(
  { packed, errors, repeated }: Answers,
  each: (requestId: number, receipt: Receipt) => void,
): void {
  const errorsOf = errors.length > 0 ? new Map(errors) : null;
  const word = (at: number): number => packed[at] as number;
  for (let at = 0; at < packed.length; at += ANSWER_WORDS) {
    const requestId = word(at);
    const accepted = word(at + 1);
    const first = word(at + 4);
    const counts = {
      accepted,
      duplicates: word(at + 2),
      rejected: word(at + 3),
      errors: errorsOf?.get(requestId) ?? [],
    };
    if (first < 0) each(requestId, counts);
    else if (accepted === 0) each(requestId, { ...counts, sequences: [] });
    else {
      const range = { partition: 0, first: String(first), last: String(word(at + 5)) };
      each(requestId, { ...counts, sequences: [range] });
    }
  }
  for (const [requestId, receipt] of repeated) each(requestId, JSON.parse(receipt) as Receipt);
}
