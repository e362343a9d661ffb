import type { StoredGroup, WindowStore } from "../rollup/store.ts";
import type { FinalPlace, FinalWindow } from "./window-row.ts";

/** A day of minutes and more; who resumes after longer begins anew with the newest. */
const FINAL_WINDOWS_MAX = 10_000;

/** Stored windows of a rule that overlap [fromUs, toUs), by start; null: unbounded. `groups`: as many as there are. */
export function windowsWithin(
  store: WindowStore,
  rule: number,
  groups: number,
  fromUs: bigint | null,
  toUs: bigint | null,
): FinalWindow[] {
  const found: StoredGroup[] = [];
  for (let groupId = 0; groupId <= groups; groupId++) {
    found.push(...store.read(rule, 0, groupId, fromUs, toUs));
  }
  return asWindows(found);
}

/** Final windows of a rule; `lost` is the last of those that should be among them and can't be given. */
export interface FinalsFound {
  readonly windows: readonly FinalWindow[];
  readonly lost: FinalPlace | null;
}

/** Windows whose `finalAt` is `since` or later and, unless that is null, before `before`. */
export function windowsFinal(
  store: WindowStore,
  rule: number,
  since: bigint,
  before: bigint | null,
): FinalsFound {
  const found: StoredGroup[] = [];
  const dropped = store.dropped(rule, 0);
  let lost = dropped !== null && dropped.finalAt >= since ? dropped : null;
  let count = 0;
  for (const { finalAt, startUs, endUs, groupIds } of store.finalSince(rule, since)) {
    if (before !== null && finalAt >= before) break;
    if (++count > FINAL_WINDOWS_MAX) lost = { finalAt, endUs };
    else found.push(...groupsAt(store, rule, startUs, groupIds));
  }
  return { windows: asWindows(found), lost };
}

/** The newest window whose `finalAt` is, unless that is null, before `before`. */
export function windowNewest(
  store: WindowStore,
  rule: number,
  before: bigint | null,
): FinalWindow[] {
  const newest = store.newest(rule, 0, before);
  return newest === null ? [] : asWindows(groupsAt(store, rule, newest.startUs, newest.groupIds));
}

function groupsAt(
  store: WindowStore,
  rule: number,
  startUs: bigint,
  groupIds: Uint32Array,
): StoredGroup[] {
  const found: StoredGroup[] = [];
  for (const groupId of groupIds) {
    for (const group of store.read(rule, 0, groupId, startUs, startUs + 1n)) {
      if (group.startUs === startUs) found.push(group);
    }
  }
  return found;
}

/** Groups by window. Sessions of one start may have different ends. */
function asWindows(found: readonly StoredGroup[]): FinalWindow[] {
  const windows = new Map<string, FinalWindow & { groups: StoredGroup[] }>();
  for (const group of found) {
    const { startUs, endUs, finalAt } = group;
    const key = `${startUs} ${endUs}`;
    const window = windows.get(key);
    if (window) window.groups.push(group);
    else windows.set(key, { startUs, endUs, finalAt, groups: [group] });
  }
  return [...windows.values()].sort((a, b) => (a.startUs < b.startUs ? -1 : 1));
}
