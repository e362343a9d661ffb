import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import * as limits from "../../src/limits.ts";
import { absent, readData, reason } from "../support/conformance.ts";
import { readColumns, readRows } from "../support/read-batch.ts";
import { cellsOf, decode, decodeAlone, decodeCore, finish, receivedAtUs } from "./decode-core.ts";
import * as pack from "./msgpack-writer.ts";

const core = decodeCore();
const bytesOf = (bytes: pack.Bytes) => Uint8Array.from(bytes);

/** The cells under properties.v of the events in a body, which is taken whole. */
function cellsIn(body: Uint8Array): unknown[] {
  const { body: decoded, batch } = decodeAlone(core, body, "msgpack-batch");
  expect(decoded.refusal?.message).toBeUndefined();
  expect(decoded.errors).toEqual([]);
  const columns = readColumns(batch);
  return readRows(batch).map((_, row) => {
    const cells = cellsOf(columns, row);
    expect(cells.get("event_type")).toBe("t");
    return cells.get("properties.v");
  });
}

const cellOf = (value: pack.Bytes) => cellsIn(bytesOf(pack.eventWith(value)))[0];

function errorOf(value: pack.Bytes): string | undefined {
  const body = pack.array([
    pack.eventWith(pack.nil),
    pack.eventWith(value),
    pack.eventWith(pack.nil),
  ]);
  const { body: decoded, events } = decodeAlone(core, bytesOf(body), "msgpack-batch");
  expect(decoded.refusal?.message).toBeUndefined();
  expect(decoded.rejected).toBe(decoded.errors.length);
  expect(events.length).toBe(3 - decoded.rejected);
  for (const { index } of decoded.errors) expect(index).toBe(1);
  return decoded.errors[0]?.code;
}

function refusalOf(body: pack.Bytes, format: "msgpack-batch" | "msgpack-event" = "msgpack-batch") {
  core.decoder.begin(receivedAtUs);
  const { refusal, events, rejected } = decode(core, bytesOf(body), format);
  expect([events, rejected]).toEqual(refusal === null ? [events, rejected] : [0, 0]);
  expect(core.decoder.keptRows()).toBe(refusal === null ? events - rejected : 0);
  return refusal === null ? null : [refusal.code, refusal.detail.byteOffset];
}

