import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { QueryInfo, ResultRest } from "../../src/engine/engine.ts";
import { get, type Problem, post } from "../support/api.ts";
import { type FrontServer, startFront } from "../support/front-server.ts";

let server: FrontServer;

beforeAll(async () => {
  server = await startFront();
});

afterAll(() => server.stop(1000));

beforeEach(() => {
  server.engine.running = [];
  server.engine.rest = null;
  server.engine.options.length = 0;
});

const running: QueryInfo = {
  id: "q1",
  kind: "query",
  state: "running",
  text: "SELECT 1",
  requestId: "r1",
  startedUs: 1_790_000_000_000_000n,
  elapsedMs: 12.6,
  rowsScanned: 100,
  rowsTotal: 400,
  workers: 2,
  timeoutMs: 30_000,
  memoryBytes: 1024,
};

const ask = (body: object, accept = "application/json") =>
  post<Problem>(server.url, "/api/v1/analytics/custom-query", JSON.stringify(body), { accept });
const sql = "SELECT count(*) AS n FROM events";

describe("/queries", () => {
  it("lists what runs", async () => {
    server.engine.running = [running];
    const { body } = await get<{ queries: unknown[] }>(server.url, "/api/v1/queries");
    expect(body).toEqual({
      queries: [
        {
          id: "q1",
          kind: "query",
          state: "running",
          text: "SELECT 1",
          request_id: "r1",
          started: "2026-09-21T14:13:20.000Z",
          elapsed_ms: 13,
          rows_scanned: 100,
          rows_total: 400,
          workers: 2,
          timeout_ms: 30_000,
          memory_bytes: 1024,
        },
      ],
    });
  });

  it("kills one, and says who did", async () => {
    server.engine.running = [running];
    const url = `${server.url}/api/v1/queries/q1`;
    const killed = await fetch(url, { method: "DELETE", headers: { "x-request-id": "admin-7" } });
    expect(killed.status).toBe(200);
    expect(server.engine.killed).toEqual([["q1", "DELETE /api/v1/queries/q1, request admin-7"]]);
    const unknown = await fetch(`${server.url}/api/v1/queries/q2`, { method: "DELETE" });
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ code: "query_not_found" });
    expect((await fetch(url)).status).toBe(405);
  });
});

describe("limits of a request", () => {
  it("are handed to the engine, with an id that the answer has", async () => {
    const limits = { timeout_ms: 5000, max_memory: "16MiB", max_rows: 10, max_groups: 20 };
    const { status, headers } = await ask({ sql, ...limits });
    expect(status).toBe(200);
    expect(server.engine.options[0]).toMatchObject({
      id: headers.get("millrace-query-id"),
      requestId: headers.get("x-request-id"),
      text: sql,
      timeoutMs: 5000,
      memoryBytes: 16 * 1024 * 1024,
      rowsMax: 10,
      groupsMax: 20,
    });
    await ask({ query: { select: [{ fn: "count" }] }, max_memory: 4096 });
    expect(server.engine.options[1]).toMatchObject({ memoryBytes: 4096 });
  });

  it.each([{ timeout_ms: 0 }, { timeout_ms: "5s" }, { max_memory: "much" }, { max_rows: -1 }])(
    "%j is refused",
    async (limits) => {
      const { status, body } = await ask({ sql, ...limits });
      expect(status).toBe(400);
      expect(body.detail).toContain(Object.keys(limits)[0]);
    },
  );
});

describe("a large result", () => {
  /** Gives its chunks, then an end or a failure. */
  function restOf(chunks: string[], failure?: Error): ResultRest & { cancelled: boolean } {
    return {
      cancelled: false,
      async next() {
        const chunk = chunks.shift();
        if (chunk !== undefined) return [Buffer.from(chunk)];
        if (failure) throw failure;
        return [];
      },
      cancel() {
        this.cancelled = true;
      },
      onFailure() {},
    };
  }

  it("is sent to its end", async () => {
    server.engine.rest = restOf(["one\n", "two\n", "three\n"]);
    const { text } = await ask({ sql }, "application/x-ndjson");
    expect(text.endsWith("one\ntwo\nthree\n")).toBe(true);
  });

  it("that fails is cut off: its client sees that it is not whole", async () => {
    server.engine.rest = restOf(["one\n"], new Error("the worker died"));
    await expect(ask({ sql }, "application/x-ndjson")).rejects.toThrow();
    server.engine.rest = null;
    expect((await ask({ sql })).status).toBe(200);
  });
});
