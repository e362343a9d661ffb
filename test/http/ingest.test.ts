import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CorruptionError, DiskFullError, InputError, OverloadError } from "../../src/errors.ts";
import { type FrontServer, startFront } from "../support/front-server.ts";

let server: FrontServer;
beforeAll(async () => {
  server = await startFront(["--body-max", "64KiB", "--ingest-queue", "1MiB"]);
});
afterAll(() => server.stop(1000));
beforeEach(() => {
  server.engine.requests.length = 0;
});

const event = { event_type: "purchase", properties: { amount: 3 } };

function post(path: string, body: BodyInit, headers: Record<string, string> = {}) {
  return fetch(`${server.url}/api/v1${path}`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
}

describe("POST /events", () => {
  it("answers 200 with the sequence of a durable event", async () => {
    const first = String(server.engine.stored.length);
    const response = await post("/events", JSON.stringify(event));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({
      accepted: 1,
      duplicates: 0,
      rejected: 0,
      errors: [],
      sequences: [{ partition: 0, first, last: first }],
    });
    const [request] = server.engine.requests;
    expect(request).toMatchObject({ format: "json-event", durable: true });
    expect(request?.mapping).toBeUndefined();
    expect(request?.text).toBe(JSON.stringify(event));
  });

  it("answers 202 without sequences for ack=memory", async () => {
    const response = await post("/events?ack=memory", JSON.stringify(event));
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({ accepted: 1, duplicates: 0, rejected: 0, errors: [] });
    expect(server.engine.requests[0]?.durable).toBe(false);
  });

  it("counts a duplicate", async () => {
    const body = JSON.stringify({ ...event, id: "5f0c1b9e-0000-4000-8000-000000000001" });
    await post("/events", body);
    const response = await post("/events", body);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ accepted: 0, duplicates: 1, sequences: [] });
  });

  it("answers 422 with the event's error when it is rejected", async () => {
    const response = await post("/events", "{}", { "x-request-id": "mine-1" });
    expect(response.status).toBe(422);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("x-request-id")).toBe("mine-1");
    expect(await response.json()).toEqual({
      type: "urn:millrace:problem:event_type_missing",
      title: "Unprocessable Entity",
      status: 422,
      detail: "got no event_type, want text",
      code: "event_type_missing",
      request_id: "mine-1",
      errors: [{ index: 0, code: "event_type_missing", message: "got no event_type, want text" }],
    });
  });

  it("answers 400 with the byte offset for a body that is cut off", async () => {
    const response = await post("/events", '{"event_type":');
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "body_cut_off", byte_offset: 14 });
  });

  it.each([
    [new OverloadError("ingest_queue_full", "the engine is behind", 2), 429, "2"],
    [new OverloadError("starting", "ids are being loaded", 3, 503), 503, "3"],
    [new DiskFullError("disk_full", "got 1 byte, want more"), 507, null],
    [new InputError("idempotency_mismatch", "got another body", {}, 422), 422, null],
    [new InputError("idempotency_in_flight", "got it twice", {}, 409), 409, null],
    [new CorruptionError("corrupt_segment", "segment 1: bad magic"), 500, null],
  ])("answers %s with %i", async (failure, status, retryAfter) => {
    server.engine.failNext = failure;
    const response = await post("/events", JSON.stringify(event));
    expect(response.status).toBe(status);
    expect(response.headers.get("retry-after")).toBe(retryAfter);
    expect(await response.json()).toMatchObject({ code: failure.code, status });
  });

  it("does not show the text of an error that nobody raised on purpose", async () => {
    server.engine.failNext = new TypeError("secret") as never;
    const response = await post("/events", JSON.stringify(event));
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).toContain("internal_error");
    expect(text).not.toContain("secret");
  });

  it("makes a request id where none, or none that can be logged, was sent", async () => {
    const made = await post("/events", JSON.stringify(event));
    expect(made.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    const replaced = await post("/events", JSON.stringify(event), { "x-request-id": "a b" });
    expect(replaced.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("POST /events/batch", () => {
  it("answers 200 even when all are rejected", async () => {
    const response = await post("/events/batch", JSON.stringify([{}, {}]));
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ accepted: 0, rejected: 2, sequences: [] });
  });

  it.each([
    ["application/json", "json-batch"],
    ["application/json; charset=utf-8", "json-batch"],
    ["Application/JSON", "json-batch"],
    ["application/x-ndjson", "ndjson"],
    ["application/ndjson", "ndjson"],
    ["application/msgpack", "msgpack-batch"],
    ["application/x-msgpack", "msgpack-batch"],
  ])("reads %s as %s", async (type, format) => {
    await post("/events/batch", "[]", { "content-type": type });
    expect(server.engine.requests[0]?.format).toBe(format);
  });

  it.each([
    ["/events/batch", "text/plain"],
    ["/events/batch", "application/json; charset=latin1"],
    ["/events", "application/x-ndjson"],
    ["/events", ""],
  ])("%s answers 415 to content-type '%s'", async (path, type) => {
    const response = await post(path, "{}", { "content-type": type });
    expect(response.status).toBe(415);
    const problem = (await response.json()) as { code: string; detail: string };
    expect(problem.code).toBe("unsupported_media_type");
    expect(problem.detail.endsWith(", in UTF-8")).toBe(type.includes("charset"));
    expect(server.engine.requests).toHaveLength(0);
  });

  it.each([
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["br", brotliCompressSync],
    ["deflate", deflateSync],
    ["deflate", deflateRawSync],
    ["identity", (text: string) => Buffer.from(text)],
  ])("undoes %s", async (encoding, pack) => {
    const body = JSON.stringify(Array.from({ length: 50 }, () => event));
    const response = await post("/events/batch", new Uint8Array(pack(body)), {
      "content-encoding": encoding,
    });
    expect(await response.json()).toMatchObject({ accepted: 50 });
    expect(server.engine.requests[0]).toMatchObject({ byteLength: body.length, text: body });
  });

  it("answers 415 to an encoding it can't undo", async () => {
    const response = await post("/events/batch", "[]", { "content-encoding": "gzip, br" });
    expect(response.status).toBe(415);
  });

  it("answers 400 to a body that is not what its encoding says", async () => {
    const response = await post("/events/batch", "plain", { "content-encoding": "gzip" });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "invalid_encoding" });
  });

  it("answers 413 to a body that unpacks to too much", async () => {
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(64 * 1024);
    const response = await post("/events/batch", new Uint8Array(bomb), {
      "content-encoding": "gzip",
    });
    expect(response.status).toBe(413);
    expect(server.front.bodyBudget.bytes).toBe(0);
  });

  it("passes the mapping on", async () => {
    const search = "?timestamp=time&event_type='edit'&source=channel&timestamp_unit=ms";
    await post(`/events/batch${search}`, "[]");
    await post(`/events/batch${search}`, "[]");
    for (const request of server.engine.requests) {
      expect(request.mapping).toEqual({
        timestamp: "time",
        event_type: "'edit'",
        source: "channel",
        timestamp_unit: "ms",
      });
    }
  });

  it.each([
    ["?acks=memory", /^#: got the unknown key "acks"; did you mean "ack"/],
    ["?ack=never", /^#\/ack: got "never"/],
    ["?ack=memory&ack=durable", /^#\/ack: got it twice/],
    ["?timestamp_unit=h", /^#\/timestamp_unit: /],
    ["?id=", /^#\/id: /],
    ["?event_type='edit", /^#\/event_type: got 'edit, want a field, or a constant/],
  ])("answers 400 to %s", async (search, message) => {
    const response = await post(`/events/batch${search}`, "[]");
    expect(response.status).toBe(400);
    const problem = (await response.json()) as { code: string; detail: string };
    expect(problem.code).toBe("invalid_parameter");
    expect(problem.detail).toMatch(message);
  });

  it("passes an Idempotency-Key on and refuses what can't be one", async () => {
    await post("/events/batch", "[]", { "idempotency-key": "import 7" });
    expect(server.engine.requests[0]?.idempotencyKey).toBe("import 7");
    const response = await post("/events/batch", "[]", { "idempotency-key": "x".repeat(256) });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "invalid_idempotency_key" });
  });
});