describe("what becomes of each type", () => {
  test("numbers: one value whatever the encoding", () => {
    for (const value of [0n, 1n, -1n, 127n, 128n, -32n, -33n, 65_535n, 2n ** 31n, -(2n ** 63n)]) {
      for (const bytes of pack.integers(value)) expect(cellOf(bytes)).toBe(value);
      if (Math.abs(Number(value)) < 2 ** 24)
        expect(cellOf(pack.float32(Number(value)))).toBe(value);
      expect(cellOf(pack.float64(Number(value)))).toBe(value);
    }
    expect(cellOf(pack.integer(2n ** 63n - 1n))).toBe(2n ** 63n - 1n);
    expect(cellOf(pack.integer(2n ** 63n))).toBe(2 ** 63);
    expect(cellOf(pack.integer(2n ** 64n - 1n))).toBe(2 ** 64);
    expect(cellOf(pack.float64(2 ** 60))).toBe(2n ** 60n);
    expect(cellOf(pack.float64(2 ** 63))).toBe(2 ** 63);
    expect(cellOf(pack.float64(0.1))).toBe(0.1);
    expect(cellOf(pack.float32(0.1))).toBe(Math.fround(0.1));
    expect(cellOf(pack.float64(-0))).toBe(-0);
    expect(cellOf(pack.float32(-0))).toBe(-0);
    expect(cellOf(pack.float64(5e-324))).toBe(5e-324);
  });

  test("nil, bool, str, bin, empty containers", () => {
    expect(cellOf(pack.nil)).toBe(null);
    expect(cellOf(pack.bool(true))).toBe(true);
    expect(cellOf(pack.bool(false))).toBe(false);
    for (const text of ["", "a", "é".repeat(20), "x".repeat(31), "x".repeat(32), "ж".repeat(300)]) {
      const bytes = [...new TextEncoder().encode(text)];
      for (const head of pack.stringHeads(bytes.length)) {
        expect(cellOf([...head, ...bytes])).toBe(text);
      }
    }
    for (let size = 0; size < 8; size++) {
      const data = Array.from({ length: size }, (_, i) => (i * 91 + 250) & 255);
      for (const head of pack.binaryHeads(size)) {
        expect(cellOf([...head, ...data])).toBe(Buffer.from(data).toString("base64"));
      }
    }
    for (const head of pack.mapHeads(0)) expect(cellOf([...head])).toEqual({ json: "{}" });
    for (const head of pack.arrayHeads(0)) expect(cellOf([...head])).toEqual({ json: "[]" });
  });

  test("arrays are compact JSON, with everything that can be in them", () => {
    const items = [
      pack.nil,
      pack.bool(true),
      pack.integer(-5),
      pack.integer(2n ** 64n - 1n),
      pack.float64(1),
      pack.float64(1.5),
      pack.float64(-0),
      pack.string('a"b\\\u0001\n€'),
      pack.binary([1, 2, 3, 4]),
      pack.extension(7, [9]),
      pack.extension(-1, [0, 0, 0, 1]),
      pack.array([pack.array([])]),
      pack.map([
        [pack.string("k"), pack.integer(1)],
        [pack.string("k"), pack.map([])],
      ]),
    ];
    expect(cellOf(pack.array(items))).toEqual({
      json:
        '[null,true,-5,18446744073709552000,1,1.5,-0,"a\\"b\\\\\\u0001\\n€","AQIDBA==",' +
        '{"ext":7,"data":"CQ=="},"1970-01-01T00:00:01Z",[[]],{"k":1,"k":{}}]',
    });
  });

  test("extensions: times as text, others as they are", () => {
    const at = (seconds: bigint, nanoseconds: number) => [
      ...pack
        .integers(BigInt(nanoseconds) + 2n ** 31n)
        .at(-1)!
        .slice(-4)
        .map((b, i) => (i ? b : b & 0x7f)),
      ...pack.integers(seconds).at(-1)!.slice(1),
    ];
    const times: [bigint, number, string][] = [
      [0n, 0, "1970-01-01T00:00:00Z"],
      [1_795_435_200n, 1, "2026-11-23T12:00:00.000000001Z"],
      [1_709_164_800n, 120_000_000, "2024-02-29T00:00:00.120Z"],
      [-1n, 500_000, "1969-12-31T23:59:59.000500Z"],
      [-62_135_596_800n, 0, "0001-01-01T00:00:00Z"],
      [253_402_300_799n, 999_999_999, "9999-12-31T23:59:59.999999999Z"],
    ];
    for (const [seconds, nanoseconds, text] of times) {
      expect(cellOf(pack.extension(-1, at(seconds, nanoseconds)))).toBe(text);
    }
    expect(cellOf(pack.extension(-1, [0xff, 0xff, 0xff, 0xff]))).toBe("2106-02-07T06:28:15Z");
    for (const [type, data] of [
      [-1, at(253_402_300_800n, 0)],
      [-1, at(0n, 1_000_000_000)],
      [-1, [1, 2, 3]],
      [5, []],
      [-128, [1, 2, 3, 4]],
    ] as [number, pack.Bytes][]) {
      const json = `{"ext":${type},"data":"${Buffer.from(data).toString("base64")}"}`;
      for (const head of pack.extensionHeads(data.length, type)) {
        expect(cellOf([...head, ...data])).toEqual({ json });
      }
    }
  });

  test("the timestamp field takes ext, text and numbers; a time too far away is out of range", () => {
    const timed = (value: pack.Bytes) => {
      const pairs: [pack.Bytes, pack.Bytes][] = [
        [pack.string("event_type"), pack.string("t")],
        [pack.string("timestamp"), value],
      ];
      const { body, batch } = decodeAlone(core, bytesOf(pack.map(pairs)), "msgpack-event");
      return body.errors[0]?.code ?? readRows(batch)[0]?.timestampUs;
    };
    const at = 1_795_420_740_123_456n;
    const date = new Date(Number(at / 1000n));
    expect(timed([...encode(date)])).toBe((at / 1000n) * 1000n);
    expect(timed(pack.string("2026-11-23T07:59:00.123456Z"))).toBe(at);
    expect(timed(pack.integer(at))).toBe(at);
    expect(timed(pack.float64(Number(at / 1000n) / 1000))).toBe((at / 1000n) * 1000n);
    expect(timed(pack.extension(-1, [0, 0, 0, 0, ...Array(7).fill(127), 0]))).toBe(
      "timestamp_range",
    );
    expect(timed(pack.extension(3, [0, 0, 0, 0]))).toBe("field_type");
    expect(timed(pack.string("2026-11-23T07:59:00"))).toBe("timestamp_zone");
    expect(timed(pack.nil)).toBe(receivedAtUs);
  });
});

