import { describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import { region } from "../../src/core/memory.ts";
import { mulberry32 } from "../support/random.ts";
import { readColumns, readHeader, readRows, rowsAsEvents } from "../support/read-batch.ts";
import { bitOf, decode, decodeAlone, decodeCore, finish, receivedAtUs } from "./decode-core.ts";

const eventText = (properties: object, type = "t") =>
  JSON.stringify({ event_type: type, properties });

function column(batch: Uint8Array, path: string) {
  return readColumns(batch).find((candidate) => candidate.path === path);
}

describe("paths that change", () => {
  const core = decodeCore();

  test("keys are foreseen, but never taken for others", () => {
    const random = mulberry32(5);
    const keys = [
      "a",
      "b",
      "ab",
      "event_type",
      "id",
      "source",
      "a_key_of_more_than_sixteen_bytes",
      "a_key_of_more_than_sixteen_bytez",
    ];
    const events = Array.from({ length: 400 }, () => {
      const shuffled = keys.filter(() => random() < 0.6).sort(() => random() - 0.5);
      const inner = Object.fromEntries(shuffled.map((key) => [key, Math.floor(random() * 9)]));
      const event = { event_type: "t", properties: inner, a: { source: 1 }, x: { b: 2 } };
      return random() < 0.5 ? event : Object.fromEntries(Object.entries(event).reverse());
    });
    const { events: rows } = decodeAlone(core, JSON.stringify(events));
    rows.forEach((row, i) => {
      const { event_type, properties, ...rest } = events[i] as {
        event_type: string;
        properties: object;
      };
      expect(row.event_type).toBe(event_type);
      const isFirst = Object.keys(events[i] as object)[0] === "event_type";
      expect(row.properties).toEqual(
        isFirst ? { ...properties, ...rest } : { ...rest, ...properties },
      );
    });
  });

  test("a path that changes its type keeps each value in its lane", () => {
    const values = [1, "x", true, null, [1], 2.5, {}, "y"];
    const { batch, events } = decodeAlone(
      core,
      JSON.stringify(values.map((v) => ({ event_type: "t", v }))),
    );
    expect(events.map((event) => (event.properties as { v: unknown }).v)).toEqual(values);
    const lanes = readColumns(batch).filter(({ path }) => path === "properties.v");
    expect(lanes.map(({ lane }) => lane)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("dictionaries", () => {
  test("nearly unique texts are not interned in the groups after, and equal ones are again later", () => {
    const core = decodeCore();
    const encodings: number[] = [];
    for (let group = 0; group < 20; group++) {
      const events = Array.from({ length: 100 }, (_, i) => ({
        event_type: "t",
        v: group === 0 ? `unique ${i}` : `again ${i % 4}`,
      }));
      const { batch, events: rows } = decodeAlone(core, JSON.stringify(events));
      expect(rows.map((row) => (row.properties as { v: string }).v)).toEqual(
        events.map(({ v }) => v),
      );
      encodings.push(column(batch, "properties.v")?.encoding ?? -1);
    }
    expect(encodings.slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(encodings.slice(-2)).toEqual([1, 1]);
  });

  test("codes are as wide as the dictionary needs", () => {
    const core = decodeCore();
    const widths = [200, 300, 70_000].map((distinct) => {
      core.decoder.begin(receivedAtUs);
      const texts = Array.from(
        { length: Math.min(distinct * 2 + 1, 131_072) },
        (_, i) => `"v${i % distinct}"`,
      );
      for (let i = 0; i < texts.length; i += 50_000) {
        decode(
          core,
          `[${texts
            .slice(i, i + 50_000)
            .map((v) => `{"event_type":${v}}`)
            .join(",")}]`,
        );
      }
      const batch = finish(core);
      const rows = rowsAsEvents(batch);
      expect(rows.length).toBe(texts.length);
      expect(rows.findIndex((row, i) => `"${String(row.event_type)}"` !== texts[i])).toBe(-1);
      return column(batch, "event_type")?.encoding;
    });
    expect(widths).toEqual([1, 2, 4]);
  });

  test("strings that only dropped rows used are left out", () => {
    const core = decodeCore();
    const { batch } = decodeAlone(
      core,
      '[{"event_type":"keep"},{"event_type":"drop","id":5},{"event_type":"keep"}]',
    );
    expect(Buffer.from(batch).includes("drop")).toBe(false);
    expect(column(batch, "event_type")?.dictionary).toEqual(["keep"]);
  });

  test("a text that a duplicate key has replaced is left out", () => {
    const core = decodeCore();
    for (let group = 0; group < 3; group++) {
      const list = Array.from(
        { length: 80 },
        (_, i) => `{"event_type":"t","a":"old ${i}","a":"new ${i}"}`,
      );
      const { batch, events } = decodeAlone(core, `[${list.join(",")}]`);
      expect(Buffer.from(batch).includes("old")).toBe(false);
      expect(events[79]?.properties).toEqual({ a: "new 79" });
    }
  });
});

describe("columns beyond the limit", () => {
  test("go to one json column, and come back under their paths", () => {
    const core = decodeCore({ batchColumnsMax: 10 });
    const events = Array.from({ length: 6 }, (_, i) => ({
      [`k${i}`]: i,
      [`s${i}.x`]: `text "${i}" \n\u0001`,
      nested: { [`n${i}`]: [i, null], b: { [`deep${i}`]: i % 2 === 0 } },
      f: i + 0.5,
      big: 2 ** 60 + i,
    }));
    for (let group = 0; group < 2; group++) {
      const { batch, events: rows } = decodeAlone(
        core,
        `[${events.map((e) => eventText(e)).join(",")}]`,
      );
      expect(rows.map(({ properties }) => properties)).toEqual(
        events.map((event) => ({ ...event, big: expect.anything() })),
      );
      const columns = readColumns(batch);
      expect(columns.length).toBeLessThanOrEqual(10);
      const overflow = columns.find(({ path }) => path === "overflow");
      expect(overflow?.lane).toBe(layout.LANE_JSON);
      const cell = overflow?.cells[5] as { json: string };
      expect(JSON.parse(cell.json)).toMatchObject({ "properties.s5\\.x": events[5]?.["s5.x"] });
    }
  });

  test("keep the last of duplicates", () => {
    const core = decodeCore({ batchColumnsMax: 6 });
    const text =
      '{"event_type":"t","a":1,"b":{"x":1,"y":2},"c":3,"b":{"y":4},"c":{"z":"q"},"c":{"z":"r"}}';
    expect(decodeAlone(core, text, "json-event").events[0]?.properties).toEqual({
      a: 1,
      b: { y: 4 },
      c: { z: "r" },
    });
  });

  test("fixed fields always have theirs", () => {
    const core = decodeCore({ batchColumnsMax: 6 });
    decodeAlone(core, '[{"event_type":"t"}]');
    core.decoder.begin(receivedAtUs);
    decode(
      core,
      '[{"a":1,"b":2,"c":3,"event_type":"t"},{"event_type":"u","source":"s","user_id":"u","session_id":"x"}]',
    );
    expect(rowsAsEvents(finish(core))[1]).toMatchObject({
      source: "s",
      user_id: "u",
      session_id: "x",
    });
  });
});

describe("groups", () => {
  test("bodies gather, refused ones leave nothing, rows that dedup drops are left out", () => {
    const core = decodeCore();
    core.decoder.begin(receivedAtUs);
    expect(decode(core, '[{"event_type":"a","n":1},{"event_type":"b","n":2}]')).toMatchObject({
      rowBegin: 0,
      rowEnd: 2,
    });
    const refused = decode(core, '[{"event_type":"x","n":9,"only":"here"},{"event_type":');
    expect(refused).toMatchObject({ events: 0, rejected: 0 });
    expect(refused.refusal?.code).toBe("body_cut_off");
    const third = decode(
      core,
      '{"event_type":"c","id":"0190a0a0-1111-7222-8333-444455556666"}',
      "json-event",
    );
    expect(third.rowEnd - third.rowBegin).toBe(1);
    core.core.u8[core.decoder.droppedAddress()] = bitOf(
      core.core.u8[core.decoder.droppedAddress()],
      1,
    );
    const batch = finish(core, 77n);
    expect(readHeader(batch)).toMatchObject({ rows: 2, firstSequence: 77n, receivedAtUs });
    expect(rowsAsEvents(batch).map((event) => event.event_type)).toEqual(["a", "c"]);
    expect(readRows(batch).map(({ idMade }) => idMade)).toEqual([true, false]);
    expect(readColumns(batch).map(({ path }) => path)).toEqual(["event_type", "properties.n"]);
  });

  test("an empty group is a batch without rows", () => {
    const core = decodeCore();
    core.decoder.begin(receivedAtUs);
    expect(readHeader(finish(core))).toMatchObject({ rows: 0, columns: 0 });
  });

  test("a body that does not fit beside the others is told from one that never fits", () => {
    const core = decodeCore({ rowsMax: 100 }, 48 << 20);
    const body = `[${Array.from({ length: 60 }, () => '{"event_type":"t"}').join(",")}]`;
    core.decoder.begin(receivedAtUs);
    expect(decode(core, body)).toMatchObject({ refusal: null, groupFull: false });
    expect(decode(core, body)).toMatchObject({
      refusal: { code: "body_too_large" },
      groupFull: true,
    });
    core.decoder.begin(receivedAtUs);
    expect(decode(core, body).refusal).toBeNull();
    core.decoder.begin(receivedAtUs);
    expect(decode(core, `${body.slice(0, -1)},${body.slice(1)}`).groupFull).toBe(false);
  });

  test("memory that runs out refuses the body and nothing else", () => {
    const core = decodeCore({}, 24 << 20);
    const row = (i: number) => eventText({ v: `${i} ${"x".repeat(2000)}` });
    const body = `[${Array.from({ length: 6000 }, (_, i) => row(i)).join(",")}]`;
    for (let group = 0; group < 3; group++) {
      core.decoder.begin(receivedAtUs);
      decode(core, `[${row(1)}]`);
      expect(decode(core, body)).toMatchObject({
        refusal: { code: "body_too_large", status: 413 },
        groupFull: true,
      });
      expect(rowsAsEvents(finish(core)).length).toBe(1);
    }
  });

  test("ever new paths and texts wear the schema out, and it begins anew", () => {
    const core = decodeCore({}, 24 << 20);
    for (let group = 0; group < 60; group++) {
      const events = Array.from({ length: 20 }, (_, i) =>
        Object.fromEntries(Array.from({ length: 80 }, (__, k) => [`path ${group} ${i} ${k}`, k])),
      );
      const { body, events: rows } = decodeAlone(
        core,
        `[${events.map((e) => eventText(e)).join(",")}]`,
      );
      expect(body.refusal?.message).toBeUndefined();
      expect(rows.map(({ properties }) => properties)).toEqual(events);
    }
  });

  test("the decoder writes to its own region alone", () => {
    const core = decodeCore({ batchColumnsMax: 20 }, 24 << 20);
    const { base, size } = region(core.core.memory, layout.REGION_DECODER);
    const { u8 } = core.core;
    u8.fill(0x5a, base - 4096, base).fill(0x5a, base + size, base + size + 4096);
    for (let group = 0; group < 5; group++) {
      core.decoder.begin(receivedAtUs);
      for (let i = 0; i < 30; i++) {
        const list = Array.from({ length: 40 }, (_, k) => `\\u00e9 ${i} ${k}`);
        const row = eventText({
          [`k${group} ${i}`]: { list, text: "x".repeat(1500), [`f${i}`]: i / 7 },
        });
        decode(core, `[${Array.from({ length: 300 }, () => row).join(",")}]`);
      }
    }
    expect(u8.subarray(base - 4096, base).every((byte) => byte === 0x5a)).toBe(true);
    expect(u8.subarray(base + size, base + size + 4096).every((byte) => byte === 0x5a)).toBe(true);
  });

  test("a batch needs the capacity that it says", () => {
    const core = decodeCore();
    core.decoder.begin(receivedAtUs);
    decode(
      core,
      `[${Array.from({ length: 50 }, (_, i) => eventText({ a: `v${i}`, b: i })).join(",")}]`,
    );
    const most = core.decoder.batchBytesMax();
    const length = core.decoder.finish(core.out, most, 1n);
    expect(length).toBeGreaterThan(0);
    expect(core.decoder.finish(core.out, length + 50 * 8 - 16, 1n)).toBe(0);
    for (let capacity = 0; capacity < length; capacity += 64) {
      expect(core.decoder.finish(core.out, capacity, 1n)).toBe(0);
    }
  });

  test("equal content gives equal bytes, whatever came before", () => {
    const body =
      '[{"event_type":"b","z":1,"a":"x"},{"event_type":"a","id":"0190a0a0-1111-7222-8333-444455556666"}]';
    const one = decodeCore();
    const other = decodeCore();
    decodeAlone(other, '[{"q":[1],"a":5,"event_type":"zz"}]');
    const ids = (batch: Uint8Array) => readRows(batch).map(({ id }) => id);
    const [first, second] = [decodeAlone(one, body).batch, decodeAlone(other, body).batch];
    expect(ids(first)[1]).toBe(ids(second)[1]);
    // The made id is the one thing that differs.
    const at = new DataView(first.buffer).getUint32(layout.BATCH_IDS, true);
    for (const batch of [first, second]) batch.fill(0, at, at + 16).fill(0, 8, 12);
    expect(first).toEqual(second);
  });
});
