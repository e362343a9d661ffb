import { describe, test } from "vitest";
import { compareAnswers } from "../support/compare-answers.ts";
import { mulberry32 } from "../support/random.ts";
import { makeExpression } from "../support/random-expressions.ts";
import { makeRowQuery } from "../support/random-queries.ts";

const seeds = Array.from({ length: 8 }, (_, i) => i + 1);

describe("rows in order, whole and in parts, equal the plain way", () => {
  test.each(seeds)("seed %i", (seed) => {
    const random = mulberry32(seed + 1000);
    compareAnswers(random, seed, 25, (rows) =>
      makeRowQuery(random, rows, (type) => makeExpression(random, type, 2)),
    );
  });
});
