// Which blocks a group has, as far as that is known.

import { describe, expect, test } from "vitest";
import { BlockLists } from "../../src/rollup/block-lists.ts";

describe("the blocks of a group", () => {
  test("are known from the key on from which somebody has read them", () => {
    const lists = new BlockLists();
    expect(lists.within("g", "gb", "gz")).toBe(undefined);
    lists.set("g", "gc", ["gd", "gf"]);
    expect(lists.within("g", "gc", "gf")).toEqual(["gd"]);
    expect(lists.within("g", "gb", "gz")).toBe(undefined);
    expect(lists.last("g", "ga", "gz")).toBe("gf");
    expect(lists.last("g", "ga", "gd")).toBe(undefined);
    expect(lists.last("g", "gc", "gd")).toBe(null);
  });

  test("follow what is added and removed", () => {
    const lists = new BlockLists();
    lists.set("g", "gc", ["gf"]);
    for (const text of ["ga", "gd", "gf", "gg"]) lists.add("g", text);
    expect(lists.within("g", "gc", "gz")).toEqual(["gd", "gf", "gg"]);
    for (const text of ["ga", "gf", "gx"]) lists.remove("g", text);
    expect(lists.within("g", "gc", "gz")).toEqual(["gd", "gg"]);
  });

  test("are forgotten of the group that was asked for longest ago where there are too many", () => {
    const lists = new BlockLists(7);
    for (const group of ["a", "b"]) lists.set(group, group, [`${group}1`, `${group}2`]);
    lists.within("a", "a", "az");
    lists.set("c", "c", ["c1"]);
    expect(lists.within("b", "b", "bz")).toBe(undefined);
    expect(lists.within("a", "a", "az")).toEqual(["a1", "a2"]);
    expect(lists.within("c", "c", "cz")).toEqual(["c1"]);
    lists.set(
      "d",
      "d",
      Array.from({ length: 7 }, (_, i) => `d${i}`),
    );
    expect(lists.within("d", "d", "dz")).toBe(undefined);
  });
});
