import { describe, expect, test } from "vitest";
import { didYouMean, nearest } from "../../src/base/near.ts";
import { checkPath, joinKeys, lastKey, pathProblem, splitKeys } from "../../src/query/paths.ts";
import { mulberry32 } from "../support/random.ts";

describe("paths", () => {
  test("escape dots and backslashes inside keys", () => {
    expect(joinKeys(["a", "b"])).toBe("a.b");
    expect(joinKeys(["a.b", "c\\d"])).toBe("a\\.b.c\\\\d");
    expect(splitKeys("a\\.b.c\\\\d")).toEqual(["a.b", "c\\d"]);
    expect(lastKey("properties.x.a\\.b")).toBe("a.b");
  });

  test("split what was joined", () => {
    const seed = 7;
    const random = mulberry32(seed);
    const letters = ["a", ".", "\\", "é", ""];
    for (let i = 0; i < 500; i++) {
      const keys = Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
        Array.from({ length: 3 }, () => letters[Math.floor(random() * 5)]).join(""),
      );
      expect(splitKeys(joinKeys(keys)), `seed ${seed}`).toEqual(keys);
    }
  });

  test("are fixed columns or properties", () => {
    expect(checkPath("event_type")).toBe("event_type");
    expect(checkPath("properties.a.b")).toBe("properties.a.b");
    expect(pathProblem("evnt_type")).toContain('did you mean "event_type"');
    expect(pathProblem("amount")).toContain('a property is "properties.…"');
    expect(pathProblem("properties")).toContain("one property");
    expect(pathProblem("properties.a\\b")).toContain("backslash");
    expect(pathProblem(`properties.${"x".repeat(3000)}`)).toContain("2048 bytes");
    expect(() => checkPath("nope")).toThrow(expect.objectContaining({ code: "unknown_field" }));
  });
});

describe("near names", () => {
  test("are found within a third of the name's length", () => {
    expect(nearest("selct", ["select", "where"])).toBe("select");
    expect(nearest("Event_Type", ["event_type"])).toBe("event_type");
    expect(nearest("x", ["select", "as"])).toBeNull();
    expect(nearest("y".repeat(10_000), ["select"])).toBeNull();
    expect(didYouMean("form", ["from", "to"])).toBe("");
    expect(didYouMean("fro", ["from", "to"])).toBe('; did you mean "from"?');
  });
});
