import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import {
  type Answer,
  allEvents,
  type Body,
  type Problem,
  post,
  postBatch,
  type Receipt,
} from "../support/api.ts";
import { sharedServer } from "../support/server.ts";

// What `POST /events` and `POST /events/batch` promise, asked of the built server.

const server = sharedServer();

let names = 0;
/** An event type of its own for each test, so that tests share a server and not their events. */
function freshType(): string {
  return `type_${names++}`;
}

function event(event_type: string, n: number, more: object = {}): object {
  return { event_type, timestamp: "2026-11-23T12:00:00Z", properties: { n }, ...more };
}

async function storedNumbers(event_type: string): Promise<unknown[]> {
  const events = await allEvents(server.url, { event_type });
  return events.map((stored) => stored.properties.n).sort((a, b) => Number(a) - Number(b));
}

function batch(body: Body, headers: Record<string, string> = {}): Promise<Answer<Receipt>> {
  return post(server.url, "/api/v1/events/batch", body, headers);
}

describe("POST /events", () => {
  test("answers with the receipt once the event is stored, and it is there as it was sent", async () => {
    const type = freshType();
    const sent = {
      id: "018f2f6e-0000-7000-8000-0123456789ab",
      timestamp: "2026-11-23T12:00:00.123456Z",
      event_type: type,
      source: "web",
      user_id: "u1",
      session_id: "s1",
      properties: {
        text: 'ключ "q" \\ 𝄞',
        deep: { a: [1, { b: null }], "x.y": true },
        none: null,
        n: -0.5,
      },
    };
    const answer = await post(server.url, "/api/v1/events", JSON.stringify(sent));
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("x-request-id")).toBeTruthy();
    const { sequences, ...counts } = answer.body;
    expect(counts).toEqual({ accepted: 1, duplicates: 0, rejected: 0, errors: [] });
    expect(sequences).toEqual([
      { partition: 0, first: expect.stringMatching(/^\d+$/), last: sequences?.[0]?.first },
    ]);
    const [stored] = await allEvents(server.url, { event_type: type });
    expect(stored).toMatchObject(sent);
    expect(stored?.properties).toEqual(sent.properties);
  });

  test("takes MessagePack", async () => {
    const type = freshType();
    const answer = await post(server.url, "/api/v1/events", encode(event(type, 7)), {
      "content-type": "application/msgpack",
    });
    expect(answer).toMatchObject({ status: 200, body: { accepted: 1 } });
    expect(await storedNumbers(type)).toEqual([7]);
  });

  test("refuses a wrong event with 422 and says why; nothing is stored", async () => {
    const body = '{"properties":{"typeless":1}}';
    const answer = await post<Problem>(server.url, "/api/v1/events", body);
    expect(answer.status).toBe(422);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body).toMatchObject({ status: 422, code: "event_type_missing" });
    expect(await allEvents(server.url, { where: "properties.typeless = 1" })).toEqual([]);
  });

  test("answers 202 without sequences for ack=memory, and the event comes", async () => {
    const type = freshType();
    const answer = await post(
      server.url,
      "/api/v1/events?ack=memory",
      JSON.stringify(event(type, 1)),
    );
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ accepted: 1, duplicates: 0, rejected: 0, errors: [] });
    await expect.poll(() => storedNumbers(type)).toEqual([1]);
  });

  test("makes a UUIDv7 for an event without an id, and a UUIDv8 of another text, which is kept", async () => {
    const type = freshType();
    await post(server.url, "/api/v1/events", JSON.stringify(event(type, 1)));
    await post(server.url, "/api/v1/events", JSON.stringify(event(type, 2, { id: "order-4711" })));
    const [first, second] = await allEvents(server.url, { event_type: type });
    expect(first?.id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    expect(second?.id).toMatch(/^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    expect(second?.properties).toEqual({ n: 2, id: "order-4711" });
    const again = await post(
      server.url,
      "/api/v1/events",
      JSON.stringify(event(type, 2, { id: "order-4711" })),
    );
    expect(again.body).toMatchObject({ accepted: 0, duplicates: 1 });
  });

  test.each([
    ["", 400],
    ["{", 400],
    ['{"event_type":"x"', 400],
    ['{"event_type":"x"}}', 400],
    ["[]", 400],
    ['"text"', 400],
    ["nonsense", 400],
  ])("refuses %j whole, with the place of the fault", async (body, status) => {
    const answer = await post<Problem>(server.url, "/api/v1/events", body);
    expect(answer.status).toBe(status);
    expect(answer.body.code).toMatch(/^\w+$/);
    expect(answer.body.byte_offset).toEqual(expect.any(Number));
  });
});

