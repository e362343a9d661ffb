import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RuleStats, StreamStats } from "../../src/stream/messages.ts";
import type { Problem } from "../support/api.ts";
import { type FrontServer, startFront } from "../support/front-server.ts";

// The routes of aggregation rules, over an engine and a stream thread that are not there.

let server: FrontServer;

beforeAll(async () => {
  server = await startFront();
});

afterAll(() => server.stop(1000));

beforeEach(async () => {
  for (const { rule } of server.engine.streams.rules()) {
    await server.engine.streams.change([], [rule.number]);
  }
  server.engine.streams.figures = null;
});

const path = "/api/v1/aggregations";

interface Rule extends Problem {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly definition: Record<string, unknown>;
  readonly warnings: { readonly code: string }[];
}

async function call<T = Rule>(method: string, to: string, body?: unknown) {
  const response = await fetch(server.url + to, {
    method,
    ...(body !== undefined && {
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "content-type": "application/json" },
    }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: JSON.parse(text || "{}") as T,
  };
}

const form = {
  name: "per_minute",
  event_filter: "event_type = 'purchase'",
  window: { type: "tumbling", size: "1m" },
  aggregations: [{ fn: "count", as: "n" }],
  group_by: ["source"],
};

describe("a rule", () => {
  test("is created, read, listed, replaced and deleted", async () => {
    const created = await call("POST", path, form);
    expect(created.status).toBe(201);
    const { id } = created.body;
    expect(created.headers.get("location")).toBe(`${path}/${id}`);
    expect(created.body).toMatchObject({
      name: "per_minute",
      version: 1,
      versions: [1],
      state: "live",
      paused: false,
      complete: true,
      from_sequence: "0",
      backfill: null,
      stats: null,
      definition: { ...form, allowed_lateness: "1m", retention: null },
      warnings: [{ code: "no_events" }],
    });
    for (const reference of [id, "per_minute", "per_minute@1"]) {
      expect((await call("GET", `${path}/${reference}`)).body).toEqual(created.body);
    }
    const listed = await call<{ aggregations: Rule[] }>("GET", path);
    expect(listed.body.aggregations.map(({ name }) => name)).toEqual(["per_minute"]);

    const definition = { ...created.body.definition, group_by: [] };
    const replaced = await call("PUT", `${path}/per_minute`, definition);
    expect(replaced.status).toBe(200);
    expect(replaced.body).toMatchObject({ id, version: 2, versions: [1, 2], definition });
    expect((await call("GET", `${path}/per_minute@1`)).body).toMatchObject({ state: "replaced" });

    expect((await call("DELETE", `${path}/${id}`)).status).toBe(204);
    expect(await call("GET", `${path}/${id}`)).toMatchObject({
      status: 404,
      body: { code: "rule_not_found" },
    });
  });

  test("may be one SQL statement, and integers keep their digits", async () => {
    const sql =
      "SELECT count(*) AS n FROM events GROUP BY SESSION(timestamp, INTERVAL '5 minutes')";
    expect((await call("POST", path, { name: "visits", sql })).body.definition).toMatchObject({
      sql,
      max_windows: 100_000,
    });
    const text = `{"name":"big","event_filter":{"field":"properties.n","op":"=","value":9007199254740993},
      "window":{"type":"tumbling","size":"1m"},"aggregations":[{"fn":"count"}]}`;
    await call("POST", path, text);
    const read = await fetch(`${server.url}${path}/big`);
    expect(await read.text()).toContain('"value":9007199254740993');
  });

  test("is paused and resumed", async () => {
    await call("POST", path, form);
    const paused = await call("POST", `${path}/per_minute/pause`);
    expect([paused.status, paused.body]).toMatchObject([200, { paused: true, complete: false }]);
    expect((await call("POST", `${path}/per_minute/resume`)).body).toMatchObject({ paused: false });
  });

  test("is computed again for a range", async () => {
    await call("POST", path, form);
    const to = `${path}/per_minute/recompute`;
    const range = { from: "2026-11-23T12:00:00Z", to: "2026-11-23T13:00:00Z" };
    expect(await call("POST", to, range)).toMatchObject({
      status: 200,
      body: { windows: expect.any(Number), folded: expect.any(Number), kept: 0 },
    });
    expect((await call("POST", to, { from: range.to, to: range.from })).body).toMatchObject({
      status: 400,
      pointer: "#/to",
    });
    expect((await call("POST", to, { from: range.from })).body).toMatchObject({ pointer: "#/to" });
  });

  test("shows what the stream thread says of it", async () => {
    const { body } = await call("POST", path, form);
    const [record] = server.engine.streams.rules();
    if (record === undefined) throw new Error("it was not stored");
    const backfill = { from: 0n, next: 30n, until: 100n };
    await server.engine.streams.change([{ ...record, backfill }], []);
    const figures: Partial<RuleStats> = { rule: record.rule.number, rows: 12, tooLate: 3 };
    const stats: unknown = { rules: [figures] };
    server.engine.streams.figures = stats as StreamStats;
    expect((await call("GET", `${path}/${body.id}`)).body).toMatchObject({
      backfill: { from: "0", next: "30", until: "100", events_left: 70 },
      stats: { events: 12, too_late: 3 },
    });
  });
});

describe("refusals", () => {
  test.each<[string, string, unknown, number, object]>([
    ["POST", path, { ...form, windw: 1 }, 400, { code: "invalid_rule", pointer: "#" }],
    ["POST", path, "{", 400, { code: "invalid_json" }],
    ["POST", path, { name: "x", sql: "SELEC" }, 400, { pointer: "#/sql", position: 1 }],
    ["POST", path, { name: "x", sql: "SELECT 1 FROM a JOIN b ON true" }, 501, { position: 15 }],
    ["PUT", `${path}/nobody`, form, 404, { code: "rule_not_found" }],
    ["DELETE", `${path}/nobody`, undefined, 404, { code: "rule_not_found" }],
    ["POST", `${path}/nobody/pause`, undefined, 404, { code: "rule_not_found" }],
    ["PATCH", `${path}/nobody`, undefined, 405, { allow: ["GET", "HEAD", "PUT", "DELETE"] }],
    ["GET", `${path}/nobody/pause`, undefined, 405, { allow: ["POST"] }],
    ["DELETE", path, undefined, 405, { allow: ["GET", "HEAD", "POST"] }],
    ["GET", `${path}/a/b/c`, undefined, 404, { code: "not_found" }],
  ])("%s %s %j", async (method, to, body, status, problem) => {
    const answer = await call(method, to, body);
    expect(answer.body).toMatchObject({ status, ...problem });
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });

  test("a name that is taken, and one that would change", async () => {
    await call("POST", path, form);
    expect((await call("POST", path, form)).body).toMatchObject({
      status: 409,
      code: "rule_exists",
      pointer: "#/name",
    });
    const other = { ...form, name: "other" };
    expect((await call("PUT", `${path}/per_minute`, other)).body).toMatchObject({
      status: 400,
      code: "rule_name_immutable",
    });
  });

  test("a body that is not JSON by its type", async () => {
    const response = await fetch(server.url + path, { method: "POST", body: "name=x" });
    expect(response.status).toBe(415);
  });
});
