import { describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import { ColumnCache } from "../../src/storage/column-cache.ts";
import type { SealedSegment } from "../../src/storage/segment.ts";
import { hashText, isTextFilter, mayHaveText } from "../../src/storage/text-filter.ts";
import { pick } from "../support/made-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { Sealing } from "../support/sealed-segments.ts";

const sealing = new Sealing(32, 64);
const ROWS = 20_000;
const utf8 = new TextEncoder();

/** A segment with one text column. */
function sealTexts(text: (row: number) => string | undefined, rows = ROWS): SealedSegment {
  const batch = Array.from({ length: rows }, (_, i) => {
    const value = text(i);
    const cells = new Map([["event_type", "t"]]);
    if (value !== undefined) cells.set("user_id", value);
    const id = Buffer.alloc(16);
    id.writeUInt32BE(i);
    return { id, timestampUs: BigInt(i), cells };
  });
  return sealing.seal(3, 1n, [{ rows: batch }]);
}

function filterOf({ meta, filters = [] }: SealedSegment): Uint8Array | null | undefined {
  return filters[meta.columns.findIndex(({ path }) => path === "user_id")];
}

test("the hash is that of the core, for every length, seed 1", () => {
  const random = mulberry32(1);
  const { core, cache } = sealing;
  for (let length = 0; length < 200; length++) {
    const text = Uint8Array.from({ length }, () => pick(random, 256));
    core.u8.fill(0xee, cache.base, cache.base + 512);
    core.u8.set(text, cache.base);
    const hash = core.exports.hashBytes?.(cache.base, length) as bigint;
    expect(hashText(text), `${length} bytes`).toBe(BigInt.asUintN(64, hash));
  }
});

describe("a filter", () => {
  test("knows every text, and few others, seed 2", () => {
    const random = mulberry32(2);
    const texts = Array.from({ length: ROWS }, (_, i) => `s${i}-${pick(random, 1e9)}-größe`);
    const filter = filterOf(sealTexts((row) => (row % 7 === 0 ? undefined : texts[row])));
    expect(filter).toBeTruthy();
    if (!filter) return;
    expect(isTextFilter(filter)).toBe(true);
    texts.forEach((text, row) => {
      if (row % 7 !== 0) expect(mayHaveText(filter, utf8.encode(text)), text).toBe(true);
    });
    let wrong = 0;
    for (let i = 0; i < 20_000; i++) {
      if (mayHaveText(filter, utf8.encode(`other ${i}`))) wrong++;
    }
    expect(wrong / 20_000, "of texts that are not there").toBeLessThan(0.04);
  });

  test("is made where segments are likely to differ, and where it is small beside its column", () => {
    const random = mulberry32(3);
    const word = () => `user ${pick(random, 1e12).toString(36)}`;
    const population = Array.from({ length: 3000 }, word);
    const cases: [string, (row: number) => string, boolean][] = [
      ["all different", word, true],
      [
        "sessions of 10 rows",
        (row) => `session ${Math.floor(row / 10) * 7919}-${row % 3 && 1}`,
        true,
      ],
      [
        "3,000 users, all of them in each half",
        () => population[pick(random, 3000)] as string,
        false,
      ],
      ["100,000 users, most of them once", () => `user ${pick(random, 100_000)}`, true],
      ["few texts", (row) => `text ${row % 900}`, false],
      ["in order, so that the zone tells", (row) => `row ${String(row).padStart(9, "0")}`, false],
    ];
    for (const [name, text, made] of cases) {
      const sealed = sealTexts(text);
      expect(!!filterOf(sealed), name).toBe(made);
      const column = sealed.meta.columns.find(({ path }) => path === "user_id");
      expect(column?.filterBytes ?? 0, name).toBe(filterOf(sealed)?.length ?? 0);
      if (made)
        expect((column?.filterBytes ?? 0) / (column?.bytes ?? 1)).toBeLessThanOrEqual(1 / 3);
    }
  });

  test("that is damaged or gone says of every text that it may be there", () => {
    const sealed = sealTexts((row) => `user ${row * 7919}`);
    const index = sealed.meta.columns.findIndex(({ path }) => path === "user_id");
    const filter = filterOf(sealed) as Uint8Array;
    const absent = Array.from({ length: 50 }, (_, i) => utf8.encode(`nobody ${i}`));
    const found = (bytes: Uint8Array | undefined) => {
      const cache = new ColumnCache(sealing.core, sealing.cache, {
        column: () => undefined,
        filter: () => bytes,
      });
      return absent.filter((text) => cache.mayHaveText(sealed.meta, index, text)).length;
    };
    expect(found(filter)).toBeLessThan(10);
    expect(found(undefined)).toBe(50);
    for (let bit = 0; bit < 400; bit++) {
      const damaged = filter.slice();
      const at = bit < 256 ? bit >> 3 : (bit * 97) % damaged.length;
      damaged[at] = (damaged[at] as number) ^ (1 << (bit & 7));
      expect(isTextFilter(damaged), `byte ${at}, bit ${bit & 7}`).toBe(false);
      if (bit % 50 === 0) expect(found(damaged)).toBe(50);
    }
    expect(found(filter.subarray(0, 64))).toBe(50);
    expect(layout.LANE_STRING).toBe(sealed.meta.columns[index]?.lane);
  });
});
