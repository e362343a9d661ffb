import { expect, it } from "vitest";
import { bodyTooLarge, isFault, problemFrom } from "../../src/api/problem.ts";
import { CorruptionError, DiskFullError, InputError, OverloadError } from "../../src/errors.ts";

it("a body that is too large says what was wanted, and what was got when that is known", () => {
  expect(bodyTooLarge(10, 11).message).toBe("got a body of 11 bytes, want at most 10");
  expect(bodyTooLarge(10).message).toBe(
    "got a body of more than 10 bytes, want at most so many, decompressed",
  );
});

it.each([
  [new Error("a bug"), 500, true],
  [new CorruptionError("column_corrupt", "x"), 500, true],
  [new DiskFullError("disk_full", "x"), 507, false],
  [new OverloadError("not_ready", "x", 1, 503), 503, false],
  [new OverloadError("queue_full", "x", 1), 429, false],
  [new InputError("not_implemented", "x", {}, 501), 501, false],
  [new InputError("invalid_query", "x"), 400, false],
])("%s is a %i; the log tells of it as a fault: %s", (error, status, fault) => {
  const problem = problemFrom(error);
  expect(problem.status).toBe(status);
  expect(isFault(problem)).toBe(fault);
});
