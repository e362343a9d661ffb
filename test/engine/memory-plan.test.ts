import { expect, test } from "vitest";
import { givenSettings, parseConfig } from "../../src/config.ts";
import { createMemory } from "../../src/core/memory.ts";
import { fitMemory, planMemory } from "../../src/engine/memory-plan.ts";

test.each([
  [[]],
  [["--hot-memory", "16MiB", "--dedup-ids", "1024", "--query-cache", "16MiB"]],
  [["--body-max", "512KiB", "--ingest-queue", "1MiB", "--query-workers", "1"]],
  [["--query-workers", "11"]],
  [["--query-workers", "13", "--stream-memory", "64MiB"]],
  [["--hot-memory", "832MiB", "--query-workers", "2"]],
  [["--dedup-ids", "67108864", "--hot-memory", "192MiB", "--query-memory", "16MiB"]],
  [["--stream-memory", "1GiB", "--query-workers", "2"]],
  [["--query-memory", "512MiB", "--query-workers", "2"]],
])("%j fits one memory", (flags) => {
  const asked = parseConfig(flags, {});
  const config = fitMemory(asked, givenSettings(asked));
  expect(config, "what fits stays as it is").toEqual(asked);
  expect(createMemory(planMemory(config)).buffer.byteLength).toBeLessThanOrEqual(4 * 1024 ** 3);
});

test.each([
  [["--hot-memory", "3GiB"], "--hot-memory takes 7680 MiB"],
  [
    ["--hot-memory", "1GiB", "--query-cache", "2GiB"],
    "--query-cache and --query-memory with --query-workers take",
  ],
  [["--query-memory", "2GiB"], "--query-cache and --query-memory with --query-workers take"],
  [["--dedup-ids", "67108864", "--hot-memory", "1GiB"], "--dedup-ids takes 2049 MiB"],
  [["--stream-memory", "2GiB", "--query-memory", "512MiB"], "--stream-memory takes 2048 MiB"],
  [["--ingest-queue", "1GiB", "--hot-memory", "1GiB"], "--ingest-queue takes"],
])("%j is refused by name", (flags, message) => {
  const config = parseConfig(flags, {});
  expect(() => fitMemory(config, givenSettings(config))).toThrow(message);
});

const sizes = [
  "queryCacheBytes",
  "streamMemoryBytes",
  "queryMemoryBytes",
  "hotMemoryBytes",
] as const;

test.each([
  [
    ["--hot-memory", "1GiB", "--query-workers", "2"],
    [64, 64, 117, 1024],
  ],
  [
    ["--hot-memory", "896MiB", "--query-workers", "2"],
    [171, 256, 128, 896],
  ],
  [
    ["--stream-memory", "2GiB", "--query-workers", "2"],
    [64, 2048, 32, 288],
  ],
  [
    ["--hot-memory", "1GiB", "--query-cache", "192MiB", "--query-workers", "2"],
    [192, 64, 53, 1024],
  ],
])("%j: the defaults of the others give way", (flags, mib) => {
  const asked = parseConfig(flags, {});
  const config = fitMemory(asked, givenSettings(asked));
  expect(sizes.map((key) => config[key] / 1024 ** 2)).toEqual(mib);
  expect(createMemory(planMemory(config)).buffer.byteLength).toBeLessThanOrEqual(4 * 1024 ** 3);
});

test("what would fit is said, and does", () => {
  const flags = (size: string) => ["--hot-memory", size, "--query-workers", "2"];
  const config = parseConfig(flags("3GiB"), {});
  const refused = () => fitMemory(config, givenSettings(config));
  expect(refused).toThrow(/; --hot-memory \d+MiB would fit$/);
  const size = /(\d+MiB) would fit/.exec(String(messageOf(refused)))?.[1] ?? "";
  const less = parseConfig(flags(size), {});
  expect(fitMemory(less, givenSettings(less)).hotMemoryBytes).toBeGreaterThan(1024 ** 3);
});

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}
