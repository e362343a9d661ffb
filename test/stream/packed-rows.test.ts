// Windows come out of a message as they went in, JSON among them.

import { expect, test } from "vitest";
import { JsonText } from "../../src/query/result.ts";
import type { StoredGroup } from "../../src/rollup/store.ts";
import type { FromStream } from "../../src/stream/messages.ts";
import {
  packFinal,
  packMessage,
  packRows,
  pieceWithin,
  unpackMessage,
  unpackRows,
} from "../../src/stream/packed-rows.ts";
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
  {
    type: "answer",
    id: 4,
    answer: { type: "watch", rows, asOf: 9n, lost: { finalAt: 4n, endUs: -5n } },
  },
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

test("pieces of rows, final ones in shared memory, come out as one list", () => {
  const windows = Array.from({ length: 20 }, (_, i): StoredGroup => {
    const ledger = { count: i, late: i + 1, revised: 2, tooLate: 3, duplicate: 4, revision: i * 2 };
    const startUs = BigInt(i * 60);
    const partial = new Uint8Array(0);
    return { groupId: 1, startUs, endUs: startUs + 60n, finalAt: BigInt(i), ...ledger, partial };
  });
  const values = windows.map((_, i) => [i / 2, i < 10 ? null : new JsonText(`${i}`)]);
  const final = [
    packFinal(windows, values, [0, 13], web, false),
    packFinal(windows, values, [13, 20], web, false),
  ];
  expect(final.every(({ columns }) => columns instanceof SharedArrayBuffer)).toBe(true);
  const pieces = final.map((one) => pieceWithin(one, 125n, 1140n));
  pieces.push({ rows: packRows(rows), first: 1, end: 3 });
  const want = windows.slice(2, 19).map(({ finalAt, groupId: _, partial: __, ...window }, i) => ({
    ...window,
    group: web,
    other: false,
    values: values[i + 2] as WindowRow["values"],
    state: "final",
    changedAt: finalAt,
  }));
  const answer = { rows: [], packed: pieces, more: false, asOf: 9n, executionUs: 5 };
  const got = sent({ type: "answer", id: 4, answer: { type: "windows", answer } });
  expect(got).toMatchObject({ answer: { answer: { rows: [...want, ...rows.slice(1, 3)] } } });
  expect(unpackRows(pieces)).toEqual([...want, ...rows.slice(1, 3)]);
});
