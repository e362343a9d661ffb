import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ReceiptBook, type ReceiptClaim } from "../../src/engine/receipts.ts";
import { Store } from "../../src/storage/store.ts";

const HOUR_MS = 3_600_000;
const receipt = { accepted: 1, duplicates: 0, rejected: 0, errors: [] };

function openStore(): Store {
  const folder = mkdtempSync(join(tmpdir(), "millrace-receipts-"));
  const store = new Store(folder);
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return store;
}

function claimed(book: ReceiptBook, key: string, body: string): ReceiptClaim {
  const known = book.claim(key, Buffer.from(body));
  if (!("claim" in known)) throw new Error(`the answer of ${key} is known`);
  return known.claim;
}

test("a key is in flight until it is released, then its answer is kept until it expires", async () => {
  const store = openStore();
  const book = new ReceiptBook(store, HOUR_MS);
  const first = claimed(book, "key", "body");
  const again = (body: string) => () => book.claim("key", Buffer.from(body));
  for (const body of ["body", "other"]) {
    expect(again(body)).toThrow(
      expect.objectContaining({ code: "idempotency_key_in_flight", status: 409 }),
    );
  }
  await store.commit({ receipts: [book.stored(first, receipt, 1000n)] });
  book.release(first);
  expect(again("body")()).toEqual({ answer: JSON.stringify(receipt) });
  expect(again("other")).toThrow(
    expect.objectContaining({ code: "idempotency_key_reused", status: 422 }),
  );
  // Another book over the same store knows what is stored, as after a restart.
  const later = new ReceiptBook(store, HOUR_MS);
  expect(later.claim("key", Buffer.from("body"))).toEqual({ answer: JSON.stringify(receipt) });
  const endUs = 1000n + BigInt(HOUR_MS) * 1000n;
  expect(await store.expireReceipts(endUs - 1n, 10)).toBe(0);
  expect(await store.expireReceipts(endUs + 1n, 10)).toBe(1);
  expect("claim" in later.claim("key", Buffer.from("other"))).toBe(true);
});

test("a claim that failed is free again, and expiry goes on in parts until all are gone", async () => {
  const store = openStore();
  const book = new ReceiptBook(store, HOUR_MS);
  book.release(claimed(book, "key", "refused"));
  const claims = Array.from({ length: 25 }, (_, i) => claimed(book, `key ${i}`, "body"));
  await store.commit({
    receipts: claims.map((claim, i) => book.stored(claim, receipt, BigInt(i))),
  });
  for (const claim of claims) book.release(claim);
  const endUs = BigInt(HOUR_MS) * 1000n;
  // The oldest first: those of the microseconds 0 to 9, in parts of 4.
  const removed: number[] = [];
  do removed.push(await store.expireReceipts(endUs + 10n, 4));
  while (removed.at(-1) !== 0);
  expect(removed).toEqual([4, 4, 2, 0]);
  expect("claim" in book.claim("key 9", Buffer.from("body"))).toBe(true);
  expect("answer" in book.claim("key 10", Buffer.from("body"))).toBe(true);
});
