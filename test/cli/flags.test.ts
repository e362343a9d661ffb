import { expect, test } from "vitest";
import { parseFlags } from "../../src/cli/flags.ts";

const kinds = { url: "value", "retry-for": "value", strict: "switch" } as const;

test.each([
  [["--retry-form", "3"], '--retry-form: no such flag; did you mean "--retry-for"?'],
  [["--retry-form=3"], '--retry-form: no such flag; did you mean "--retry-for"?'],
  [["--nothing-like-it"], "--nothing-like-it: no such flag; --help lists them"],
  [["-x"], "-x: no such flag; --help lists them"],
  [["--url"], "--url"],
  [["--strict=yes"], "--strict"],
])("%s is refused by name", (argv, message) => {
  expect(() => parseFlags(argv, kinds)).toThrow(message);
});