describe("POST /events/batch", () => {
  const sent = [1, 2, 3];
  const forms: [name: string, type: string, make: (events: object[]) => Body][] = [
    ["an array", "application/json", (events) => JSON.stringify(events)],
    ["an envelope", "application/json", (events) => JSON.stringify({ events })],
    [
      "NDJSON",
      "application/x-ndjson",
      (events) => events.map((one) => JSON.stringify(one)).join("\n"),
    ],
    ["a MessagePack array", "application/msgpack", (events) => encode(events)],
    [
      "a MessagePack stream",
      "application/msgpack",
      (events) => Buffer.concat(events.map((one) => encode(one))),
    ],
  ];

  test.each(forms)("takes %s", async (_name, contentType, make) => {
    const type = freshType();
    const answer = await batch(make(sent.map((n) => event(type, n))), {
      "content-type": contentType,
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ accepted: 3, duplicates: 0, rejected: 0, errors: [] });
    const [range] = answer.body.sequences ?? [];
    expect(Number(range?.last) - Number(range?.first)).toBe(2);
    expect(await storedNumbers(type)).toEqual(sent);
  });

  test.each(forms)(
    "rejects one bad event of %s alone, by its index",
    async (_name, contentType, make) => {
      const type = freshType();
      const events = [event(type, 1), { properties: {} }, event(type, 3), { event_type: 5 }];
      const answer = await batch(make(events), { "content-type": contentType });
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ accepted: 2, duplicates: 0, rejected: 2 });
      expect(answer.body.errors.map(({ index, code }) => ({ index, code }))).toEqual([
        { index: 1, code: "event_type_missing" },
        { index: 3, code: expect.any(String) },
      ]);
      expect(await storedNumbers(type)).toEqual([1, 3]);
    },
  );

  test("answers 200 even if all are rejected, with no sequences taken", async () => {
    const answer = await batch("[{},1]");
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ accepted: 0, rejected: 2, sequences: [] });
  });

  test("rejects a malformed NDJSON line alone", async () => {
    const type = freshType();
    const lines = [
      JSON.stringify(event(type, 1)),
      '{"event_type":',
      "",
      JSON.stringify(event(type, 2)),
    ];
    const answer = await batch(lines.join("\n"), { "content-type": "application/x-ndjson" });
    expect(answer.body).toMatchObject({ accepted: 2, rejected: 1, errors: [{ index: 1 }] });
    expect(await storedNumbers(type)).toEqual([1, 2]);
  });

  test.each(forms.filter(([name]) => name !== "NDJSON"))(
    "refuses %s that is cut off whole, and nothing of it is left behind",
    async (_name, contentType, make) => {
      const type = freshType();
      const whole = Buffer.from(make(sent.map((n) => event(type, n))));
      const answer = await post<Problem>(
        server.url,
        "/api/v1/events/batch",
        whole.subarray(0, -1),
        {
          "content-type": contentType,
        },
      );
      expect(answer.status).toBe(400);
      expect(answer.body.byte_offset).toBe(whole.length - 1);
      expect(await storedNumbers(type)).toEqual([]);
    },
  );

  test.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
    ["deflate", deflateSync],
  ] as const)("unpacks %s", async (encoding, pack) => {
    const type = freshType();
    const answer = await batch(pack(JSON.stringify(sent.map((n) => event(type, n)))), {
      "content-encoding": encoding,
    });
    expect(answer.body.accepted).toBe(3);
    expect(await storedNumbers(type)).toEqual(sent);
  });

  test("refuses what unpacks to more than a body may be, and what is not packed at all", async () => {
    const bomb = gzipSync(Buffer.alloc(33 * 1024 * 1024, 0x20));
    const answer = await post<Problem>(server.url, "/api/v1/events/batch", bomb, {
      "content-encoding": "gzip",
    });
    expect(answer).toMatchObject({ status: 413, body: { code: "body_too_large" } });
    const plain = await post<Problem>(server.url, "/api/v1/events/batch", "[]", {
      "content-encoding": "gzip",
    });
    expect(plain.status).toBe(400);
  });

  test("counts events that it has already as duplicates, within a batch and later", async () => {
    const type = freshType();
    const one = event(type, 1, { id: "018f2f6e-1111-7000-8000-000000000001" });
    const two = event(type, 2, { id: "018f2f6e-1111-7000-8000-000000000002" });
    const first = await postBatch(server.url, [one, one, two]);
    expect(first.body).toMatchObject({ accepted: 2, duplicates: 1 });
    const second = await postBatch(server.url, [two, one]);
    expect(second.body).toMatchObject({ accepted: 0, duplicates: 2, sequences: [] });
    expect(await storedNumbers(type)).toEqual([1, 2]);
  });

  test("takes the fields from where the parameters say", async () => {
    const type = freshType();
    const events = [
      { time: 1_732_206_349_000_167, channel: "#en", who: "u7", added: 5, nested: { x: 1 } },
    ];
    const parameters = new URLSearchParams({
      timestamp: "time",
      event_type: `'${type}'`,
      source: "channel",
      user_id: "who",
    });
    const answer = await postBatch(server.url, events, {}, `?${parameters}`);
    expect(answer.body.accepted).toBe(1);
    const [stored] = await allEvents(server.url, { event_type: type });
    expect(stored).toMatchObject({
      timestamp: "2024-11-21T16:25:49.000167Z",
      event_type: type,
      source: "#en",
      user_id: "u7",
      properties: { added: 5, nested: { x: 1 } },
    });
    const seconds = await postBatch(
      server.url,
      [{ time: 5, n: 1 }],
      {},
      `?timestamp=time&timestamp_unit=s&event_type='${type}_s'`,
    );
    expect(seconds.body.accepted).toBe(1);
    const [early] = await allEvents(server.url, { event_type: `${type}_s` });
    expect(early?.timestamp).toMatch(/^1970-01-01T00:00:05(?:\.0+)?Z$/);
  });
});

