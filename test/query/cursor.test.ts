import { describe, expect, test } from "vitest";
import { type Cursor, decodeCursor, encodeCursor } from "../../src/query/events/cursor.ts";

const cursor: Cursor = {
  order: "desc",
  asOf: 2n ** 62n,
  timeUs: -62_135_596_800_000_000n,
  sequence: 9_007_199_254_740_993n,
};

describe("cursors", () => {
  test("come back as they were", () => {
    expect(decodeCursor(encodeCursor(cursor), "desc")).toEqual(cursor);
    expect(encodeCursor(cursor)).toMatch(/^[\w-]+$/);
  });

  test("of another order, version or length are refused with the reason", () => {
    const text = encodeCursor(cursor);
    const refused = (given: string, message: RegExp): void => {
      expect(() => decodeCursor(given, "desc")).toThrow(
        expect.objectContaining({
          code: "invalid_cursor",
          message: expect.stringMatching(message),
        }),
      );
    };
    expect(() => decodeCursor(text, "asc")).toThrow(/of a page in order "desc"/);
    const bytes = Buffer.from(text, "base64url");
    bytes[0] = 2;
    refused(bytes.toString("base64url"), /version 2, want 1/);
    refused(text.slice(0, -4), /not one that an earlier page has given/);
    refused(`${text}!`, /not one/);
    refused("", /not one/);
    bytes[0] = 1;
    bytes[1] = 9;
    refused(bytes.toString("base64url"), /order "9"/);
  });
});
