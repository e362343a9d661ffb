import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { runTail } from "../../src/cli/tail.ts";
import { parseTailOptions } from "../../src/cli/tail-options.ts";
import { eventTexts, prettyLine } from "../../src/cli/tail-print.ts";

let server: WebSocketServer;
let output: string[];
/** What a socket does with the subscription that it gets, by the connection's number. */
let onSubscribe: (socket: WebSocket, message: Record<string, unknown>, connection: number) => void;
let connections: number;

beforeEach(async () => {
  output = [];
  connections = 0;
  vi.spyOn(console, "log").mockImplementation((line: string) => void output.push(line));
  vi.spyOn(console, "error").mockImplementation((line: string) => void output.push(line));
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    output.push(...String(text).trimEnd().split("\n"));
    return true;
  });
  server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await new Promise((resolve) => server.once("listening", resolve));
  server.on("connection", (socket) => {
    const connection = connections++;
    socket.on("message", (data) => onSubscribe(socket, JSON.parse(String(data)), connection));
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const client of server.clients) client.terminate();
  await new Promise((resolve) => server.close(resolve));
});

function run(...flags: string[]): Promise<number> {
  const { port } = server.address() as AddressInfo;
  return runTail(["--url", `http://127.0.0.1:${port}`, ...flags]);
}

function frame(events: string[], cursor: string): string {
  return `{"type":"events","id":"tail","events":[${events.join(",")}],"cursor":"${cursor}"}`;
}

describe("tail", () => {
  test("prints what comes, digit for digit, and stops at --limit", async () => {
    const subscriptions: unknown[] = [];
    const events = ['{"properties":{"n":12345678901234567890}}', '{"a":"]}\\",["}', '{"b":1}'];
    onSubscribe = (socket, message) => {
      subscriptions.push(message);
      socket.send('{"type":"subscribed","id":"tail","cursor":"c0"}');
      socket.send(frame(events.slice(0, 2), "c1"));
      socket.send(frame(events.slice(2), "c2"));
    };
    const flags = ["--where", "properties.n > 1", "--event-type", "buy", "--from", "earliest"];
    expect(await run(...flags, "--format", "json", "--limit", "3")).toBe(0);
    expect(output).toEqual(events);
    expect(subscriptions).toEqual([
      {
        type: "subscribe",
        id: "tail",
        where: "properties.n > 1",
        event_type: "buy",
        from: "earliest",
      },
    ]);
  });

  test("goes on at its cursor after a lost connection", async () => {
    const subscriptions: Record<string, unknown>[] = [];
    onSubscribe = (socket, message, connection) => {
      subscriptions.push(message);
      socket.send(frame([`{"n":${connection}}`], `c${connection}`));
      if (connection === 0) socket.send(frame(["{}"], "c-last"), () => socket.terminate());
    };
    expect(await run("--format", "json", "--limit", "3")).toBe(0);
    expect(output.filter((line) => line.startsWith("{"))).toEqual(['{"n":0}', "{}", '{"n":1}']);
    expect(subscriptions.map(({ from, cursor }) => ({ from, cursor }))).toEqual([
      { from: "now", cursor: undefined },
      { from: undefined, cursor: "c-last" },
    ]);
  });

  test("says what it missed and goes on; ends when the subscription is refused", async () => {
    onSubscribe = (socket) => {
      socket.send('{"type":"missed","id":"tail","count":7,"resume":"c1"}');
      socket.send('{"type":"error","id":"tail","error":{"status":400,"detail":"no such field"}}');
    };
    expect(await run()).toBe(1);
    expect(output).toEqual([
      "millrace tail: fell behind and missed 7 events",
      "millrace tail: no such field",
    ]);
  });

  test("ends in peace on SIGINT", async () => {
    onSubscribe = () => process.emit("SIGINT");
    expect(await run()).toBe(0);
  });

  test("fails when nobody answers at first", async () => {
    expect(await runTail(["--url", "http://127.0.0.1:1"])).toBe(1);
    expect(output.at(-1)).toMatch(/can't reach 127\.0\.0\.1:1: .*ECONNREFUSED/);
  });

  test("wrong flags are refused by name", async () => {
    expect(await runTail(["--from", "yesterday"])).toBe(2);
    expect(output.at(-1)).toMatch(/--from: got 'yesterday', want one of earliest, now/);
    expect(await runTail(["--where", "properties.n", ">", "1"])).toBe(2);
    expect(output.at(-1)).toMatch(/got '>', want flags only/);
    expect(parseTailOptions([], true)?.format).toBe("pretty");
    expect(parseTailOptions([], false)?.format).toBe("json");
  });
});

describe("lines", () => {
  test("the events of a frame, whatever stands inside them", () => {
    expect(eventTexts(frame(['{"events":[{"x":1}]}', "{}"], "c"))).toEqual([
      '{"events":[{"x":1}]}',
      "{}",
    ]);
    expect(eventTexts('{"type":"heartbeat"}')).toEqual([]);
  });

  test.each([
    [
      `{"id":"1","timestamp":"2026-11-23T12:00:00Z","event_type":"buy","source":"web","user_id":"u1",
        "properties":{"n":12345678901234567890}}`,
      '2026-11-23T12:00:00Z  buy  web  user=u1  {"n":12345678901234567890}',
    ],
    [
      '{"timestamp":"2026-11-23T12:00:00Z","event_type":"buy","properties":{"n":1},"sequence":"7"}',
      '2026-11-23T12:00:00Z  buy  {"n":1}',
    ],
    [
      '{"timestamp":"2026-11-23T12:00:00Z","event_type":"buy","session_id":"s"}',
      "2026-11-23T12:00:00Z  buy  session=s",
    ],
  ])("%s", (event, line) => {
    expect(prettyLine(event)).toBe(line);
  });
});
