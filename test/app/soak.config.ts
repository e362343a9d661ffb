import { defineConfig } from "vitest/config";

// `npm run soak`: minutes of load, not part of `npm test`.
export default defineConfig({
  test: {
    include: ["test/app/soak.ts"],
    testTimeout: 3_600_000,
    hookTimeout: 60_000,
    pool: "forks",
  },
});
