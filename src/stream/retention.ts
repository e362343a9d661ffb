import type { WindowStore } from "../rollup/store.ts";
import type { RunningRule } from "./running-rule.ts";
import { noWatermark } from "./timed-chunk.ts";

/** Blocks of stored windows that are forgotten at most at once, of each rule and tier. */
const EXPIRED_BLOCKS = 64;

/** Forgets stored windows that are older than they are to be kept; whether there are more of them. */
export function expireWindows(
  store: WindowStore,
  rules: Iterable<RunningRule>,
  watermarkUs: bigint,
): boolean {
  if (watermarkUs === noWatermark) return false;
  let hasMore = false;
  for (const running of rules) {
    const { rule, isPassing } = running;
    if (isPassing) continue;
    const kept = [rule.retentionUs, ...rule.tiers.map(({ retentionUs }) => retentionUs)];
    for (const [tier, retentionUs] of kept.entries()) {
      if (retentionUs === null) continue;
      // Open windows of the next tier are merged from them again after a restart.
      const neededUs = running.neededFrom(tier);
      const oldUs = watermarkUs - retentionUs;
      const endUs = neededUs !== null && neededUs < oldUs ? neededUs : oldUs;
      if (store.expire(rule.number, tier, endUs, EXPIRED_BLOCKS)) hasMore = true;
    }
  }
  return hasMore;
}