describe("one bad event is rejected alone", () => {
  test("numbers that are not finite, wherever they are", () => {
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      for (const bytes of [pack.float64(value), pack.float32(value)]) {
        expect(errorOf(bytes)).toBe("number_range");
        expect(errorOf(pack.array([pack.array([bytes]), pack.array([])]))).toBe("number_range");
        expect(errorOf(pack.map([[pack.string("k"), bytes]]))).toBe("number_range");
      }
    }
  });

  test("keys that are no text, keys and texts that are too long, too deep, too large", () => {
    for (const key of [pack.integer(1), pack.nil, pack.binary([1]), pack.array([]), pack.map([])]) {
      const value = pack.map([
        [pack.string("a"), pack.integer(1)],
        [key, pack.array([pack.integer(1)])],
        [pack.string("b"), pack.integer(2)],
      ]);
      expect(errorOf(value)).toBe("key_type");
      expect(errorOf(pack.array([value]))).toBe("key_type");
    }
    const long = pack.string("k".repeat(limits.keyBytesMax + 1));
    expect(errorOf(pack.map([[long, pack.nil]]))).toBe("key_too_long");
    expect(errorOf(pack.array([pack.map([[long, pack.nil]])]))).toBe("key_too_long");
    expect(errorOf(pack.string("v".repeat(limits.stringBytesMax)))).toBeUndefined();
    expect(errorOf(pack.string("v".repeat(limits.stringBytesMax + 1)))).toBe("string_too_long");
    expect(errorOf(pack.binary(Array<number>(200_000).fill(7)))).toBe("string_too_long");
    const nested = (levels: number, inMap: boolean) => {
      let value = pack.nil;
      for (let i = 0; i < levels; i++) {
        value = inMap ? pack.map([[pack.string("d"), value]]) : pack.array([value]);
      }
      return value;
    };
    for (const inMap of [false, true]) {
      expect(errorOf(nested(limits.eventDepthMax - 2, inMap))).toBeUndefined();
      expect(errorOf(nested(limits.eventDepthMax - 1, inMap))).toBe("event_too_deep");
      expect(errorOf(nested(900, inMap))).toBe("event_too_deep");
    }
    const wide = Array.from({ length: 6 }, () => pack.string("w".repeat(200_000)));
    expect(errorOf(pack.array(wide))).toBe("event_too_large");
  });

  test("events that are none, and fixed fields of another type", () => {
    const events = [pack.integer(1), pack.string("x"), pack.nil, pack.array([]), pack.map([])];
    const typed = (key: string, value: pack.Bytes) =>
      pack.map([
        [pack.string(key), value],
        [pack.string("event_type"), pack.string("t")],
      ]);
    const wrong = [
      typed("source", pack.map([[pack.integer(1), pack.float64(Number.NaN)]])),
      typed("user_id", pack.integer(5)),
      typed("properties", pack.array([])),
      typed("properties", pack.map([])),
    ];
    const { body, events: kept } = decodeAlone(
      core,
      bytesOf(pack.array([...events, ...wrong])),
      "msgpack-batch",
    );
    expect(body.errors.map(({ index, code }) => [index, code])).toEqual([
      [0, "not_an_object"],
      [1, "not_an_object"],
      [2, "not_an_object"],
      [3, "not_an_object"],
      [4, "event_type_missing"],
      [5, "field_type"],
      [6, "field_type"],
      [7, "properties_type"],
    ]);
    expect(kept.length).toBe(1);
    expect(body.rowEnd - body.rowBegin).toBe(9);
  });
});

