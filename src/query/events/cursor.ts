// Where a reader of pages stands. Opaque to clients; version 1 is 26 bytes in base64url:
//
//   0 version u8 │ 1 order u8 (0 ascending, 1 descending, 2 by sequence)
//   2 as of i64 │ 10 time i64 µs │ 18 sequence i64
//
// Ascending and descending: the page goes on after the row of this time and sequence, among the rows below
// `as of`, which the first page has fixed. By sequence: it goes on with this sequence; the others are 0.

import { InputError } from "../../errors.ts";

export type PageOrder = "asc" | "desc" | "sequence";

export interface Cursor {
  readonly order: PageOrder;
  readonly asOf: bigint;
  readonly timeUs: bigint;
  readonly sequence: bigint;
}

const version = 1;
const size = 26;
const orders: readonly PageOrder[] = ["asc", "desc", "sequence"];

export function encodeCursor(cursor: Cursor): string {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt8(version, 0);
  bytes.writeUInt8(orders.indexOf(cursor.order), 1);
  bytes.writeBigInt64LE(cursor.asOf, 2);
  bytes.writeBigInt64LE(cursor.timeUs, 10);
  bytes.writeBigInt64LE(cursor.sequence, 18);
  return bytes.toString("base64url");
}

/** @throws InputError `invalid_cursor` when `text` is not a cursor of this order. */
export function decodeCursor(text: string, order: PageOrder): Cursor {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length !== size || bytes.toString("base64url") !== text) {
    throw new InputError("invalid_cursor", "the cursor is not one that an earlier page has given");
  }
  if (bytes[0] !== version) {
    throw new InputError("invalid_cursor", `the cursor has version ${bytes[0]}, want ${version}`);
  }
  const given = orders[bytes[1] as number];
  if (given !== order) {
    throw new InputError(
      "invalid_cursor",
      `the cursor is of a page in order "${given ?? bytes[1]}", and this one is in order "${order}"`,
    );
  }
  return {
    order,
    asOf: bytes.readBigInt64LE(2),
    timeUs: bytes.readBigInt64LE(10),
    sequence: bytes.readBigInt64LE(18),
  };
}
