import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { place, readSources, root, type Source, visit } from "./support/sources.ts";

// The style of the project as a test. Who may import whom is the table in docs/architecture.md: it is read
// from there, so the drawing can't fall behind the code.

const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
const COLUMNS_MAX = 120;

const server = readSources("src");
const core = readSources("assembly");
const tests = readSources("test");
const tools = readSources("bench", "scripts", "vitest.config.ts");
const all = [...server, ...core, ...tests, ...tools];

/** `src/query/query.ts` is in area `query`, `src/main.ts` in area `main`. */
function areaOf(path: string): string {
  const [, area = ""] = path.split("/");
  return area.replace(/\.ts$/, "");
}

interface Rule {
  /** Areas that may be imported; undefined: every one. */
  readonly values: ReadonlySet<string> | undefined;
  readonly types: ReadonlySet<string>;
}

/** Rows `| area | may import | only types of | … |` of the table under `heading`. */
function importRules(heading: string): Map<string, Rule> {
  const text = readFileSync(join(root, "docs/architecture.md"), "utf8");
  const section = text.slice(text.indexOf(heading)).split(/\n#+ /)[0] ?? "";
  const rules = new Map<string, Rule>();
  for (const line of section.split("\n")) {
    const cells = line.split("|").map((cell) => cell.trim());
    const areas = names(cells[1] ?? "");
    if (cells.length < 5 || areas.length === 0) continue;
    const values = cells[2] === "everything" ? undefined : new Set(names(cells[2] ?? ""));
    for (const area of areas) rules.set(area, { values, types: new Set(names(cells[3] ?? "")) });
  }
  return rules;
}

function names(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
}

function importFaults(
  sources: readonly Source[],
  rules: Map<string, Rule>,
  everyone: string[],
): string[] {
  const faults: string[] = [];
  for (const source of sources) {
    const area = areaOf(source.path);
    const rule = rules.get(area);
    if (rule === undefined) {
      faults.push(`${source.path}: area ${area} has no row in docs/architecture.md`);
      continue;
    }
    for (const { path, typeOnly } of source.imports) {
      if (path === undefined || rule.values === undefined) continue;
      const target = areaOf(path);
      const allowed =
        target === area ||
        everyone.includes(target) ||
        rule.values.has(target) ||
        rule.values.has(path.replace(/^[a-z]+\//, "").replace(/\.ts$/, "")) ||
        (typeOnly && rule.types.has(target));
      if (!allowed) faults.push(`${source.path} imports ${path}${typeOnly ? " (types)" : ""}`);
    }
  }
  return faults;
}

/** Cycles of imports that are there when the program runs, each once, from its first file by name. */
function cycles(sources: readonly Source[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const state = new Map<string, "open" | "done">();
  const found: string[] = [];
  const walk = (path: string, trail: readonly string[]) => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      found.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      return;
    }
    state.set(path, "open");
    for (const next of byPath.get(path)?.imports ?? []) {
      if (next.path !== undefined && !next.typeOnly) walk(next.path, [...trail, path]);
    }
    state.set(path, "done");
  };
  for (const source of sources) walk(source.path, []);
  return found;
}

function reachable(sources: readonly Source[], entries: readonly string[]): Set<string> {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const seen = new Set<string>();
  const open = [...entries];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const next of byPath.get(path)?.imports ?? []) {
      if (next.path !== undefined) open.push(next.path);
    }
  }
  return seen;
}

function unreached(sources: readonly Source[], entries: readonly string[]): string[] {
  const seen = reachable(sources, entries);
  return sources.map((source) => source.path).filter((path) => !seen.has(path));
}

