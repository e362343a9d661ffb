import { createHash } from "node:crypto";
import { InputError } from "../errors.ts";
import type { Store, StoredReceipt } from "../storage/store.ts";
import type { Receipt } from "./ingest.ts";

/** A key that a request claims until its batch is flushed. */
export interface ReceiptClaim {
  readonly key: Uint8Array;
  readonly bodyHash: Uint8Array;
}

/**
 * Idempotency keys: a receipt commits with its batch, so a client that did not get the answer may send the
 * same body again under the same key and gets the same answer, also after a crash.
 */
export class ReceiptBook {
  readonly #store: Store;
  readonly #retentionUs: bigint;
  readonly #inFlight = new Set<string>();

  constructor(store: Store, retentionMs: number) {
    this.#store = store;
    this.#retentionUs = BigInt(retentionMs) * 1000n;
  }

  /**
   * Looks `key` up: the kept answer for the same body, or a claim for a new one.
   *
   * @throws InputError 422 when the key was used for another body, 409 while its first use is in flight
   */
  claim(key: string, body: Uint8Array): { answer: string } | { claim: ReceiptClaim } {
    const hash = createHash("sha256").update(key).digest().subarray(0, 16);
    const bodyHash = createHash("sha256").update(body).digest();
    const stored = this.#store.receipt(hash);
    if (stored) {
      if (bodyHash.equals(stored.bodyHash)) return { answer: stored.answer };
      const message = `Idempotency-Key "${key}" was used for another body`;
      throw new InputError("idempotency_key_reused", message, {}, 422);
    }
    const id = hash.toString("latin1");
    if (this.#inFlight.has(id)) {
      const message = `Idempotency-Key "${key}": its first request is still in flight`;
      throw new InputError("idempotency_key_in_flight", message, { retryAfterSeconds: 1 }, 409);
    }
    this.#inFlight.add(id);
    return { claim: { key: hash, bodyHash } };
  }

  /** What to commit with the batch. */
  stored(claim: ReceiptClaim, receipt: Receipt, nowUs: bigint): StoredReceipt {
    const answer = JSON.stringify(receipt);
    return { ...claim, answer, expiresAtUs: nowUs + this.#retentionUs };
  }

  /** The batch is flushed, or was refused: the key is not in flight any more. */
  release(claim: ReceiptClaim): void {
    this.#inFlight.delete(Buffer.from(claim.key).toString("latin1"));
  }
}
