import { createServer } from "node:http";
import { describe, expect, test } from "vitest";
import { startDrain } from "../../bench/drain.ts";
import { EventStream, encodeBody, FreshBody } from "../../bench/events.ts";
import { generate, type Load, readAnswer } from "../../bench/generator.ts";
import { compare, reportRow, smokeEffort } from "../../bench/harness.ts";
import { startHono } from "../../bench/hono.ts";
import { listen } from "../../bench/listener.ts";
import { scenarioRows } from "../../bench/load.ts";
import { median, percentile, scaled, table } from "../../bench/machine.ts";
import { areas, runArea, smokeSizes } from "../../bench/run.ts";
import { steady } from "../../bench/stream.ts";
import { startTwin } from "../../bench/twin.ts";

// The benchmarks in sizes that take no time, so that they can't rot. Nothing here fails for being slow.

test.each(areas)("%s: both ways answer the same", async (area) => {
  const rows = await runArea(area, smokeSizes, smokeEffort);
  expect(rows.length).toBeGreaterThan(0);
});

test("ways that answer differently are not timed", async () => {
  const way = (result: number) => ({ name: String(result), run: () => 1, result: () => result });
  const wrong = { name: "wrong", units: 1, unit: "runs", reference: way(1), candidate: way(2) };
  await expect(compare(wrong, smokeEffort)).rejects.toThrow("wrong: 2 answers what 1 answers");
  const right = { ...wrong, name: "right", candidate: way(1), must: 4, aim: 6 };
  const measured = await compare(right, smokeEffort);
  expect(measured.ratio).toBeGreaterThan(0);
  expect(reportRow(right, measured)[4]).toBe("≥ 4×, aim 6×");
});

describe("events", () => {
  test("a seed makes the same events, and no id comes twice", () => {
    expect(new EventStream(3).take(5)).toEqual(new EventStream(3).take(5));
    const ids = [...new EventStream(1).take(2000), ...new EventStream(2).take(2000)].map(
      ({ id }) => id,
    );
    expect(new Set(ids).size).toBe(4000);
    const bytes = encodeBody(new EventStream(1).take(1000), "json").length / 1000;
    expect(Math.round(bytes / 4)).toBe(72); // 288 bytes, give or take two
  });

  test.each(["json", "msgpack"] as const)("a %s body gets new ids in place", (format) => {
    const body = new FreshBody(new EventStream(1).take(3), format, (length) => `${length}|`);
    const seen = new Set<string>();
    for (let first = 0; first < 30; first += 3) {
      body.refresh(first);
      for (const [id] of body.bytes.toString("latin1").matchAll(/00000001-[0-9a-f-]{27}/g)) {
        seen.add(id);
      }
    }
    expect(seen.size).toBe(30);
  });
});

describe("load", () => {
  const load: Omit<Load, "port" | "path"> = {
    format: "json",
    batch: 10,
    connections: 2,
    seconds: 5,
    requestsMax: 6,
    seed: 1,
  };

  test.each([
    ["twin", startTwin, 10],
    ["drain", startDrain, 0],
    ["hono", startHono, 0],
  ] as const)("%s answers", async (_name, start, accepted) => {
    const server = await start();
    for (const format of ["json", "msgpack"] as const) {
      const path = "/api/v1/events/batch";
      const seed = format === "json" ? 1 : 2;
      const result = await generate({ ...load, port: server.port, path, format, seed });
      expect(result.requests).toBeGreaterThanOrEqual(6);
      expect(result.refused).toEqual({});
      expect(JSON.parse(result.sample)).toMatchObject({ accepted, rejected: 0 });
    }
    await server.close();
  });

  test("the twin counts duplicates and rejects what is no event", async () => {
    const server = await startTwin();
    const url = `http://127.0.0.1:${server.port}/api/v1/events/batch`;
    const [event] = new EventStream(9).take(1);
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify([event, event, { event_type: 5 }]);
    const answer = await (await fetch(url, { method: "POST", headers, body })).json();
    expect(answer).toMatchObject({ accepted: 1, duplicates: 1, rejected: 1 });
    await server.close();
  });

  test("refusals are counted and don't end a run", async () => {
    const server = await listen(
      createServer((request, response) => {
        request.resume().on("end", () => response.writeHead(429).end("later"));
      }),
      0,
    );
    const result = await generate({ ...load, port: server.port, path: "/" });
    expect(result.requests).toBe(0);
    expect(result.refused["429"]).toBeGreaterThanOrEqual(6);
    await server.close();
  });

  test("a steady stream keeps its rate down", async () => {
    const server = await startDrain();
    const streaming = steady(server.port, 50_000, 1);
    expect(await streaming.stop()).toBeGreaterThan(0);
    await server.close();
  });

  test("answers are found in the bytes", () => {
    const plain = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    expect(readAnswer(Buffer.from(plain))).toMatchObject({ status: 200, end: plain.length });
    for (let end = 0; end < plain.length; end++) {
      expect(readAnswer(Buffer.from(plain.slice(0, end)))).toBeNull();
    }
    const chunked = "HTTP/1.1 202 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    expect(readAnswer(Buffer.from(chunked))).toMatchObject({ status: 202, end: chunked.length });
  });

  test("rows compare servers round by round", () => {
    const scenario = { batch: 10, format: "json", durable: true, connections: 2 } as const;
    const result = (events: number) => {
      const times = { seconds: 1, p50: 1, p99: 2, p999: 3 };
      return { requests: 1, events, bytes: 10, refused: {}, sample: "", ...times };
    };
    const rows = scenarioRows(
      scenario,
      new Map([
        ["millrace", [result(100), result(300)]],
        ["twin", [result(10), result(10)]],
      ]),
    );
    expect(rows[1]?.[8]).toBe("20.0×");
    expect(table(["a"], [["bb"]])).toBe("| a   |\n| --- |\n| bb  |");
    expect([
      scaled(1234567),
      scaled(12.345),
      median([3, 1, 2]),
      percentile([1, 2, 3, 4], 0.5),
    ]).toEqual(["1.23 M", "12.3", 2, 2]);
  });
});
