import { expect, test } from "vitest";
import { at } from "../../src/base/assert.ts";
import * as layout from "../../src/core/layout.ts";
import { storeColumn } from "../../src/storage/column-bytes.ts";
import type { Cell } from "../oracle/encode.ts";
import { mulberry32 } from "../support/random.ts";
import { encode, encodeCore } from "./encode-core.ts";
import { below } from "./shapes.ts";

// The 288-byte benchmark event: what a full segment of them takes in LMDB. Its random ids alone are 16 bytes.

const rows = layout.SEGMENT_ROWS_MAX;
const random = mulberry32(1);
const one = (values: readonly Cell[]) => () => at(values, below(random, values.length));
const decimal = (bound: number) => () => {
  const value = Math.round(random() * bound) / 100;
  return Number.isInteger(value) ? BigInt(value) : value;
};
const hex = () =>
  below(random, 2 ** 32)
    .toString(16)
    .padStart(8, "0");

const columns: Record<string, { lane: number; cell: (row: number) => Cell; bytesMax: number }> = {
  id: { lane: layout.LANE_ID, cell: () => hex() + hex() + hex() + hex(), bytesMax: 16.01 },
  timestamp: {
    lane: layout.LANE_NUMBER,
    cell: (row) => 1_795_435_200_000_000n + BigInt(row >> 1) * 1000n,
    bytesMax: 0.15,
  },
  event_type: text(
    ["page_view", "click", "purchase", "signup", "error", "api_call", "cart", "logout"],
    0.4,
  ),
  source: text(["web", "ios", "android", "api", "worker-1", "worker-2"], 0.4),
  user_id: {
    lane: layout.LANE_STRING,
    cell: () => `user_${below(random, 50_000)}`,
    bytesMax: 2.75,
  },
  session_id: {
    lane: layout.LANE_STRING,
    cell: () => `sess_${below(random, 100_000).toString(36)}`,
    bytesMax: 3.3,
  },
  path: text(
    Array.from({ length: 200 }, (_, i) => `/products/${i}`),
    1.05,
  ),
  country: text(["US", "DE", "FR", "IN", "BR", "JP", "GB"], 0.4),
  duration_ms: { lane: layout.LANE_NUMBER, cell: decimal(100_000), bytesMax: 2.2 },
  status: { lane: layout.LANE_NUMBER, cell: one([200n, 201n, 404n, 500n]), bytesMax: 0.27 },
  amount: { lane: layout.LANE_NUMBER, cell: decimal(10_000), bytesMax: 1.8 },
  mobile: { lane: layout.LANE_BOOLEAN, cell: () => random() < 0.5, bytesMax: 0.14 },
};

function text(values: readonly string[], bytesMax: number) {
  return { lane: layout.LANE_STRING, cell: one(values), bytesMax };
}

test("a full segment of benchmark events takes at most 31 bytes an event", () => {
  const on = encodeCore();
  let total = 0;
  for (const [name, { lane, cell, bytesMax }] of Object.entries(columns)) {
    const cells = Array.from({ length: rows }, (_, row) => cell(row));
    const bytes = storeColumn(encode(on, { lane, cells })).length / rows;
    expect(bytes, name).toBeLessThanOrEqual(bytesMax);
    total += bytes;
  }
  expect(total).toBeLessThanOrEqual(29);
});
