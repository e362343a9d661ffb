import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import * as limits from "../src/limits.ts";
import { root } from "./support/sources.ts";

// What the pages claim about the project's files and commands.

const pages = [
  "README.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
].filter((path) => existsSync(join(root, path)));

const FOLDERS = ["src", "assembly", "test", "docs", "bench", "scripts", "docker", ".ci"];

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Anchors of a page's headings, as they are made on the web: lower case, spaces to hyphens, signs left out. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test.each(pages)("%s: links lead somewhere", (page) => {
  const broken = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [file = "", anchor] = target.split("#");
      const path = file === "" ? page : join(dirname(page), file);
      if (!existsSync(join(root, path))) return true;
      return anchor !== undefined && !anchors(read(path)).includes(anchor);
    });
  expect(broken).toEqual([]);
});

test.each(pages)("%s: files that it names exist", (page) => {
  const named = [...read(page).matchAll(/`((?:\.ci|[a-z]+)\/[\w./-]+)`/g)].map(
    ([, path = ""]) => path,
  );
  const missing = named
    .filter((path) => FOLDERS.includes(path.split("/")[0] ?? ""))
    .filter((path) => !existsSync(join(root, path)));
  expect(missing).toEqual([]);
});

test.each(pages)("%s: npm commands that it gives exist", (page) => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const commands = [...read(page).matchAll(/npm (run [\w:-]+|start|test)\b/g)].map(
    ([, name = ""]) => name.replace("run ", ""),
  );
  expect(commands.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
});

test("README gives one command to run and one to test, as CI does", () => {
  const readme = read("README.md");
  expect(readme).toContain("npm ci && npm start");
  expect(readme).toContain("npm ci && npm test");
  expect(read(".ci/run")).toContain("npm ci && npm test");
});

test("every decision is in the list of decisions", () => {
  const list = read("docs/adr/README.md");
  const files = readdirSync(join(root, "docs/adr")).filter((name) => /^\d{4}-/.test(name));
  expect(files.filter((name) => !list.includes(name))).toEqual([]);
});

test("the page on events has the limits that hold", () => {
  const page = read("docs/events.md");
  const row = (name: string) =>
    page.split("\n").find((line) => line.startsWith(`| ${name}`)) ?? `no row "${name}"`;
  const count = (value: number) => value.toLocaleString("en");
  expect(row("body, as sent")).toContain(`${limits.bodyBytesMax / 1024 ** 2} MiB`);
  expect(row("events of a body")).toContain(count(limits.batchEventsMax));
  expect(row("nesting of a body")).toContain(count(limits.bodyDepthMax));
  expect(row("one event")).toContain(`${limits.eventBytesMax / 1024 ** 2} MiB`);
  expect(row("nesting of an event")).toContain(`| ${limits.eventDepthMax} |`);
  const [key, path] = [limits.keyBytesMax, limits.pathBytesMax].map(count);
  expect(row("a key; a path")).toContain(`${key} bytes; ${path} bytes`);
  expect(row("a text")).toContain(`${limits.stringBytesMax / 1024} KiB`);
  expect(row("values of one event")).toContain(count(limits.eventColumnsMax));
  expect(row("columns")).toContain(count(limits.batchColumnsMax));
  expect(row("errors")).toContain(count(limits.receiptErrorsMax));
});

test("no page or source names a folder of one machine", () => {
  const home = dirname(root.replace(/\/$/, ""));
  expect(pages.filter((page) => home.length > 1 && read(page).includes(`${home}/`))).toEqual([]);
});
