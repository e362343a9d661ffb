import { expect, test } from "vitest";
import { parseConfig } from "../../src/config.ts";
import { createMemory } from "../../src/core/memory.ts";
import { checkMemory, planMemory } from "../../src/engine/memory-plan.ts";

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
  const config = parseConfig(flags, {});
  checkMemory(config);
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
  [["--stream-memory", "2GiB", "--query-workers", "2"], "--stream-memory takes 2048 MiB"],
  [["--ingest-queue", "1GiB", "--hot-memory", "1GiB"], "--ingest-queue takes"],
])("%j is refused by name", (flags, message) => {
  expect(() => checkMemory(parseConfig(flags, {}))).toThrow(message);
});
