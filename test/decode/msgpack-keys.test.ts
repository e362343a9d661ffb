import { expect, test } from "vitest";
import { decodeAlone, decodeCore } from "./decode-core.ts";
import * as pack from "./msgpack-writer.ts";

// Keys that the decoder foresees from the event before, and must not take for others.

const core = decodeCore();
const bytesOf = (bytes: pack.Bytes) => Uint8Array.from(bytes);

const eventOf = (key: pack.Bytes, value: number) =>
  pack.map([
    [pack.string("event_type"), pack.string("t")],
    [key, pack.integer(value)],
  ]);

test("keys of every length, whole and with one byte changed", () => {
  for (let length = 1; length < 40; length++) {
    const key = "k".repeat(length);
    for (let place = 0; place < length; place++) {
      const other = `${key.slice(0, place)}x${key.slice(place + 1)}`;
      const keys = [key, key, other, key];
      const body = keys.flatMap((name, i) => eventOf(pack.string(name), i));
      const { events } = decodeAlone(core, bytesOf(body), "msgpack-batch");
      expect(events.map(({ properties }) => properties)).toEqual(
        keys.map((name, i) => ({ [name]: i })),
      );
    }
  }
});

test("a byte that begins no str is no key, whatever was foreseen", () => {
  for (const length of [1, 14, 15, 16, 31, 32, 39]) {
    const known = eventOf(pack.string("k".repeat(length)), 1);
    for (let type = 0; type < 256; type++) {
      if (type === 0xa0 + length || type === 0xa0) continue;
      const bytes = [type, ...Array.from({ length: 39 }, () => 0x6b), 1];
      const body = bytesOf([...known, ...eventOf(bytes, 1)]);
      const { body: decoded, events } = decodeAlone(core, body, "msgpack-batch");
      const count = decoded.refusal === null ? events.length : 0;
      if (count > 1) expect(events[1]?.properties).not.toHaveProperty("k".repeat(length));
    }
  }
});
