import { describe, expect, test } from "vitest";
import type { FieldMapping } from "../../src/engine/ingest.ts";
import { InputError } from "../../src/errors.ts";
import * as limits from "../../src/limits.ts";
import { decode, decodeAlone, decodeCore, receivedAtUs } from "./decode-core.ts";

const core = decodeCore();

/** The properties of the one event in a body. */
function properties(members: string): unknown {
  const { body, events } = decodeAlone(core, `{"event_type":"t",${members}}`, "json-event");
  expect(body.refusal?.message ?? body.errors).toEqual([]);
  return events[0]?.properties;
}

function refusal(body: string | Uint8Array, format: Parameters<typeof decode>[2] = "json-batch") {
  core.decoder.begin(receivedAtUs);
  const decoded = decode(core, body, format);
  expect(core.decoder.keptRows()).toBe(0);
  expect(decoded.refusal).toBeInstanceOf(InputError);
  return { code: decoded.refusal?.code, byteOffset: decoded.refusal?.detail.byteOffset };
}

function rejection(event: string) {
  const { body } = decodeAlone(core, `[{"event_type":"before"},${event},{"event_type":"after"}]`);
  expect(body).toMatchObject({ refusal: null, events: 3, rejected: 1 });
  expect(body.errors[0]?.index).toBe(1);
  return body.errors[0];
}

describe("values", () => {
  test("come back as JSON.parse gives them", () => {
    const text =
      '"a":[1, {"b" : "\\u0041\\n"}, []],"b":{"c":{"d":1e3}},"e":{},"f":-0,"g":0.1,"h":"𝄞 \\ud834\\udd1e é","":"x"';
    expect(properties(`"properties":{${text}}`)).toEqual(JSON.parse(`{${text}}`));
  });

  test("integers within 64 bits are exact, beyond them the nearest double", () => {
    const text = '"a":9223372036854775807,"b":-9223372036854775808,"c":9223372036854775808';
    expect(properties(text)).toEqual({ a: 2n ** 63n - 1n, b: -(2n ** 63n), c: 2 ** 63 });
    expect(properties('"a":9007199254740993')).toEqual({ a: 9007199254740993n });
  });

  test("json cells keep their text without white space", () => {
    const { batch } = decodeAlone(core, '[{"event_type":"t","a":[ 1.0 ,\t{ "k" :"a \\" b" } ]}]');
    expect(Buffer.from(batch).toString("latin1")).toContain('[1.0,{"k":"a \\" b"}]');
  });

  test("a dot or a backslash in a key is part of it", () => {
    const text = '{"a.b":1,"a":{"b":2},"c\\\\":{"d.":3}}';
    expect(properties(`"properties":${text}`)).toEqual(JSON.parse(text));
  });
});

describe("duplicate keys: the last one wins", () => {
  test.each([
    ['"a":1,"a":2', { a: 2 }],
    ['"a":"x","a":5', { a: 5 }],
    ['"a":{"b":1,"c":2},"a":{"c":3}', { a: { c: 3 } }],
    ['"a":{"b":{"x":1}},"a":7', { a: 7 }],
    ['"a":7,"a":{"b":1}', { a: { b: 1 } }],
    ['"a":{"b":1},"a":{}', { a: {} }],
    ['"a":{"b":1},"a":null', { a: null }],
    ['"a":1,"properties":{"a":2}', { a: 2 }],
    ['"properties":{"a":2,"b":3},"a":1', { a: 1, b: 3 }],
    ['"properties":{"a":1,"b":2},"a":3,"properties":{"c":4}', { a: 3, c: 4 }],
    ['"a":{"x":1},"properties":{"a":{"y":2}}', { a: { y: 2 } }],
    ['"\\u0061":1,"a":2', { a: 2 }],
    ['"properties":5,"properties":{"a":1}', { a: 1 }],
    ['"id":"one","id":"0190a0a0-1111-7222-8333-444455556666","b":1', { b: 1 }],
    ['"id":"one","properties":{"id":"two"}', { id: "two" }],
    ['"properties":{"id":{"x":1}},"id":"one"', { id: "one" }],
    ['"properties":{"id":"two"},"id":"one","properties":{}', { id: "one" }],
  ])("%s", (members, wanted) => {
    expect(properties(members)).toEqual(wanted);
  });

  test("a good duplicate of a fixed field makes up for a bad one, and the other way round", () => {
    const { events } = decodeAlone(
      core,
      '[{"event_type":5,"event_type":"t","source":[],"source":"s"}]',
    );
    expect(events[0]).toMatchObject({ event_type: "t", source: "s" });
    expect(rejection('{"event_type":"t","event_type":5}')?.code).toBe("field_type");
    expect(rejection('{"event_type":"t","event_type":null}')?.code).toBe("event_type_missing");
  });
});

