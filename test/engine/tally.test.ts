import { expect, it } from "vitest";
import { Tally } from "../../src/engine/tally.ts";

it("counts a commit in one bucket: the first whose bound it keeps", () => {
  const tally = new Tally();
  for (const ms of [0.1, 0.5, 0.6, 3, 5000]) tally.commit(ms);
  const { bounds, counts, sum } = tally.commitMs();
  const filled = bounds.flatMap((bound, i) => (counts[i] === 0 ? [] : [[bound, counts[i]]]));
  expect(filled).toEqual([
    [0.5, 2],
    [1, 1],
    [4, 1],
    [Number.POSITIVE_INFINITY, 1],
  ]);
  expect(counts.reduce((all, count) => all + count)).toBe(tally.commits);
  expect(sum).toBeCloseTo(5004.2, 9);
});
