import { describe, test } from "vitest";
import { compareAnswers } from "../support/compare-answers.ts";
import { mulberry32 } from "../support/random.ts";
import { makeExpression } from "../support/random-expressions.ts";
import { makeAggregateQuery } from "../support/random-queries.ts";

const seeds = Array.from({ length: 8 }, (_, i) => i + 1);

describe("groups of random rows, whole and in parts, equal the plain way", () => {
  test.each(seeds)("seed %i", (seed) => {
    const random = mulberry32(seed);
    compareAnswers(random, seed, 18, (rows) =>
      makeAggregateQuery(random, rows, (type) => makeExpression(random, type, 2)),
    );
  });
});
