import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "./support/sources.ts";

// What a user gets from npm.

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

function packed(): string[] {
  const text = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const report: unknown = JSON.parse(text);
  // npm 11 answers a list of packages, later ones an object by name.
  const [first] = Object.values(report as Record<string, { files: { path: string }[] }>);
  return (first?.files ?? []).map((file) => file.path);
}

describe("the package", () => {
  const files = packed();

  test.each([
    "dist/main.js",
    "dist/index.js",
    "dist/index.d.ts",
    "build/core.wasm",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "docs/architecture.md",
    "package.json",
  ])("has %s", (path) => {
    expect(files).toContain(path);
  });

  test("has nothing else than its built files and its pages", () => {
    const known =
      /^(?:dist\/.*\.(?:js|d\.ts|js\.map)|build\/core\.wasm|docs\/.*\.(?:md|svg|png|ndjson)|[^/]+)$/;
    expect(files.filter((path) => !known.test(path))).toEqual([]);
  });

  test("exports its door, with types", () => {
    expect(manifest.exports).toEqual({
      ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
    });
    expect(files).toEqual(expect.arrayContaining(["dist/index.d.ts", "dist/index.js"]));
  });

  test("opens for an importer", async () => {
    const door = (await import(join(root, "dist/index.js"))) as Record<string, unknown>;
    expect(Object.keys(door).length).toBeGreaterThan(0);
  });

  test("runs on Node 20 and later, under Apache-2.0", () => {
    expect(manifest.engines).toEqual({ node: ">=20" });
    expect(manifest.license).toBe("Apache-2.0");
  });

  test("depends on these packages and no others", () => {
    expect(Object.keys(manifest.dependencies).sort()).toEqual([
      "@hono/node-server",
      "@msgpack/msgpack",
      "cli-progress",
      "cli-table3",
      "hono",
      "libpg-query",
      "lmdb",
      "pino",
      "prom-client",
      "re2js",
      "temporal-polyfill",
      "ws",
      "zod",
    ]);
  });
});

describe("the command", () => {
  const bin = join(root, manifest.bin.millrace);

  function run(...args: string[]): string {
    return execFileSync(process.execPath, [bin, ...args], { encoding: "utf8", timeout: 20_000 });
  }

  test("begins with a line that names its interpreter", () => {
    expect(existsSync(bin)).toBe(true);
    expect(readFileSync(bin, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  test("--help names every command", () => {
    const help = run("--help");
    for (const command of ["serve", "import", "query", "tail"]) expect(help).toContain(command);
  });

  test("--version is the package's", () => {
    expect(run("--version").trim()).toContain(manifest.version);
  });

  test.each(["import", "query", "tail"])("%s --help explains its flags", (command) => {
    expect(run(command, "--help")).toContain("--url");
  });

  test("a wrong setting is refused by name before anything is opened", () => {
    expect(() =>
      execFileSync(process.execPath, [bin, "serve", "--port", "banana"], { stdio: "pipe" }),
    ).toThrow(/--port/);
  });
});
