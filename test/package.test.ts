import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

/** What npm installs with the package, and the types of Node, which a program in TypeScript has. */
function installedWithIt(): string[] {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean }>;
  };
  const ours = Object.entries(lock.packages)
    .filter(([path, { dev }]) => /^node_modules\/(?:@[^/]+\/)?[^/]+$/.test(path) && dev !== true)
    .map(([path]) => path.slice("node_modules/".length));
  return [...ours, "@types/node", "undici-types"].filter((name) =>
    existsSync(join(root, "node_modules", name)),
  );
}

describe("a project that has installed it", () => {
  let project: string;

  /** The tarball, unpacked where npm would put it; its dependencies are those of this checkout. */
  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), "millrace-project-"));
    const modules = join(project, "node_modules");
    mkdirSync(modules);
    const pack = ["pack", "--ignore-scripts", "--silent", "--pack-destination", project];
    execFileSync("npm", pack, { cwd: root, stdio: "pipe" });
    const [tarball = ""] = readdirSync(project).filter((name) => name.endsWith(".tgz"));
    execFileSync("tar", ["-xzf", join(project, tarball), "-C", project]);
    cpSync(join(project, "package"), join(modules, "millrace"), { recursive: true });
    for (const name of installedWithIt()) {
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(join(root, "node_modules", name), join(modules, name));
    }
    writeFileSync(join(project, "package.json"), '{"type":"module"}');
    writeFileSync(join(project, "program.ts"), program);
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  const program = `import { openMillrace, type Table, InputError } from "millrace";
const db = await openMillrace({ data: "./data", hotMemoryBytes: "16MiB", dedupIds: 1024, queryWorkers: 1 });
const events = [{ event_type: "a", properties: { n: 1 } }, { event_type: "a", properties: { n: 2n } }];
const receipt = await db.ingest(events);
const table: Table<{ s: number }> = await db.query("SELECT sum(properties.n) AS s FROM events");
const sum: number | undefined = table.objects()[0]?.s;
console.log(receipt.accepted, sum);
await db.query("SELECT").catch((error: unknown) => console.log(error instanceof InputError));
await db[Symbol.asyncDispose]();
`;

  test("checks the types of its program, and runs it", () => {
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const flags = ["--strict", "--module", "nodenext", "--target", "es2023", "--types", "node"];
    const run = (...args: string[]) =>
      execFileSync(process.execPath, args, { cwd: project, encoding: "utf8", timeout: 60_000 });
    try {
      run(tsc, ...flags, "program.ts");
    } catch (error) {
      throw new Error((error as { stdout?: string }).stdout);
    }
    expect(run("program.js")).toBe("2 3\ntrue\n");
  }, 90_000);
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
    for (const command of ["serve", "import", "query", "stats", "tail"])
      expect(help).toContain(command);
  });

  test("--version is the package's", () => {
    expect(run("--version").trim()).toContain(manifest.version);
  });

  test.each(["import", "query", "stats", "tail"])("%s --help explains its flags", (command) => {
    expect(run(command, "--help")).toContain("--url");
  });

  test("a wrong setting is refused by name before anything is opened", () => {
    expect(() =>
      execFileSync(process.execPath, [bin, "serve", "--port", "banana"], { stdio: "pipe" }),
    ).toThrow(/--port/);
  });
});