describe("bodies that are refused", () => {
  test.each([
    ["", "empty_body", 0],
    [" \n", "empty_body", 2],
    ['\ufeff[{"event_type":"t"}]', "byte_order_mark", 0],
    ["5", "not_events", 0],
    ["[1", "body_cut_off", 2],
    ['[{"event_type":"t"}] x', "trailing_bytes", 21],
    ['[{"event_type":tru}]', "invalid_literal", 15],
    ['[{"event_type":"t","a":01}]', "invalid_number", 24],
    ['[{"event_type":"t","a":"\t"}]', "control_character", 24],
    ['[{"event_type":"t","a":"\\q"}]', "invalid_escape", 25],
    ['[{"event_type":"t","a":"\\u12x4"}]', "invalid_escape", 28],
    ['[{"event_type":"t","a":"\\ud800"}]', "invalid_surrogate", 24],
    ['[{"event_type":"t","a":"\\udc00"}]', "invalid_surrogate", 24],
    ['[{"event_type":"t","a":"\\ud800\\u0041"}]', "invalid_surrogate", 24],
    ['[{"event_type":"t",}]', "unexpected_byte", 19],
    ['[{"event_type":"t"},]', "unexpected_byte", 20],
    ['{"events":[{"event_type":"t"}],"x":1}', "not_events", 31],
    ['{"x":1,"events":[]}', "not_events", 1],
    ['{"events":[],"events":[]}', "duplicate_events_key", 13],
    ['{"events":[{"event_type":"t"}', "body_cut_off", 29],
    [`[${"[".repeat(2000)}`, "body_too_deep", 1025],
  ])("%s", (body, code, byteOffset) => {
    expect(refusal(body)).toEqual({ code, byteOffset });
  });

  test("text that is not UTF-8", () => {
    const body = Buffer.from('[{"event_type":"t","a":"é"}]');
    body[25] = 0x41;
    expect(refusal(body)).toEqual({ code: "invalid_utf8", byteOffset: 24 });
  });

  test("a list where one event is wanted, and two events", () => {
    expect(refusal("[]", "json-event").code).toBe("not_events");
    expect(refusal('{"event_type":"a"}{}', "json-event").code).toBe("trailing_bytes");
  });

  test("the message shows what was got", () => {
    core.decoder.begin(receivedAtUs);
    const message = decode(core, '[{"event_type":nul}]').refusal?.message;
    expect(message).toBe("JSON: got `nul`, want true, false or null, at byte 15");
  });
});

