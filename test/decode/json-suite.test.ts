import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decodePlain } from "../oracle/decode.ts";
import { rowsAsEvents } from "../support/read-batch.ts";
import { decode, decodeAlone, decodeCore, finish, receivedAtUs } from "./decode-core.ts";

// Inputs that others wrote: files of a JSON parsing suite, webhook payloads and a social network's events.

const data =
  process.env.MILLRACE_CONFORMANCE_DATA ?? join(import.meta.dirname, "../../../shared/data");
const suite = join(data, "json-parsing");
const events = join(data, "events");
const OFFSETS = 64;

if (!existsSync(suite)) process.stderr.write(`skipped: no conformance data at ${data}\n`);

/** The file's raw bytes as the value of a property, never through a string. */
function wrap(file: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from('[{"event_type":"t","properties":{"v":'),
    file,
    Buffer.from("}}]"),
  ]);
}

describe.skipIf(!existsSync(suite))("the JSON parsing suite", () => {
  const core = decodeCore();
  const files = existsSync(suite)
    ? readdirSync(suite).filter((name) => name.endsWith(".json"))
    : [];

  test("has files of both kinds", () => {
    expect(files.filter((name) => name.startsWith("y_")).length).toBeGreaterThan(50);
    expect(files.filter((name) => name.startsWith("n_")).length).toBeGreaterThan(80);
  });

  test.each(files)("%s: the same verdict at 64 byte offsets and from the plain twin", (name) => {
    const file = readFileSync(join(suite, name));
    const body = wrap(file);
    const accepts = name.startsWith("y_");
    for (let shift = 0; shift < OFFSETS; shift++) {
      core.decoder.begin(receivedAtUs);
      const { refusal } = decode(core, body, "json-batch", undefined, shift);
      expect(refusal === null, `offset ${shift}: ${refusal?.message}`).toBe(accepts);
      expect(core.decoder.keptRows()).toBe(accepts ? 1 : 0);
      if (!accepts) continue;
      const [event] = rowsAsEvents(finish(core));
      const wanted: unknown = JSON.parse(file.toString());
      expect((event?.properties as { v: unknown }).v).toEqual(wanted);
    }
    // The suite's deepest file is deeper than the twin's own stack.
    if (file.length < 100_000) expect(decodePlain(body, "json-batch").refused).toBe(!accepts);
  });

  test.each(files)("%s: padded to 64 offsets inside the body", (name) => {
    const body = wrap(readFileSync(join(suite, name)));
    for (let pad = 0; pad < OFFSETS; pad++) {
      core.decoder.begin(receivedAtUs);
      const { refusal } = decode(core, Buffer.concat([Buffer.alloc(pad, 0x20), body]));
      expect(refusal === null, `padding ${pad}`).toBe(name.startsWith("y_"));
    }
  });
});

describe.skipIf(!existsSync(events))("events of others", () => {
  const core = decodeCore();

  test("GitHub's webhooks come back as they went in", () => {
    const text = gunzipSync(
      readFileSync(join(events, "github-webhooks/payloads.ndjson.gz")),
    ).toString();
    const { body, events: rows } = decodeAlone(core, text, "ndjson", { event_type: "event" });
    const lines = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as object);
    expect(body).toMatchObject({ refusal: null, rejected: 0, events: lines.length });
    rows.forEach((row, i) => {
      const { event, ...rest } = lines[i] as { event: string };
      expect(row.event_type).toBe(event);
      expect(row.properties, `line ${i}`).toEqual(rest);
    });
  });

  test("Bluesky's events come back as they went in, their times exact", () => {
    const text = readFileSync(join(events, "bluesky/jsonbench-head-10.ndjson"), "utf8");
    const mapping = {
      event_type: "kind",
      timestamp: "time_us",
      timestamp_unit: "us",
      user_id: "did",
    } as const;
    const { body, events: rows } = decodeAlone(core, text, "ndjson", mapping);
    expect(body).toMatchObject({ refusal: null, rejected: 0, events: 10 });
    const lines = text.split("\n").filter((line) => line !== "");
    rows.forEach((row, i) => {
      const { kind, time_us, did, ...rest } = JSON.parse(lines[i] ?? "") as Record<string, unknown>;
      expect([row.event_type, row.timestampUs, row.user_id]).toEqual([
        kind,
        BigInt(time_us as number),
        did,
      ]);
      expect(row.properties).toEqual(rest);
    });
  });

  test("Wikipedia's edits: every line is an event", () => {
    const file = join(events, "wikiticker/wikiticker-2015-09-12-sampled.json.gz");
    const text = gunzipSync(readFileSync(file));
    core.decoder.begin(receivedAtUs);
    const mapping = { timestamp: "time", event_type: "'edit'", source: "channel" };
    const body = decode(core, text, "ndjson", mapping);
    expect(body).toMatchObject({ refusal: null, rejected: 0, events: 39_244 });
    const rows = rowsAsEvents(finish(core));
    const lines = text.toString().trimEnd().split("\n");
    for (let i = 0; i < rows.length; i += 97) {
      const { time, channel, ...rest } = JSON.parse(lines[i] ?? "") as Record<string, string>;
      expect(rows[i]).toMatchObject({ event_type: "edit", source: channel, properties: rest });
      expect(rows[i]?.timestampUs).toBe(BigInt(Date.parse(time ?? "")) * 1000n);
    }
  });
});