describe("Idempotency-Key", () => {
  test("the same key and body get the same receipt and are stored once", async () => {
    const type = freshType();
    const headers = { "idempotency-key": `key-${type}` };
    const events = [event(type, 1), event(type, 2), {}];
    const first = await postBatch(server.url, events, headers);
    const second = await postBatch(server.url, events, headers);
    expect(first.body).toMatchObject({ accepted: 2, rejected: 1 });
    expect(second.status).toBe(200);
    expect(second.body).toEqual(first.body);
    expect(await storedNumbers(type)).toEqual([1, 2]);
  });

  test("another body under the key is 422", async () => {
    const type = freshType();
    const headers = { "idempotency-key": `key-${type}` };
    await postBatch(server.url, [event(type, 1)], headers);
    const answer = await postBatch(server.url, [event(type, 2)], headers);
    expect(answer.status).toBe(422);
    expect(await storedNumbers(type)).toEqual([1]);
  });

  test("many requests at once with one key: one is stored, the others are told so or to wait", async () => {
    const type = freshType();
    const headers = { "idempotency-key": `key-${type}` };
    const answers = await Promise.all(
      Array.from({ length: 16 }, () => postBatch(server.url, [event(type, 1)], headers)),
    );
    const statuses = new Set(answers.map((answer) => answer.status));
    expect([...statuses].filter((status) => status !== 200 && status !== 409)).toEqual([]);
    expect(statuses.has(200)).toBe(true);
    expect(await storedNumbers(type)).toEqual([1]);
  });
});

describe("everything else", () => {
  test.each([
    ["GET", "/api/v1/events", 405, "method_not_allowed"],
    ["POST", "/api/v1/nothing", 404, "not_found"],
    ["POST", "/api/v1/events?acknowledge=yes", 400, "invalid_parameter"],
    ["POST", "/api/v1/events?ack=maybe", 400, "invalid_parameter"],
  ])("%s %s is %i", async (method, path, status, code) => {
    const response = await fetch(`${server.url}${path}`, {
      method,
      ...(method === "POST" ? { body: "{}", headers: { "content-type": "application/json" } } : {}),
    });
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ status, code });
  });

  test("a body of another type is 415", async () => {
    const answer = await post<Problem>(server.url, "/api/v1/events", "a=b", {
      "content-type": "text/plain",
    });
    expect(answer.status).toBe(415);
  });

  test("a request id that comes is the one that goes", async () => {
    const answer = await post(server.url, "/api/v1/events/batch", "[]", {
      "x-request-id": "my-id-1",
    });
    expect(answer.headers.get("x-request-id")).toBe("my-id-1");
  });
});