describe("a body is refused whole", () => {
  const event = pack.eventWith(pack.integer(1));

  test("with the offset of what is wrong, even inside an event that is rejected", () => {
    const half = event.length;
    expect(refusalOf([])).toEqual(["empty_body", 0]);
    expect(refusalOf([0xc1])).toEqual(["invalid_type_byte", 0]);
    expect(refusalOf([...event, 0xc1])).toEqual(["invalid_type_byte", half]);
    expect(refusalOf([...event, 0x05])).toEqual(["not_events", half]);
    expect(refusalOf(pack.string("event"))).toEqual(["not_events", 0]);
    expect(refusalOf([...event, ...event], "msgpack-event")).toEqual(["trailing_bytes", half]);
    expect(refusalOf(pack.array([event]), "msgpack-event")).toEqual(["not_events", 0]);
    const bad = [0xa3, 0x61, 0xff, 0x62];
    for (const wrap of [
      (value: pack.Bytes) => value,
      (value: pack.Bytes) => pack.array([value]),
      (value: pack.Bytes) => pack.map([[pack.integer(1), value]]),
    ]) {
      const body = pack.array([event, pack.eventWith(wrap(bad))]);
      expect(refusalOf(body)).toEqual(["invalid_utf8", body.length - 2]);
    }
    const key = pack.array([pack.map([[bad, pack.nil]])]);
    expect(refusalOf(key)).toEqual(["invalid_utf8", 4]);
    const deep = [...Array<number>(1100).fill(0x91), 0xc0];
    expect(refusalOf(pack.array([pack.eventWith(deep)]))?.[0]).toBe("body_too_deep");
  });

  test("claims of more than there is cost nothing", () => {
    for (const head of [
      [0xdb, 0xff, 0xff, 0xff, 0xff],
      [0xc6, 0xff, 0xff, 0xff, 0xff],
      [0xc9, 0xff, 0xff, 0xff, 0xff, 1],
      [0xdd, 0xff, 0xff, 0xff, 0xff],
      [0xdf, 0xff, 0xff, 0xff, 0xff],
      [0xdf, 0x80, 0x00, 0x00, 0x00],
    ]) {
      const body = [...pack.eventWith(head), ...event];
      expect(refusalOf(body)).toEqual(["body_cut_off", body.length]);
      expect(refusalOf([...head, ...event])?.[0]).toBe("body_cut_off");
    }
  });

  test("every strict prefix of an event, an array and an envelope is cut off", () => {
    const everything = pack.map([
      [pack.string("event_type"), pack.string("t")],
      [pack.string("timestamp"), pack.string("2026-11-23T07:59:00Z")],
      [pack.string("id"), pack.string("0190a0a0-1111-7222-8333-444455556666")],
      [
        pack.string("properties"),
        pack.map([
          [pack.string("i"), pack.integer(1_000_000)],
          [pack.string("f"), pack.float64(0.5)],
          [pack.string("g"), pack.float32(0.5)],
          [pack.string("s"), pack.string("text of some more than thirty-two bytes, é")],
          [pack.string("b"), pack.binary([1, 2, 3])],
          [pack.string("e"), pack.extension(4, [1, 2, 3])],
          [
            pack.string("a"),
            pack.array([pack.integer(300), pack.map([[pack.string("k"), pack.nil]])]),
          ],
        ]),
      ],
    ]);
    for (const body of [
      everything,
      pack.array([everything, everything]),
      pack.map([[pack.string("events"), pack.array([everything])]]),
    ]) {
      for (const warm of [false, true]) {
        if (warm) decodeAlone(core, bytesOf(body), "msgpack-batch");
        expect(refusalOf(body)).toBeNull();
        for (let length = 1; length < body.length; length++) {
          expect(refusalOf(body.slice(0, length)), `${length}`).toEqual(["body_cut_off", length]);
        }
      }
    }
  });
});

