import { request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { eventually, type FrontServer, RawClient, startFront } from "../support/front-server.ts";

const servers: FrontServer[] = [];
const clients: RawClient[] = [];

async function start(...flags: string[]): Promise<FrontServer> {
  const server = await startFront(flags);
  servers.push(server);
  return server;
}

function connect(server: FrontServer): RawClient {
  const client = new RawClient(server.port);
  clients.push(client);
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  for (const server of servers.splice(0)) {
    server.engine.release();
    await server.stop(0);
  }
});

const event = '{"event_type":"a"}';

function head(path: string, length: number, ...headers: string[]): string {
  const lines = [
    `POST ${path} HTTP/1.1`,
    "Host: x",
    "Content-Type: application/json",
    `Content-Length: ${length}`,
    ...headers,
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

const count = (text: string, part: string) => text.split(part).length - 1;

describe("bodies", () => {
  it("are refused by their length before they are sent, and the connection goes on", async () => {
    const server = await start("--body-max", "1KiB");
    const client = connect(server);
    client.send(head("/api/v1/events", 2000)).send("x".repeat(2000));
    client.send(head("/api/v1/events", event.length)).send(event);
    const text = await client.until((c) => c.text.includes('"accepted":1'));
    expect(text).toMatch(/^HTTP\/1\.1 413 Payload Too Large/);
    expect(text).toContain('"code":"body_too_large"');
  });

  it("of unknown length are refused when they have grown too long, and the answer arrives", async () => {
    const server = await start("--body-max", "1KiB");
    const client = connect(server);
    client.send(
      "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
        "Transfer-Encoding: chunked\r\n\r\n",
    );
    const chunk = `400\r\n${"x".repeat(1024)}\r\n`;
    client.send(chunk + chunk);
    const text = await client.until((c) => c.text.includes("body_too_large"));
    expect(text).toMatch(/^HTTP\/1\.1 413 .*\r\n/);
    expect(text).toContain("Connection: close");
    expect(server.front.bodyBudget.bytes).toBe(0);
    client.send("0\r\n\r\n");
    await client.until((c) => c.closed);
  });

  it("that clients cut off are dropped without a trace", async () => {
    const server = await start();
    const client = connect(server);
    client.send(head("/api/v1/events", 1000)).send("x".repeat(500));
    await eventually(() => server.front.bodyBudget.bytes === 500);
    expect(server.front.counters.requestsInFlight).toBe(1);
    client.socket.destroy();
    await eventually(() => server.front.counters.requestsAborted === 1);
    expect(server.front.bodyBudget.bytes).toBe(0);
    expect(server.front.counters.requestsInFlight).toBe(0);
    expect(server.engine.requests).toHaveLength(0);
  });

  it("that come in too slowly are answered 408", async () => {
    const server = await start("--request-timeout", "100ms");
    const client = connect(server);
    client.send(head("/api/v1/events", 1000)).send("x");
    const text = await client.until((c) => c.closed);
    expect(text).toMatch(/^HTTP\/1\.1 408 Request Timeout/);
    expect(text).toContain('"code":"request_timeout"');
    expect(server.front.bodyBudget.bytes).toBe(0);
  });

  it("share a budget; beyond it the answer is 429 with Retry-After", async () => {
    const server = await start(
      "--bodies-max",
      "1MiB",
      "--body-max",
      "1MiB",
      "--ingest-queue",
      "2MiB",
    );
    const slow = connect(server);
    slow.send(head("/api/v1/events", 700_000)).send("x".repeat(600_000));
    await eventually(() => server.front.bodyBudget.bytes === 600_000);
    const client = connect(server);
    client.send(head("/api/v1/events", 600_000, "Expect: 100-continue"));
    const text = await client.until((c) => c.text.includes("too_many_bytes_in_flight"));
    expect(text).toMatch(/^HTTP\/1\.1 429 Too Many Requests/);
    expect(text).toContain("Retry-After: 1");
  });

  it("wait for 100 Continue, and are not asked for when they would be refused", async () => {
    const server = await start("--body-max", "1KiB");
    const client = connect(server);
    client.send(head("/api/v1/events", event.length, "Expect: 100-continue"));
    await client.until((c) => c.text.includes("HTTP/1.1 100 Continue"));
    client.send(event);
    await client.until((c) => c.text.includes('"accepted":1'));
    const refused = connect(server);
    refused.send(head("/api/v1/events", 5000, "Expect: 100-continue"));
    const text = await refused.until((c) => c.text.includes("body_too_large"));
    expect(text).not.toContain("100 Continue");
    const odd = connect(server);
    odd.send(head("/api/v1/events", 5, "Expect: miracles"));
    expect(await odd.until((c) => c.text.includes("\r\n\r\n{"))).toMatch(/^HTTP\/1\.1 417/);
  });
});

describe("connections", () => {
  it("answer pipelined requests in order, whatever is ready first", async () => {
    const server = await start();
    server.engine.hold();
    const client = connect(server);
    for (let i = 0; i < 5; i++) {
      const body = `{"event_type":"n${i}"}`;
      client.send(head("/api/v1/events", body.length, `X-Request-Id: r${i}`)).send(body);
    }
    client.send("GET /api/v1/health/live HTTP/1.1\r\nHost: x\r\nX-Request-Id: last\r\n\r\n");
    await eventually(() => server.engine.heldCount() === 5);
    for (const index of [4, 1, 2, 0, 0]) server.engine.answerHeld(index);
    const text = await client.until((c) => count(c.text, "HTTP/1.1 200") === 6);
    const order = [...text.matchAll(/X-Request-Id: (\S+)/gi)].map((match) => match[1]);
    expect(order).toEqual(["r0", "r1", "r2", "r3", "r4", "last"]);
  });

  it("hear 503 when too many requests are in flight", async () => {
    const server = await start("--requests-max", "2");
    server.engine.hold();
    const client = connect(server);
    for (let i = 0; i < 3; i++) client.send(head("/api/v1/events", event.length)).send(event);
    await eventually(() => server.engine.heldCount() === 2);
    server.engine.release();
    const text = await client.until((c) => c.text.includes("too_many_requests_in_flight"));
    expect(text).toContain("HTTP/1.1 503");
    expect(server.front.counters.requestsInFlight).toBe(0);
  });

  it("beyond the limit are closed", async () => {
    const server = await start("--connections-max", "1");
    const first = connect(server);
    first.send("GET /api/v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n");
    await first.until((c) => c.text.includes("200 OK"));
    await connect(server).until((c) => c.closed);
    await eventually(() => server.front.counters.connectionsRefused === 1);
  });

  it.each([
    ["HELLO\r\n\r\n", "400 Bad Request", "malformed_request"],
    [`GET / HTTP/1.1\r\nHost: x\r\nA: ${"x".repeat(20_000)}\r\n\r\n`, "431 ", "headers_too_large"],
    ["GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400 Bad Request", "malformed_request"],
  ])("that do not speak HTTP are told so", async (sent, status, code) => {
    const server = await start();
    const text = await connect(server)
      .send(sent)
      .until((c) => c.text.includes(code));
    expect(text).toContain(`HTTP/1.1 ${status}`);
    expect(text).toContain("application/problem+json");
  });
});

describe("routes", () => {
  it.each([
    ["GET", "/nothing", 404, "not_found", null],
    ["POST", "/api/v1/events/", 404, "not_found", null],
    ["GET", "/api/v1/events", 405, "method_not_allowed", "POST"],
    ["DELETE", "/api/v1/events/batch", 405, "method_not_allowed", "POST"],
    ["POST", "/api/v1/analytics/events", 405, "method_not_allowed", "GET, HEAD"],
    ["GET", "/api/v1/analytics/custom-query", 405, "method_not_allowed", "POST"],
    ["PUT", "/metrics", 405, "method_not_allowed", "GET, HEAD"],
    ["GET", "/api/v1/stream/events", 426, "upgrade_required", null],
  ])("%s %s is %i", async (method, path, status, code, allow) => {
    const server = await start();
    const response = await fetch(server.url + path, { method, headers: { "x-request-id": "r" } });
    expect(response.status).toBe(status);
    expect(response.headers.get("allow")).toBe(allow);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("x-request-id")).toBe("r");
    expect(await response.json()).toMatchObject({ code, status, request_id: "r" });
  });

  it("answers HEAD without a body", async () => {
    const server = await start();
    const response = await fetch(`${server.url}/api/v1/health`, { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });
});

describe("stop", () => {
  it("finishes what was accepted, takes nothing new and closes", async () => {
    const server = await start();
    server.engine.hold();
    const busy = connect(server);
    busy.send(head("/api/v1/events", event.length)).send(event);
    const idle = connect(server);
    idle.send("GET /api/v1/health/ready HTTP/1.1\r\nHost: x\r\n\r\n");
    await idle.until((c) => c.text.includes("200 OK"));
    await eventually(() => server.engine.heldCount() === 1);
    const stopped = server.stop(5000);
    await idle.until((c) => c.closed);
    // What comes on a connection that is still busy is refused, in its turn.
    busy.send(head("/api/v1/events", event.length)).send(event);
    await eventually(() => server.front.counters.requestsInFlight === 1);
    server.engine.release();
    const text = await busy.until((c) => c.closed);
    expect(text).toContain('"accepted":1');
    expect(text).toContain("Connection: close");
    expect(await stopped).toBe(true);
    await connect(server).until((c) => c.closed);
  });

  it("cuts off what is not finished at the deadline", async () => {
    const server = await start();
    server.engine.hold();
    const client = connect(server);
    client.send(head("/api/v1/events", event.length)).send(event);
    await eventually(() => server.engine.heldCount() === 1);
    expect(await server.stop(20)).toBe(false);
    await client.until((c) => c.closed);
  });

  it("says so in its health", async () => {
    const server = await start();
    server.front.stopping = true;
    const response = await fetch(`${server.url}/health/ready`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      reason: "the server is stopping",
      ingest: false,
    });
  });
});

describe("a client that goes away", () => {
  it("ends its query", async () => {
    const server = await start();
    server.engine.gate = new Promise(() => {});
    const call = request(`${server.url}/api/v1/analytics/events`);
    call.on("error", () => {});
    call.end();
    await eventually(() => server.engine.eventsRequests.length === 1);
    call.destroy();
    await eventually(() => server.engine.aborted === 1);
  });
});
