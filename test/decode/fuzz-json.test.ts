import { describe, expect, test } from "vitest";
import type { BodyFormat } from "../../src/engine/ingest.ts";
import { decodePlain } from "../oracle/decode.ts";
import { mulberry32 } from "../support/random.ts";
import { rowsAsEvents } from "../support/read-batch.ts";
import {
  decode,
  decodeAlone,
  decodeCore,
  expectPlain,
  finish,
  receivedAtUs,
} from "./decode-core.ts";

type Random = () => number;

const pick = <T>(random: Random, list: readonly T[]): T =>
  list[Math.floor(random() * list.length)] as T;
const upTo = (random: Random, n: number) => Math.floor(random() * n);

const KEYS = [
  "a",
  "b",
  "id",
  "x.y",
  "",
  "é",
  "event_type",
  "k\\\\w",
  'q\\"',
  "\\u0061",
  "longer_than_sixteen_bytes",
];
const NUMBERS = [
  "0",
  "-0",
  "7",
  "-12",
  "200",
  "1.5",
  "937.41",
  "-0.25",
  "1e3",
  "1E-7",
  "9007199254740993",
  "9223372036854775807",
  "-9223372036854775808",
  "9223372036854775808",
  "123456789012345",
  "12345678901234.5",
  "1234567890123456",
  "0.1",
  "0.30000000000000004",
  "1.7976931348623157e308",
  "5e-324",
  "100000000000000.25",
  "00",
  "1.",
  "-",
  "01",
  "1e",
  "1e999",
];
const TEXTS = [
  "",
  "x",
  "0123456789abcd",
  "0123456789abcde",
  "0123456789abcdef",
  "0123456789abcdefg",
  "ünïcödé",
  "日本語のテキスト",
  "\\n\\t\\u0000",
  "\\ud834\\udd1e",
  "tab\\\\",
  "a\\/b",
  "\\ud800",
  "\\x",
  "𝄞",
  "a long text that needs three steps of sixteen bytes \\u00e9 é",
];
const FIELDS = [
  "id",
  "timestamp",
  "event_type",
  "source",
  "user_id",
  "session_id",
  "properties",
  "extra",
  "a",
];
const IDS = ['"0190a0a0-1111-7222-8333-444455556666"', '"not-a-uuid"', '""', "5", "null"];
const TIMES = [
  '"2026-11-23T12:00:00Z"',
  '"2026-11-23T12:00:00.123456+05:30"',
  '"2026-11-23T12:00:00"',
  '"never"',
  "1795435200",
  "1795435200123",
  "1e300",
  "null",
  "true",
  '"9999-12-31T23:59:59-01:00"',
  "[ 1]",
  '{"at":1}',
];

/** White space where JSON allows it, mostly none. */
const gap = (random: Random) => (random() < 0.93 ? "" : pick(random, [" ", "\n", "\t ", "\r\n  "]));

function makeNumber(random: Random): string {
  // Malformed ones are rare, or no body would ever be whole.
  return random() < 0.004 ? pick(random, NUMBERS.slice(-6)) : pick(random, NUMBERS.slice(0, -6));
}

function makeString(random: Random): string {
  const bad = random() < 0.003;
  const texts = TEXTS.filter((text) => bad || (text !== "\\ud800" && text !== "\\x"));
  return `"${pick(random, texts)}"`;
}

function makeValue(random: Random, depth: number): string {
  const kind = random();
  if (kind < 0.3) return makeString(random);
  if (kind < 0.6) return makeNumber(random);
  if (kind < 0.75 || depth > 4) return pick(random, ["true", "false", "null"]);
  const count = upTo(random, 4);
  if (kind < 0.85) {
    const items = Array.from({ length: count }, () => gap(random) + makeValue(random, depth + 1));
    return `[${items.join(",")}${gap(random)}]`;
  }
  const members = Array.from({ length: count }, () =>
    makeMember(random, pick(random, KEYS), depth),
  );
  return `{${members.join(",")}${gap(random)}}`;
}

function makeMember(random: Random, key: string, depth: number): string {
  return `${gap(random)}"${key}"${gap(random)}:${gap(random)}${makeValue(random, depth + 1)}${gap(random)}`;
}

function makeField(random: Random, name: string): string {
  // The leaf's own test has the rounding of fractional times.
  if (name !== "timestamp" && random() < 0.08) return makeMember(random, name, 1);
  if (name === "id") return `"id":${pick(random, IDS)}`;
  if (name === "timestamp") return `"timestamp":${pick(random, TIMES)}`;
  if (name === "properties") {
    const members = Array.from({ length: upTo(random, 5) }, () =>
      makeMember(random, pick(random, KEYS), 2),
    );
    return `"properties":{${members.join(",")}}`;
  }
  if (name === "extra" || name === "a") return makeMember(random, name, 1);
  return `${gap(random)}"${name}":${gap(random)}${makeString(random)}`;
}