test("lists: an array, a stream of maps and arrays, an envelope", () => {
  const one = pack.eventWith(pack.integer(1));
  const two = pack.eventWith(pack.integer(2));
  const events = pack.string("events");
  expect(cellsIn(bytesOf(one))).toEqual([1n]);
  expect(cellsIn(bytesOf([...one, ...two, ...one]))).toEqual([1n, 2n, 1n]);
  expect(cellsIn(bytesOf(pack.array([one, two])))).toEqual([1n, 2n]);
  expect(cellsIn(bytesOf([...pack.array([one, two]), ...two, ...pack.array([])]))).toEqual([
    1n,
    2n,
    2n,
  ]);
  expect(cellsIn(bytesOf(pack.map([[events, pack.array([one, two])]])))).toEqual([1n, 2n]);
  const envelope = pack.map([[events, pack.array([one])]]);
  expect(refusalOf([...envelope, ...one])).toEqual(["trailing_bytes", envelope.length]);
  const list = pack.array([one]);
  expect(
    refusalOf(
      pack.map([
        [events, list],
        [events, list],
      ]),
    )?.[0],
  ).toBe("duplicate_events_key");
  expect(
    refusalOf(
      pack.map([
        [events, list],
        [pack.string("x"), pack.nil],
      ]),
    )?.[0],
  ).toBe("not_events");
  // With an event type it is an event that happens to have a list of that name.
  const typed = pack.map([
    [events, list],
    [pack.string("event_type"), pack.string("t")],
  ]);
  expect(decodeAlone(core, bytesOf(typed), "msgpack-batch").events).toMatchObject([
    { event_type: "t", properties: { events: [{ event_type: "t" }] } },
  ]);
});

test("an envelope with anything else in it is refused, as in JSON", () => {
  const events = [{ event_type: "t" }];
  const shapes: Record<string, unknown>[] = [
    { events },
    { events, source: "s" },
    { source: "s", events },
    { events, more: events },
    { events, event_type: "t" },
    { events: "none", source: "s" },
    { events: {}, event_type: "t" },
    {},
  ];
  for (const shape of shapes) {
    const packed = decodeAlone(core, encode(shape), "msgpack-batch");
    const written = decodeAlone(core, JSON.stringify(shape), "json-batch");
    const note = JSON.stringify(shape);
    expect(packed.body.refusal?.code, note).toBe(written.body.refusal?.code);
    expect(packed.body.errors.map(({ code }) => code)).toEqual(
      written.body.errors.map(({ code }) => code),
    );
    expect(packed.events.map(({ properties }) => properties)).toEqual(
      written.events.map(({ properties }) => properties),
    );
  }
});

interface Published {
  [type: string]: unknown;
  msgpack: string[];
}

test.skipIf(absent)(`published encodings of one value store one value${reason}`, () => {
  const suite = JSON.parse(readData("msgpack/msgpack-test-suite.json").toString()) as Record<
    string,
    Published[]
  >;
  let values = 0;
  for (const [name, groups] of Object.entries(suite)) {
    for (const group of groups) {
      const encodings = group.msgpack.map((hex) => [
        ...Buffer.from(hex.replaceAll("-", ""), "hex"),
      ]);
      let want: unknown;
      for (let offset = 0; offset < 64; offset++) {
        for (const encoding of encodings) {
          const body = bytesOf(pack.eventWith(encoding));
          core.decoder.begin(receivedAtUs);
          const { refusal } = decode(core, body, "msgpack-batch", undefined, offset);
          expect(refusal, name).toBeNull();
          const cells = cellsOf(readColumns(finish(core)), 0);
          want ??= cells;
          expect(cells, `${name} ${JSON.stringify(group)} at ${offset}`).toEqual(want);
        }
      }
      values++;
      for (const encoding of encodings) {
        const body = pack.eventWith(encoding);
        for (let length = 1; length < body.length; length++) {
          expect(refusalOf(body.slice(0, length)), name).toEqual(["body_cut_off", length]);
        }
      }
    }
  }
  expect(values).toBeGreaterThan(40);
});