describe("imports", () => {
  test("src: every import is one that the table allows", () => {
    expect(
      importFaults(server, importRules("### Who imports whom: src"), ["base", "errors", "limits"]),
    ).toEqual([]);
  });

  test("assembly: every import is one that the table allows", () => {
    expect(
      importFaults(core, importRules("### Who imports whom: assembly"), ["layout", "status"]),
    ).toEqual([]);
  });

  test("the tables have no row that nothing is left of", () => {
    const rows = [
      ...[...importRules("### Who imports whom: src").keys()].map((area) => join("src", area)),
      ...[...importRules("### Who imports whom: assembly").keys()].map((area) =>
        join("assembly", area),
      ),
    ];
    expect(rows.length).toBeGreaterThan(10);
    const stale = rows.filter(
      (path) => !existsSync(join(root, path)) && !existsSync(join(root, `${path}.ts`)),
    );
    expect(stale).toEqual([]);
  });

  test("relative imports name files that exist", () => {
    const missing = all.flatMap((source) =>
      source.imports
        .filter(({ path }) => path !== undefined && !/^(?:build|dist)\//.test(path))
        .filter(({ path }) => !existsSync(join(root, path ?? "")))
        .map(({ name }) => `${source.path}: ${name}`),
    );
    expect(missing).toEqual([]);
  });

  test("no cycles", () => {
    expect([...cycles(server), ...cycles(core), ...cycles(tests)]).toEqual([]);
  });

  test("no dead files: each is reached from an entry", () => {
    const dead = [
      ...unreached(server, ["src/main.ts", "src/index.ts"]),
      ...unreached(core, ["assembly/index.ts"]),
    ];
    expect(dead).toEqual([]);
  });
});

describe("sizes", () => {
  test(`files have at most ${FILE_LINES_MAX} lines`, () => {
    const long = all.filter((source) => source.lines.length > FILE_LINES_MAX + 1);
    expect(long.map((source) => `${source.path}: ${source.lines.length - 1}`)).toEqual([]);
  });

  test(`lines have at most ${COLUMNS_MAX} columns`, () => {
    const wide = all.flatMap((source) =>
      source.lines.flatMap((line, i) =>
        [...line].length > COLUMNS_MAX ? [`${source.path}:${i + 1}: ${[...line].length}`] : [],
      ),
    );
    expect(wide).toEqual([]);
  });

  test(`functions have at most ${FUNCTION_LINES_MAX} lines`, () => {
    const long: string[] = [];
    for (const source of [...server, ...core, ...tools]) {
      visit(source.tree, (node) => {
        if (!ts.isFunctionLike(node)) return;
        const first = source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line;
        const last = source.tree.getLineAndCharacterOfPosition(node.getEnd()).line;
        const lines = last - first + 1;
        if (lines > FUNCTION_LINES_MAX) long.push(`${place(source, node)}: ${lines}`);
      });
    }
    expect(long).toEqual([]);
  });
});

/** Places where `found` holds, outside the files that are the replacement themselves. */
function places(
  sources: readonly Source[],
  except: readonly string[],
  found: (node: ts.Node, source: Source) => boolean,
): string[] {
  const faults: string[] = [];
  for (const source of sources) {
    if (except.some((path) => source.path.startsWith(path))) continue;
    visit(source.tree, (node) => {
      if (found(node, source)) faults.push(place(source, node));
    });
  }
  return faults;
}

function isMember(node: ts.Node, object: string, name?: string): boolean {
  return (
    ts.isPropertyAccessExpression(node) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === object &&
    (name === undefined || node.name.text === name)
  );
}

/** Lines that match, but for this file, which has to name what it bans. */
function linesWith(sources: readonly Source[], pattern: RegExp): string[] {
  return sources.flatMap((source) =>
    source.path === "test/tidy.test.ts"
      ? []
      : source.lines.flatMap((line, i) => (pattern.test(line) ? [`${source.path}:${i + 1}`] : [])),
  );
}

describe("bans", () => {
  test("process.env: a setting of src/config.ts is the way", () => {
    const owners = ["src/config.ts", "src/main.ts", "src/core/core.ts"];
    expect(places(server, owners, (node) => isMember(node, "process", "env"))).toEqual([]);
  });

  test("Date.now and new Date(): the Clock of src/base/clock.ts is the way", () => {
    const isNow = (node: ts.Node) =>
      isMember(node, "Date", "now") ||
      (ts.isNewExpression(node) &&
        node.expression.getText() === "Date" &&
        (node.arguments?.length ?? 0) === 0);
    expect(places(server, ["src/base/clock.ts"], isNow)).toEqual([]);
  });

  test("console: the log is the way, but for the command line", () => {
    const owners = ["src/cli/", "src/main.ts"];
    expect(places(server, owners, (node) => isMember(node, "console"))).toEqual([]);
  });

  test("any: unknown is the way", () => {
    const isAny = (node: ts.Node) => node.kind === ts.SyntaxKind.AnyKeyword;
    expect(places([...server, ...tests], [], isAny)).toEqual([]);
  });

  test("compiler errors that are told to be silent: mend the type", () => {
    expect(
      linesWith([...server, ...tests, ...tools], /@ts-(?:ignore|nocheck|expect-error)/),
    ).toEqual([]);
  });

  test("what is left for later: finish it, or say so in docs", () => {
    expect(linesWith(all, /\b(?:TODO|FIXME|XXX|HACK)\b/)).toEqual([]);
  });

  test("enum and namespace: constants and modules are the way, so that Node may strip the types", () => {
    const isEnum = (node: ts.Node) => ts.isEnumDeclaration(node) || ts.isModuleDeclaration(node);
    expect(places(server, [], isEnum)).toEqual([]);
  });

  test("tests that are left out say why: skipIf with a title, or context.skip(reason)", () => {
    const isLeftOut = (node: ts.Node) =>
      ts.isPropertyAccessExpression(node) &&
      /^(?:test|it|describe)(?:\.|$)/.test(node.expression.getText()) &&
      ["only", "skip", "todo"].includes(node.name.text);
    expect(places(tests, [], isLeftOut)).toEqual([]);
  });
});

describe("what is kept twice", () => {
  test.each(["layout", "status"])("src/core/%s.ts is the copy of assembly's", (name) => {
    const owner = readFileSync(join(root, `assembly/${name}.ts`), "utf8");
    const copy = readFileSync(join(root, `src/core/${name}.ts`), "utf8");
    expect(copy.replace(/^\/\/ Copied from .*\n\n/, "")).toBe(owner);
  });

  test("package-lock.json records no download addresses", () => {
    expect(readFileSync(join(root, "package-lock.json"), "utf8")).not.toContain('"resolved"');
  });
});