function makeEvent(random: Random): string {
  if (random() < 0.02) return makeValue(random, 3);
  const names = FIELDS.filter(() => random() < 0.6);
  if (random() < 0.9 && !names.includes("event_type")) names.push("event_type");
  if (random() < 0.2) names.push(pick(random, FIELDS));
  if (random() < 0.2) names.reverse();
  return `{${names.map((name) => makeField(random, name)).join(",")}}`;
}

function makeBody(random: Random): { text: string; format: BodyFormat } {
  const events = Array.from({ length: 1 + upTo(random, 6) }, () => makeEvent(random));
  const kind = random();
  if (kind < 0.1) return { text: events[0] ?? "", format: "json-event" };
  if (kind < 0.3) {
    const lines = events.map((event) => event.replaceAll("\n", " ").replaceAll("\r", " "));
    return { text: lines.join(pick(random, ["\n", "\r\n", "\n\n"])), format: "ndjson" };
  }
  const list = `[${events.join(",")}]${gap(random)}`;
  if (kind < 0.4) return { text: `{"events":${list}}`, format: "json-batch" };
  if (kind < 0.45) return { text: events[0] ?? "", format: "json-batch" };
  return { text: list, format: "json-batch" };
}

/** Flips, cuts or doubles bytes. */
function damage(random: Random, bytes: Buffer): Buffer {
  const at = upTo(random, bytes.length);
  const kind = random();
  if (kind < 0.4) {
    const copy = Buffer.from(bytes);
    copy[at] =
      random() < 0.5 ? upTo(random, 256) : pick(random, [...Buffer.from('"\\{}[]:,0-e.\n')]);
    return copy;
  }
  if (kind < 0.7) return bytes.subarray(0, at);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - 3))]);
}

const seeds = Array.from({ length: 24 }, (_, i) => 1000 + i);

describe("the decoder and its plain twin", () => {
  const core = decodeCore();

  test.each(seeds)("agree on verdicts, rejections and cells (seed %i)", (seed) => {
    const random = mulberry32(seed);
    for (let i = 0; i < 60; i++) {
      const { text, format } = makeBody(random);
      const note = `seed ${seed}, body ${i}, ${format}: ${text}`;
      expectPlain(decodeAlone(core, text, format), decodePlain(Buffer.from(text), format), note);
      const bytes = damage(random, Buffer.from(text));
      const damaged = `seed ${seed}, body ${i} damaged, ${format}: ${bytes.toString("latin1")}`;
      expectPlain(decodeAlone(core, bytes, format), decodePlain(bytes, format), damaged);
    }
  });

  test.each(seeds.slice(0, 8))("agree on every strict prefix of a valid body (seed %i)", (seed) => {
    const random = mulberry32(seed);
    for (let i = 0; i < 3; i++) {
      const events = Array.from({ length: 2 }, () => makeEvent(random));
      const bytes = Buffer.from(`[${events.join(",")}]`);
      if (decodePlain(bytes, "json-batch").refused) continue;
      core.decoder.begin(receivedAtUs);
      for (let length = 0; length < bytes.length; length++) {
        const { refusal, rowBegin, rowEnd } = decode(core, bytes.subarray(0, length));
        expect(refusal, `seed ${seed}: ${bytes.toString()} cut at ${length}`).not.toBeNull();
        expect(rowEnd).toBeGreaterThanOrEqual(rowBegin);
      }
      expect(core.decoder.keptRows()).toBe(0);
    }
  });

  test("the bytes behind a cut-off body are never taken for its own", () => {
    const bytes = Buffer.from(
      '[{"event_type":"click","properties":{"a":1.25,"b":true,"c":"text"}}]',
    );
    for (let length = 1; length < bytes.length; length++) {
      core.decoder.begin(receivedAtUs);
      core.core.u8.set(bytes, core.ring);
      const { refusal } = core.decoder.decode(core.ring, length, "json-batch");
      expect(refusal?.code, `cut at ${length}`).toBe("body_cut_off");
      expect(refusal?.detail.byteOffset).toBe(length);
    }
  });

  test("one group takes all of them, whatever their shapes, and keeps just the good ones", () => {
    const random = mulberry32(99);
    core.decoder.begin(receivedAtUs);
    const want: unknown[] = [];
    for (let i = 0; i < 300; i++) {
      const { text, format } = makeBody(random);
      decode(core, text, format);
      for (const row of decodePlain(Buffer.from(text), format).rows)
        want.push(row.cells.get("event_type"));
    }
    expect(core.decoder.keptRows()).toBe(want.length);
    expect(rowsAsEvents(finish(core)).map((event) => event.event_type)).toEqual(want);
  });
});
