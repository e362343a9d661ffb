import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { runQuery } from "../../src/cli/query.ts";
import { caretLines, refusalText } from "../../src/cli/query-error.ts";
import { parseQueryOptions } from "../../src/cli/query-options.ts";
import { runPrompt } from "../../src/cli/query-prompt.ts";
import { footerText, tableText } from "../../src/cli/query-table.ts";
import { cutStatements } from "../../src/cli/statements.ts";
import { cutText, textWidth, visibleText } from "../../src/cli/text-width.ts";

let server: Server;
let output: string;
let errors: string[];
let bodies: string[];
let answer: (res: ServerResponse, req: IncomingMessage) => void;

beforeEach(async () => {
  output = "";
  errors = [];
  bodies = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => void (output += `${line}\n`));
  vi.spyOn(console, "error").mockImplementation((line: string) => void errors.push(line));
  vi.spyOn(process.stdout, "write").mockImplementation((text, ...rest: unknown[]) => {
    output += Buffer.from(text as Uint8Array).toString();
    const done = rest.at(-1);
    if (typeof done === "function") queueMicrotask(() => done());
    return true;
  });
  server = createServer((req, res) => {
    let body = "";
    req.on("data", (chunk) => {
      body += chunk;
    });
    req.on("end", () => {
      bodies.push(body);
      answer(res, req);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function run(...argv: string[]): Promise<number> {
  const { port } = server.address() as AddressInfo;
  return runQuery(["--url", `http://127.0.0.1:${port}`, ...argv]);
}

const document = {
  columns: [
    { name: "source", type: "string" },
    { name: "n", type: "number" },
  ],
  rows: [
    ["web", 10],
    [null, 9],
  ],
  as_of: "20",
  stats: { execution_us: 1234 },
};

describe("query", () => {
  test("prints a table, with integers beyond 2^53 as they are", async () => {
    answer = (res) =>
      res.end(JSON.stringify(document).replace(":[[", ':[["東京",9007199254740993],['));
    expect(await run("--format", "table", "SELECT 1")).toBe(0);
    expect(output.split("\n")).toEqual([
      " source │                n",
      "────────┼──────────────────",
      " 東京   │ 9007199254740993",
      " web    │               10",
      " NULL   │                9",
      "3 rows in 1.2 ms",
      "",
    ]);
  });

  test("sends parameters as what they look like", async () => {
    answer = (res) => res.end("{}\n");
    const values = ["5", "-1.5", "true", "null", "text", '"5"', "9007199254740993", "1 2", "[1]"];
    expect(await run("S $1", ...values.map((value) => `--param=${value}`))).toBe(0);
    expect(bodies).toEqual([
      '{"sql":"S $1","params":[5,-1.5,true,null,"text","5",9007199254740993,"1 2","[1]"]}',
    ]);
  });

  test("asks for the format and passes its bytes on", async () => {
    answer = (res, req) => res.end(`${req.headers.accept}\n`);
    for (const format of ["ndjson", "csv"]) expect(await run("--format", format, "S")).toBe(0);
    expect(await run("S")).toBe(0);
    expect(output).toBe("application/x-ndjson\ntext/csv\napplication/x-ndjson\n");
  });

  test("shows where a statement is wrong, and stops there", async () => {
    answer = (res) => {
      res.statusCode = 400;
      res.end('{"detail":"there is no column \\"b\\", at character 12","code":"x","position":12}');
    };
    expect(await run("SELECT a,\n b FROM events; SELECT 2")).toBe(1);
    expect(errors).toEqual(['ERROR: there is no column "b"\nLINE 2:  b FROM events\n         ^']);
    expect(bodies).toHaveLength(1);
  });

  test("an answer that is cut off, and nobody who answers", async () => {
    answer = (res) => {
      res.writeHead(200, { "content-length": 100 });
      res.write('{"n":1}\n', () => res.destroy());
    };
    expect(await run("S")).toBe(1);
    expect(errors.pop()).toMatch(/^millrace query: the answer was cut off: /);
    expect(await runQuery(["--url", "http://127.0.0.1:1", "S"])).toBe(1);
    expect(errors.pop()).toMatch(/can't reach 127\.0\.0\.1:1: .*ECONNREFUSED/);
  });

  test("an interrupt closes the connection: code 130", async () => {
    const gone = new Promise<void>((resolve) => {
      answer = (_res, req) => {
        req.socket.on("close", () => resolve());
        process.emit("SIGINT");
      };
    });
    expect(await run("S")).toBe(130);
    await gone;
    expect(errors).toEqual(["cancelled"]);
  });

  test("--timeout closes it too: code 1", async () => {
    const gone = new Promise<void>((resolve) => {
      answer = (_res, req) => req.socket.on("close", () => resolve());
    });
    expect(await run("--timeout", "1", "S")).toBe(1);
    await gone;
    expect(errors[0]).toMatch(/no answer within 1 s/);
  });

  test("wrong flags are refused by name: code 2", async () => {
    expect(await run("--format", "xml", "S")).toBe(2);
    expect(await run("SELECT", "1")).toBe(2);
    expect(await run("--file", "a.sql", "S")).toBe(2);
    expect(errors.join("\n")).toMatch(/--format: got 'xml'[\s\S]*want one statement[\s\S]*--file/);
    expect(await run("--file", "/nowhere/a.sql")).toBe(1);
    expect(errors.at(-1)).toMatch(/ENOENT.*a\.sql/);
  });

  test("the terminal decides what is not said", () => {
    const both = { input: true, output: true };
    expect(parseQueryOptions([], both)).toMatchObject({
      format: "table",
      source: { kind: "prompt" },
    });
    expect(parseQueryOptions([], { input: false, output: false })).toMatchObject({
      format: "ndjson",
      source: { kind: "file", path: "-" },
    });
    expect(parseQueryOptions(["-"], both)?.source).toEqual({ kind: "file", path: "-" });
  });
});

describe("the table", () => {
  const columns = [
    { name: "name", type: "string" },
    { name: "n", type: "number" },
    { name: "doc", type: "json" },
  ];
  const rows = [["a long text that goes on", 5, { a: [1n] }]];

  test("cuts what does not fit, widest first", () => {
    const lines = tableText({ columns, rows }, { width: 35, colors: false }).split("\n");
    expect(lines.at(-1)).toBe(' a long text that… │ 5 │ {"a":[1]}');
    for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(35);
  });

  test("becomes a list where nothing would be left of the cells", () => {
    expect(tableText({ columns, rows }, { width: 20, colors: false }).split("\n")).toEqual([
      "─[ 1 ]",
      "name │ a long text …",
      "n    │ 5",
      'doc  │ {"a":[1]}',
    ]);
  });

  test("leaves a column whole that is alone", () => {
    const one = { columns: columns.slice(0, 1), rows: [["x".repeat(100)]] };
    expect(tableText(one, { width: 40, colors: false })).toContain("x".repeat(100));
  });

  test("NULL is dim where there are colours; no rows are a head", () => {
    const one = { columns: columns.slice(0, 1), rows: [[null]] };
    expect(tableText(one, { width: 80, colors: true })).toContain("\u001b[2mNULL\u001b[22m");
    expect(tableText({ columns, rows: [] }, { width: 80, colors: false })).toBe(
      " name │ n │ doc\n──────┼───┼─────",
    );
    expect([footerText(1, 5), footerText(2, 5e6)]).toEqual(["1 row in 5 µs", "2 rows in 5.00 s"]);
  });
});

describe("text on a terminal", () => {
  test.each([
    ["abc", 3],
    ["Mühle", 5],
    ["Mu\u0308hle", 5],
    ["東京", 4],
    ["한글", 4],
    ["👍", 2],
    ["👩‍👩‍👧", 2],
    ["ｆｕ", 4],
    ["", 0],
  ])("%s takes %i columns", (text, width) => {
    expect(textWidth(text)).toBe(width);
  });

  test("is cut between characters", () => {
    expect([cutText("東京タワー", 5), cutText("abc", 3), cutText("abcd", 3)]).toEqual([
      "東京…",
      "abc",
      "ab…",
    ]);
  });

  test("does nothing to the terminal", () => {
    expect(visibleText("a\u001b[31m\nb\u202e")).toBe("a\\u001b[31m\\nb\\u202e");
  });
});

describe("statements", () => {
  test.each([
    ["a; b", ["a"], " b"],
    ["a';'; b;", ["a';'", "b"], ""],
    ["-- c;\na; /* ; */ b;", ["-- c;\na", "/* ; */ b"], ""],
    ["$$;$$; $x$;$$;$x$;", ["$$;$$", "$x$;$$;$x$"], ""],
    ["E'\\';';", ["E'\\';'"], ""],
    ['"a;";', ['"a;"'], ""],
    ["'open; ", [], "'open; "],
    ["/* open; ", [], "/* open; "],
    [";; -- nothing", [], ""],
  ])("%s", (text, statements, rest) => {
    expect(cutStatements(text)).toEqual({ statements, rest });
  });

  test("the caret stands under its character", () => {
    expect(caretLines("SELECT '東' FROM evnts", 17)).toEqual([
      "LINE 1: SELECT '東' FROM evnts",
      `${" ".repeat(25)}^`,
    ]);
    expect(caretLines("a", 3)).toEqual([]);
    expect(caretLines("a", 2)).toEqual(["LINE 1: a", "         ^"]);
    const [line = "", caret = ""] = caretLines(`${"x".repeat(300)}y${"z".repeat(300)}`, 301);
    expect(line[caret.length - 1]).toBe("y");
    expect(line.length).toBeLessThan(130);
    expect(refusalText("no", "a", undefined)).toBe("ERROR: no");
  });
});

describe("the prompt", () => {
  test("runs statements over several lines, and commands", async () => {
    const asked: string[] = [];
    const runner = {
      timing: true,
      cancel: () => false,
      run: async (sql: string) => {
        asked.push(sql);
        return sql === "bad" ? 1 : 0;
      },
    };
    const input = new PassThrough();
    const shown: string[] = [];
    const screen = new PassThrough().on("data", (text) => shown.push(String(text)));
    const ended = runPrompt("here", input, screen, runner);
    input.write(
      "SELECT 1;\nSELECT\n  2; bad; SELECT 3;\n\\d\n\\timing\n\\x\n\\?\n\\q\nSELECT 4;\n",
    );
    expect(await ended).toBe(0);
    expect(asked).toEqual(["SELECT 1", "SELECT\n  2", "bad", "DESCRIBE events"]);
    expect(runner.timing).toBe(false);
    expect(shown.join("")).toMatch(/no command \\x/);
  });

  test("ends with its input", async () => {
    const runner = { timing: true, cancel: () => false, run: async () => 0 };
    const input = new PassThrough();
    const ended = runPrompt("here", input, new PassThrough().resume(), runner);
    input.end();
    expect(await ended).toBe(0);
  });
});
