import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commandsOf, examplesOf, isShown, unexplained } from "./support/doc-blocks.ts";
import { DocRunner } from "./support/doc-runner.ts";
import { root } from "./support/sources.ts";

// The examples of the pages, run as they stand there; docs/testing.md says how they are written.

const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"), { encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
].filter((path) => existsSync(join(root, path)));

const texts = new Map(pages.map((page) => [page, readFileSync(join(root, page), "utf8")]));

/** Events that a page begins with: those of the shop unless a comment in it says `examples: empty`. */
function eventsOf(text: string): string | null {
  return text.includes("<!-- examples: empty -->") ? null : "shop.ndjson";
}

for (const [page, text] of texts) {
  const examples = examplesOf(text);
  if (examples.length === 0) continue;
  describe(page, () => {
    const runner = new DocRunner(page);
    beforeAll(() => runner.start(eventsOf(text)));
    afterAll(() => runner.stop());
    for (const example of examples) {
      const { language, words, line } = example;
      test(`line ${line}: ${[language, ...words].join(" ")}`, () => runner.run(example));
    }
  });
}

test.each(pages)("%s: what is not run says why", (page) => {
  expect(unexplained(texts.get(page) ?? "")).toEqual([]);
});

describe("how examples are read", () => {
  test("an answer is the next block, or follows one line that leads to it", () => {
    const page =
      "```sql\nA\n```\n\nanswers:\n\n```text\nB\n```\n```sql no-run it is long\nC\n```\n";
    expect(examplesOf(page).map(({ text, answer }) => [text, answer?.text])).toEqual([["A", "B"]]);
  });

  test("a session's commands go on over backslashes and open quotes", () => {
    expect(commandsOf("$ a \\\n  b\nout\n$ c 'd\n e'\n")).toEqual([
      { command: "a \\\n  b", shown: "out\n" },
      { command: "c 'd\n e'", shown: "\n" },
    ]);
  });

  test.each([
    ["{…}", '{"a": [1, 2]}', "json", true],
    ['{"a": 1, "b": "…"}', '{"a":1,"b":"x y"}', "json", true],
    ['{"a": 2}', '{"a":1}', "json", false],
    ["a\n…\nd", "a\nb\nc\nd", "text", true],
    ["a … c", "a b c", "text", true],
    ["a\nb", "a\nb\n\n", "text", true],
    ["a.b", "axb", "text", false],
    ["a\n…", "a", "text", true],
    ["2 rows in 1.5 ms", "2 rows in 730 µs", "text", true],
    ["2 rows in 1.5 ms", "3 rows in 730 µs", "text", false],
  ] as const)("%j shows %j as %s: %s", (shown, got, kind, expected) => {
    expect(isShown(shown, got, kind)).toBe(expected);
  });
});
