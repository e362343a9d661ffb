import { expect, test } from "vitest";
import { formatTime, timeUsMax, timeUsMin } from "../../src/query/time.ts";
import { mulberry32 } from "../support/random.ts";

/** What the platform writes, and the microseconds after it. */
function plainly(us: bigint): string {
  const rest = ((us % 1000n) + 1000n) % 1000n;
  const text = new Date(Number((us - rest) / 1000n)).toISOString();
  return rest === 0n ? text : `${text.slice(0, -1)}${String(rest).padStart(3, "0")}Z`;
}

test("times are written as the platform writes them, with microseconds", () => {
  const seed = 29;
  const random = mulberry32(seed);
  const span = Number(timeUsMax / 1_000_000n - timeUsMin / 1_000_000n);
  const times = [0n, 1n, -1n, -1000n, 999n, timeUsMin, timeUsMax];
  for (let i = 0; i < 20_000; i++) {
    const second = BigInt(Math.floor(random() * span)) + timeUsMin / 1_000_000n;
    const us = second * 1_000_000n + BigInt(Math.floor(random() * 1e6));
    times.push(us, us + 60_000_000n, us - (us % 86_400_000_000n) - 1n);
  }
  const within = times.filter((us) => us >= timeUsMin && us <= timeUsMax);
  for (const us of within) {
    if (formatTime(us) !== plainly(us)) expect(formatTime(us), `seed ${seed}`).toBe(plainly(us));
  }
});
