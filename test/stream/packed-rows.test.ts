// Windows come out of a message as they went in, JSON among them.

import { expect, test } from "vitest";
import { JsonText } from "../../src/query/result.ts";
import type { FromStream } from "../../src/stream/messages.ts";
import { packMessage, unpackMessage } from "../../src/stream/packed-rows.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";

const web = ["web", null];
const rows: WindowRow[] = [
  ["early", web, [1, "a", null]],
  ["on_time", web, [2.5, new JsonText('{"a":[1]}'), 2n ** 60n]],
  ["revised", ["shop", new JsonText("[]")], [-0, "b", true]],
  ["final", [null, null], [Number.MAX_SAFE_INTEGER, "c", 5]],
].map(
  ([state, group, values], i): WindowRow => ({
    startUs: BigInt(i) - 2n,
    endUs: BigInt(i) + 2n ** 60n,
    group: group as WindowRow["group"],
    other: i === 3,
    values: values as WindowRow["values"],
    count: i + 1,
    late: i,
    revised: i * 2,
    tooLate: i * 3,
    duplicate: i * 4,
    revision: i * 5,
    state: state as WindowRow["state"],
    changedAt: BigInt(i) * 7n,
    ...(i === 2 && { replaces: [1n, -5n] }),
  }),
);

function sent(message: FromStream): FromStream {
  return unpackMessage(structuredClone(packMessage(message)));
}

test.each<FromStream>([
  { type: "updates", rule: 3, rows, asOf: 9n },
  { type: "updates", rule: 3, rows: [], asOf: 9n },
  { type: "answer", id: 4, answer: { type: "watch", rows, asOf: 9n } },
  {
    type: "answer",
    id: 4,
    answer: { type: "windows", answer: { rows, more: true, asOf: 9n, executionUs: 5 } },
  },
  { type: "warning", message: "no rows here" },
])("%#", (message) => {
  const got = sent(message);
  expect(got).toEqual(message);
  const json = JSON.stringify(got, (_, value: unknown) =>
    value instanceof JsonText ? value.text : typeof value === "bigint" ? `${value}` : value,
  );
  if (json.includes("revised")) expect(json).toContain('"{\\"a\\":[1]}"');
});

test("the answer of a rollup has its JSON again", () => {
  const result = {
    columns: [{ name: "j", type: "json" as const }],
    rows: [[new JsonText("[1]")]],
    asOf: "1",
    stats: {
      rowsScanned: 0,
      rowsMatched: 0,
      segmentsScanned: 0,
      segmentsPruned: 0,
      executionUs: 1,
    },
  };
  const got = sent({
    type: "answer",
    id: 1,
    answer: { type: "rollup", result, part: null, why: "" },
  });
  expect(got).toMatchObject({ answer: { result: { rows: [[{ text: "[1]" }]] } } });
  const { answer } = got as Extract<FromStream, { type: "answer" }>;
  expect((answer as unknown as { result: typeof result }).result.rows[0]?.[0]).toBeInstanceOf(
    JsonText,
  );
});
