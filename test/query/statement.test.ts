import { parseSync } from "libpg-query";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { parseStatement, type StatementContext } from "../../src/query/sql/prepare.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import { StatementCache } from "../../src/query/sql/statement-cache.ts";

const context: StatementContext = {
  catalog: () => [
    { path: "properties.amount", types: ["number"] },
    { path: "properties.user\\.id.Größe x", types: ["string", "number"] },
  ],
  rules: () => [],
  nowUs: () => 1_795_435_200_000_000n,
};

const ask = (text: string, params: unknown[] = []) => parseStatement(text, params, context);

function rowsOf(text: string, params: unknown[] = []): unknown {
  const statement = ask(text, params);
  if (statement.kind !== "rows") throw new Error(`got ${statement.kind}`);
  return statement.rows;
}

describe("statements", () => {
  const select = "SELECT count(*) FROM events WHERE source = 'a'";

  test("are queries, and plans of queries", () => {
    expect(ask(select)).toEqual({ kind: "select", query: parseSql(select) });
    expect(ask(`EXPLAIN ${select}`)).toEqual({
      kind: "explain",
      analyze: false,
      format: "text",
      query: parseSql(select),
    });
    for (const head of ["EXPLAIN ANALYZE", "EXPLAIN (ANALYZE)", "explain (analyze on)"]) {
      expect(ask(`${head} ${select}`)).toMatchObject({ kind: "explain", analyze: true });
    }
    expect(ask(`EXPLAIN (ANALYZE false) ${select}`)).toMatchObject({ analyze: false });
  });

  test("intervals are ISO 8601, with and without FROM", () => {
    const text = "SELECT interval '1 month 2 days', timestamptz '2026-11-23T12:00:00Z'";
    expect(rowsOf(text)).toEqual([["P1M2D", "2026-11-23T12:00:00.000Z"]]);
  });

  test("what is not read from events has no plan, and says so", () => {
    const text = "EXPLAIN SELECT * FROM information_schema.tables";
    expect(() => ask(text)).toThrow("EXPLAIN of information_schema.tables: not supported yet");
  });

  test.each(["SHOW TABLES", " show  tables ; "])("%s", (text) => {
    expect(rowsOf(text)).toEqual([["public", "events"]]);
  });

  test.each([
    "DESCRIBE events",
    "desc Events;",
    'DESCRIBE "events"',
    "SHOW COLUMNS FROM public.events",
  ])("%s", (text) => {
    const rows = rowsOf(text) as unknown[][];
    expect(rows[0]).toEqual(["id", "uuid", false]);
    expect(rows).toContainEqual(["user_id", "text", true]);
    expect(rows.slice(-3)).toEqual([
      ["properties", "jsonb", false],
      ["properties.amount", "numeric", true],
      ['properties."user.id"."Größe x"', "variant", true],
    ]);
  });

  test("the catalog is asked as tables are", () => {
    expect(
      rowsOf(
        `SELECT column_name AS name, upper(data_type) FROM information_schema.columns c
         WHERE c.table_name = $1 AND column_name LIKE 'prop%' ORDER BY ordinal_position DESC LIMIT 1 OFFSET $2`,
        ["events", 1],
      ),
    ).toEqual([["properties.amount", "NUMERIC"]]);
    expect(rowsOf("SELECT * FROM information_schema.tables")).toEqual([
      ["millrace", "public", "events", "BASE TABLE"],
    ]);
    expect(rowsOf("SELECT schema_name FROM information_schema.schemata")).toEqual([
      ["information_schema"],
      ["public"],
    ]);
    expect(ask("SELECT ordinal_position FROM information_schema.columns LIMIT 0")).toMatchObject({
      columns: [{ name: "ordinal_position", type: "number" }],
      rows: [],
    });
  });

  test("the catalog's rows are grouped and counted as others are", () => {
    expect(rowsOf("SELECT count(*) FROM information_schema.tables")).toEqual([[1]]);
    const types = `SELECT data_type, count(*) AS n, max(ordinal_position) FROM information_schema.columns
      WHERE column_name LIKE 'properties.%' GROUP BY 1 HAVING count(*) > 0 ORDER BY n DESC, 1`;
    expect(rowsOf(types)).toEqual([
      ["numeric", 1, 11],
      ["variant", 1, 12],
    ]);
    expect(rowsOf("SELECT DISTINCT table_schema FROM information_schema.columns")).toEqual([
      ["public"],
    ]);
  });

  test("SELECT without FROM has one row", () => {
    expect(rowsOf("SELECT 1, 'a' AS x, now()")).toEqual([[1, "a", "2026-11-23T12:00:00.000Z"]]);
    expect(rowsOf("SELECT 1 WHERE 1 = 2")).toEqual([]);
  });

  test("what tools ask first has an answer", () => {
    const [[release, ...names]] = rowsOf(
      "SELECT version(), current_database(), current_catalog, pg_catalog.current_schema(), current_schema, " +
        "current_user, session_user, user, current_role, current_setting('server_version')",
    ) as [string[]];
    expect(release).toMatch(/^PostgreSQL \d+\.\d+ \(Millrace \d/);
    expect(names.slice(0, -1)).toEqual([
      ...["millrace", "millrace", "public", "public"],
      ...["millrace", "millrace", "millrace", "millrace"],
    ]);
    expect(rowsOf("SHOW server_version")).toEqual([[names.at(-1)]]);
    // The version is that of the grammar which reads the text.
    const number = parseSync("SELECT 1").version ?? 0;
    expect(rowsOf("SHOW server_version_num")).toEqual([[String(number)]]);
    expect(names.at(-1)).toMatch(`${Math.floor(number / 10_000)}.${number % 10_000} (Millrace `);
    expect(rowsOf("SHOW timezone")).toEqual([["UTC"]]);
    expect(rowsOf("SHOW TRANSACTION ISOLATION LEVEL")).toEqual([["repeatable read"]]);
    expect(rowsOf("SHOW ALL")).toContainEqual(["client_encoding", "UTF8"]);
    const named = [{ name: "version" }, { name: "current_user" }];
    expect(ask("SELECT version(), current_user")).toMatchObject({ columns: named });
  });

  test.each([
    ["SHOW server_versions", 501, "not_implemented", 1],
    ["SELECT version(1)", 400, "sql_semantics", 8],
    ["SELECT current_setting('work_mem')", 501, "not_implemented", 24],
    ["SELECT current_time", 501, "not_implemented", 8],
    ["DESCRIBE event", 400, "unknown_table", 10],
    ["SHOW work_mem", 501, "not_implemented", 1],
    ["EXPLAIN (FORMAT yaml) SELECT count(*) FROM events", 501, "not_implemented", 10],
    ["EXPLAIN DELETE FROM events", 400, "sql_semantics", 1],
    ["DELETE FROM events", 400, "sql_semantics", 1],
    ["SELECT nme FROM information_schema.tables", 400, "unknown_column", 8],
    ["SELECT topk(table_name, 3) FROM information_schema.tables", 501, "not_implemented", 1],
    [
      "SELECT count(*) FILTER (WHERE table_name = 'x') FROM information_schema.tables",
      501,
      "not_implemented",
      1,
    ],
    ["SELECT * FROM information_schema.views", 400, "unknown_table", 15],
    ["SELECT 1 UNION SELECT 2", 501, "not_implemented", 10],
    ["SELECT source", 400, "unknown_column", 8],
  ])("refuses %j with %d", (text, status, code, position) => {
    try {
      ask(text);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      expect([error.status, error.code, error.detail.position]).toEqual([status, code, position]);
      return;
    }
    throw new Error("nothing was refused");
  });
});

describe("the cache of statements", () => {
  test("compiles a text once for the same parameters, and parses it once for others", () => {
    const cache = new StatementCache();
    const text = "SELECT count(*) FROM events WHERE properties.n = $1";
    const first = cache.prepare(text, [1]);
    expect(cache.prepare(text, [1])).toBe(first);
    expect(cache.prepare(text, [2])).toMatchObject({ query: { where: { value: 2 } } });
    // The same digits are another value as text.
    expect(cache.prepare(text, ["1"])).toMatchObject({ query: { where: { value: "1" } } });
    expect(cache.figures()).toMatchObject({ entries: 4, hits: 1, parsedHits: 2, misses: 1 });
  });

  test("is bounded", () => {
    const cache = new StatementCache(8, 64 * 1024);
    for (let i = 0; i < 100; i++)
      cache.prepare(`SELECT count(*) FROM events WHERE source = '${i}'`);
    expect(cache.figures().entries).toBeLessThanOrEqual(8);
    expect(cache.figures().bytes).toBeLessThanOrEqual(64 * 1024);
    cache.prepare(`SELECT count(*) FROM events WHERE source = '${"x".repeat(60_000)}'`);
    expect(cache.figures().entries).toBeGreaterThan(1);
    expect(cache.figures().evictions).toBeGreaterThan(180);
  });

  test("keeps no errors", () => {
    const cache = new StatementCache();
    for (let i = 0; i < 2; i++)
      expect(() => cache.prepare("SELECT nope FROM events")).toThrow(InputError);
    expect(cache.figures().hits).toBe(0);
  });
});