describe("events that are rejected alone", () => {
  test.each([
    ["7", "not_an_object"],
    ["{}", "event_type_missing"],
    ['{"event_type":""}', "event_type_empty"],
    ['{"event_type":{"a":1}}', "field_type"],
    ['{"event_type":"t","user_id":5}', "field_type"],
    ['{"event_type":"t","id":7}', "field_type"],
    ['{"event_type":"t","properties":[1]}', "properties_type"],
    ['{"event_type":"t","timestamp":"yesterday"}', "invalid_timestamp"],
    ['{"event_type":"t","timestamp":"2026-01-01T00:00:00"}', "timestamp_zone"],
    ['{"event_type":"t","timestamp":1e300}', "timestamp_range"],
    ['{"event_type":"t","a":1e999}', "number_range"],
    ['{"event_type":"t","a":[1e999]}', "number_range"],
    [`{"event_type":"t","a":${"[".repeat(64)}${"]".repeat(64)}}`, "event_too_deep"],
    [`{"event_type":"t","a":${'{"a":'.repeat(64)}1${"}".repeat(64)}}`, "event_too_deep"],
    [`{"event_type":"t","${"k".repeat(limits.keyBytesMax + 1)}":1}`, "key_too_long"],
    [`{"event_type":"t","a":"${"s".repeat(limits.stringBytesMax + 1)}"}`, "string_too_long"],
    [`{"event_type":"t","a":[${"1,".repeat(600_000)}1]}`, "event_too_large"],
  ])("%.80s", (event, code) => {
    expect(rejection(event)?.code).toBe(code);
  });

  test("a path that is too long", () => {
    const key = "k".repeat(500);
    const event = `{"event_type":"t",${`"${key}":{`.repeat(4)}"${key}":1${"}".repeat(4)}}`;
    expect(rejection(event)?.code).toBe("path_too_long");
  });

  test("more values than an event may have", () => {
    const members = Array.from({ length: limits.eventColumnsMax }, (_, i) => `"k${i}":${i}`);
    expect(rejection(`{"event_type":"t",${members.join(",")}}`)?.code).toBe("too_many_values");
  });

  test("at the limits all is well", () => {
    const key = "k".repeat(limits.keyBytesMax);
    const text = "s".repeat(limits.stringBytesMax);
    expect(properties(`"${key}":"${text}"`)).toEqual({ [key]: text });
    const deep = `${'{"a":'.repeat(62)}[]${"}".repeat(62)}`;
    expect(properties(`"a":${deep}`)).toEqual({ a: JSON.parse(deep) });
  });

  test("a bad NDJSON line is one of them, with the offset in the body", () => {
    const text =
      '{"event_type":"a"}\r\n\n{"event_type":tru}\n{"event_type":"b"\n ,"c":1}\n{"event_type":"d"}';
    const { body, events } = decodeAlone(core, text, "ndjson");
    expect(body.errors.map(({ index, code }) => [index, code])).toEqual([
      [1, "malformed"],
      [2, "malformed"],
      [3, "malformed"],
    ]);
    expect(body.errors[0]?.message).toContain("want true, false or null, at byte 35");
    expect(events.map((event) => event.event_type)).toEqual(["a", "d"]);
  });

  test("their errors are listed up to a limit and all counted", () => {
    const few = decodeCore({ receiptErrorsMax: 3 }, 48 << 20);
    const { body } = decodeAlone(few, `[${"{},".repeat(9)}{"event_type":"t"}]`);
    expect(body).toMatchObject({ events: 10, rejected: 9 });
    expect(body.errors.length).toBe(3);
  });

  test("too many events refuse the body", () => {
    const few = decodeCore({ batchEventsMax: 2 }, 48 << 20);
    few.decoder.begin(receivedAtUs);
    expect(
      decode(few, '[{"event_type":"t"},{"event_type":"t"},{"event_type":"t"}]').refusal,
    ).toMatchObject({
      code: "too_many_events",
      status: 413,
    });
  });
});

describe("field mappings", () => {
  const mapped = (text: string, mapping: FieldMapping) => {
    const { body, events } = decodeAlone(core, text, "json-event", mapping);
    expect(body.refusal?.message ?? body.errors).toEqual([]);
    return events[0];
  };

  test("fields and constants", () => {
    const mapping = { timestamp: "time", event_type: "'edit'", source: "channel" };
    expect(mapped('{"time":1609459200,"channel":"#en","event_type":"own"}', mapping)).toMatchObject(
      {
        timestampUs: 1_609_459_200_000_000n,
        event_type: "edit",
        source: "#en",
        properties: { event_type: "own" },
      },
    );
  });

  test("fields inside others, with escaped dots, at top level or among the properties", () => {
    const mapping = { event_type: "a\\.b.kind", user_id: "who.id", session_id: "properties.s" };
    const event = '{"a.b":{"kind":"k","x":1},"properties":{"who":{"id":7,"n":2},"s":"z"}}';
    expect(mapped(event, mapping)).toMatchObject({
      event_type: "k",
      user_id: "7",
      session_id: "z",
      properties: { "a.b": { x: 1 }, who: { n: 2 } },
    });
  });

  test("numbers become text where a mapping asks for a string", () => {
    const { id, ...event } =
      mapped('{"n":12,"k":1.50,"i":99}', { user_id: "n", event_type: "k", id: "i" }) ?? {};
    expect(event).toMatchObject({ user_id: "12", event_type: "1.5", properties: { id: "99" } });
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8/);
  });

  test("a unit for numeric times", () => {
    const event = '{"event_type":"t","timestamp":1700000000}';
    expect(mapped(event, { timestamp_unit: "ms" })?.timestampUs).toBe(1_700_000_000_000n);
    expect(mapped(event, {})?.timestampUs).toBe(1_700_000_000_000_000n);
  });

  test("one name may serve another field", () => {
    expect(mapped('{"event_type":"t","source":"s"}', { user_id: "source" })).toMatchObject({
      user_id: "s",
    });
  });

  test("many mappings in one group share the columns", () => {
    core.decoder.begin(receivedAtUs);
    for (let i = 0; i < 30; i++) {
      decode(core, `{"kind${i % 11}":"t${i}","x":${i}}`, "json-event", {
        event_type: `kind${i % 11}`,
      });
    }
    expect(core.decoder.keptRows()).toBe(30);
  });

  test.each<[FieldMapping, string]>([
    [{ id: "'x'" }, "id"],
    [{ event_type: "'x" }, "event_type"],
    [{ event_type: "''" }, "event_type"],
    [{ timestamp: "'noon'" }, "timestamp"],
    [{ source: "a..b" }, "source"],
    [{ source: "a\\" }, "source"],
    [{ source: "properties" }, "source"],
    [{ source: "a", user_id: "a" }, "user_id"],
    [{ source: "a.b", user_id: "properties.a.b.c" }, "user_id"],
    [{ timestamp_unit: "days" } as unknown as FieldMapping, "timestamp_unit"],
    [{ colour: "x" } as unknown as FieldMapping, "colour"],
  ])("%o is refused by name", (mapping, parameter) => {
    core.decoder.begin(receivedAtUs);
    expect(() => decode(core, "[]", "json-batch", mapping)).toThrow(
      expect.objectContaining({ code: "invalid_mapping", detail: { parameter } }),
    );
  });
});
