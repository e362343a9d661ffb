// The watermark of each row, exactly as docs/windows.md says: marks per source, the least of those that are not idle,
// never going back.
//
// The least mark is the root of a tournament tree over the sources, so a row costs as many steps as its mark changes
// minima above it: one or two as a rule, log2 of the sources at worst. Sources that are awake are queued by when they
// were last received, so a record looks only at those that fall asleep.
//
// The table is drawn in time-table.ts.

import {
  COLUMN_BASE, COLUMN_DICT, COLUMN_PAGES, PAGE_ENCODING, PAGE_I64, PAGE_PRESENCE, PAGE_ROWS, PAGE_U16, PAGE_U8,
  PAGE_VALUES,
} from "../layout";
import { hashBytes } from "../memory/hash";
import {
  TIME_ABSENT, TIME_COUNT, TIME_ENTRIES_AT, TIME_ENTRY_AFTER, TIME_ENTRY_AWAKE, TIME_ENTRY_BEFORE,
  TIME_ENTRY_FUTURE, TIME_ENTRY_FUTURE_AT, TIME_ENTRY_KIND, TIME_ENTRY_LAST, TIME_ENTRY_MARK, TIME_ENTRY_SIZE,
  TIME_ENTRY_TEXT, TIME_ENTRY_TEXT_LENGTH, TIME_FUTURE_ROWS, TIME_GREATEST, TIME_HEAD, TIME_IDLE_TIMEOUT,
  TIME_LEAVES, TIME_MAX_SKEW, TIME_NAMED, TIME_NEWEST, TIME_OTHERS, TIME_PLACES, TIME_PLACES_AT, TIME_RECEIVED_AT,
  TIME_RECORD_SIZE, TIME_ROWS_MAX, TIME_ROWS_MIN, TIME_SHARED, TIME_SIZE, TIME_SOURCES_MAX, TIME_TAIL, TIME_TREE_AT,
  TIME_UNNAMED, TIME_WATERMARK,
} from "./time-table";

const ROWS: u32 = PAGE_ROWS;
const NONE = i64.MIN_VALUE;
/** What a source that is idle or has no mark counts as among the marks. */
const IDLE = i64.MAX_VALUE;

@inline
function powerOfTwo(least: u32): u32 {
  return least < 2 ? 1 : <u32>1 << (32 - clz(least - 1));
}

/** Bytes of the table, a multiple of 16. */
export function timeSize(sourcesMax: u32): u32 {
  const entries = sourcesMax + 2;
  const size = TIME_SIZE + powerOfTwo(entries << 1) * 4 + entries * TIME_ENTRY_SIZE + powerOfTwo(entries) * 16;
  return (size + 15) & ~15;
}

/** Makes an empty table at a 16-byte-aligned address. */
export function timeFormat(table: usize, sourcesMax: u32, maxSkewUs: i64, idleTimeoutUs: i64): void {
  const places = powerOfTwo((sourcesMax + 2) << 1);
  const entries = (table + TIME_SIZE + (<usize>places << 2) + 15) & ~15;
  memory.fill(table, 0, <usize>TIME_SIZE + (<usize>places << 2));
  store<u32>(table, sourcesMax, TIME_SOURCES_MAX);
  store<u32>(table, places, TIME_PLACES);
  store<u32>(table, 1, TIME_LEAVES);
  store<i64>(table, NONE, TIME_WATERMARK);
  store<i64>(table, NONE, TIME_GREATEST);
  store<i64>(table, NONE, TIME_NEWEST);
  store<i64>(table, NONE, TIME_RECEIVED_AT);
  store<i64>(table, maxSkewUs, TIME_MAX_SKEW);
  store<i64>(table, idleTimeoutUs, TIME_IDLE_TIMEOUT);
  store<u32>(table, <u32>(table + TIME_SIZE), TIME_PLACES_AT);
  store<u32>(table, <u32>entries, TIME_ENTRIES_AT);
  const tree = entries + <usize>(sourcesMax + 2) * TIME_ENTRY_SIZE;
  store<u32>(table, <u32>tree, TIME_TREE_AT);
  store<i64>(tree, IDLE, 8);
}

// ── Sources ─────────────────────────────────────────────────────────────────────────────────────────────

/** A new entry at the end, asleep and without a mark. */
function enter(table: usize, hash: u64, kind: u32): usize {
  const index = load<u32>(table, TIME_COUNT);
  const entry = <usize>load<u32>(table, TIME_ENTRIES_AT) + <usize>index * TIME_ENTRY_SIZE;
  memory.fill(entry, 0, TIME_ENTRY_SIZE);
  store<u64>(entry, hash);
  store<i64>(entry, NONE, TIME_ENTRY_MARK);
  store<i64>(entry, NONE, TIME_ENTRY_LAST);
  store<i64>(entry, NONE, TIME_ENTRY_FUTURE_AT);
  store<u32>(entry, kind, TIME_ENTRY_KIND);
  store<u32>(table, index + 1, TIME_COUNT);
  if (index >= load<u32>(table, TIME_LEAVES)) grow(table);
  return entry;
}

/** Twice as many leaves. */
function grow(table: usize): void {
  const leaves = load<u32>(table, TIME_LEAVES) << 1;
  const count = load<u32>(table, TIME_COUNT);
  const tree = <usize>load<u32>(table, TIME_TREE_AT);
  let entry = <usize>load<u32>(table, TIME_ENTRIES_AT);
  for (let i: u32 = 0; i < leaves; i++, entry += TIME_ENTRY_SIZE) {
    const awake = i < count && load<u32>(entry, TIME_ENTRY_AWAKE) != 0;
    store<i64>(tree + (<usize>(leaves + i) << 3), awake ? load<i64>(entry, TIME_ENTRY_MARK) : IDLE);
  }
  for (let i = leaves - 1; i != 0; i--) {
    const children = tree + (<usize>i << 4);
    store<i64>(tree + (<usize>i << 3), min(load<i64>(children), load<i64>(children, 8)));
  }
  store<u32>(table, leaves, TIME_LEAVES);
}

function unnamed(table: usize): usize {
  const known = <usize>load<u32>(table, TIME_ABSENT);
  if (known) return known;
  const entry = enter(table, 0, TIME_UNNAMED);
  store<u32>(table, <u32>entry, TIME_ABSENT);
  return entry;
}

function others(table: usize): usize {
  const known = <usize>load<u32>(table, TIME_SHARED);
  if (known) return known;
  const entry = enter(table, 0, TIME_OTHERS);
  store<u32>(table, <u32>entry, TIME_SHARED);
  return entry;
}

/** Finds or enters a source; one too many gets the mark that they share. */
function named(table: usize, hash: u64, text: usize, length: u32): usize {
  const mask = load<u32>(table, TIME_PLACES) - 1;
  const places = <usize>load<u32>(table, TIME_PLACES_AT);
  let at = <u32>hash & mask;
  let taken: u32 = 0;
  for (;;) {
    const entry = <usize>load<u32>(places + (<usize>at << 2));
    if (!entry) break;
    if (load<u64>(entry) == hash) return entry;
    at = (at + 1) & mask;
    if (++taken > mask) break;
  }
  const special = <u32>(load<u32>(table, TIME_ABSENT) != 0) + <u32>(load<u32>(table, TIME_SHARED) != 0);
  if (load<u32>(table, TIME_COUNT) - special >= load<u32>(table, TIME_SOURCES_MAX)) return others(table);
  const entry = enter(table, hash, TIME_NAMED);
  store<u32>(entry, <u32>text, TIME_ENTRY_TEXT);
  store<u32>(entry, length, TIME_ENTRY_TEXT_LENGTH);
  store<u32>(places + (<usize>at << 2), <u32>entry);
  return entry;
}

/** The entry of a code of the source column. `known` keeps it for the rows that follow. */
function entryOf(table: usize, known: usize, dictionary: usize, code: u32): usize {
  const text = dictionary + (<usize>code << 3);
  const address = <usize>load<u32>(text);
  const length = load<u32>(text, 4);
  const entry = named(table, hashBytes(address, length), address, length);
  store<u32>(known + (<usize>code << 2), <u32>entry);
  return entry;
}

/** Sets the leaf of an entry and the minima above it, as far up as they change. */
function play(table: usize, entry: usize, mark: i64): void {
  const tree = <usize>load<u32>(table, TIME_TREE_AT);
  const index = <u32>(entry - load<u32>(table, TIME_ENTRIES_AT)) / TIME_ENTRY_SIZE;
  let node = load<u32>(table, TIME_LEAVES) + index;
  let least = mark;
  store<i64>(tree + (<usize>node << 3), least);
  while (node > 1) {
    least = min(least, load<i64>(tree + (<usize>(node ^ 1) << 3)));
    node >>= 1;
    const parent = tree + (<usize>node << 3);
    if (load<i64>(parent) == least) return;
    store<i64>(parent, least);
  }
}

/** The least mark of the sources that are awake, without this one. */
function leastOfOthers(table: usize, entry: usize): i64 {
  const tree = <usize>load<u32>(table, TIME_TREE_AT);
  const index = <u32>(entry - load<u32>(table, TIME_ENTRIES_AT)) / TIME_ENTRY_SIZE;
  let least = IDLE;
  for (let node = load<u32>(table, TIME_LEAVES) + index; node > 1; node >>= 1) {
    least = min(least, load<i64>(tree + (<usize>(node ^ 1) << 3)));
  }
  return least;
}

@inline
function leastMark(table: usize): i64 {
  return load<i64>(<usize>load<u32>(table, TIME_TREE_AT), 8);
}

// ── Awake and idle ──────────────────────────────────────────────────────────────────────────────────────

function unlink(table: usize, entry: usize): void {
  const before = <usize>load<u32>(entry, TIME_ENTRY_BEFORE);
  const after = <usize>load<u32>(entry, TIME_ENTRY_AFTER);
  if (before) store<u32>(before, <u32>after, TIME_ENTRY_AFTER);
  else store<u32>(table, <u32>after, TIME_HEAD);
  if (after) store<u32>(after, <u32>before, TIME_ENTRY_BEFORE);
  else store<u32>(table, <u32>before, TIME_TAIL);
}

function append(table: usize, entry: usize): void {
  const tail = <usize>load<u32>(table, TIME_TAIL);
  store<u32>(entry, <u32>tail, TIME_ENTRY_BEFORE);
  store<u32>(entry, 0, TIME_ENTRY_AFTER);
  if (tail) store<u32>(tail, <u32>entry, TIME_ENTRY_AFTER);
  else store<u32>(table, <u32>entry, TIME_HEAD);
  store<u32>(table, <u32>entry, TIME_TAIL);
}

/** A row at `time` that may advance the mark was received at another moment than the source's last. */
function touch(table: usize, entry: usize, receivedAt: i64, time: i64): void {
  store<i64>(entry, receivedAt, TIME_ENTRY_LAST);
  store<i64>(table, receivedAt, TIME_NEWEST);
  if (load<u32>(entry, TIME_ENTRY_AWAKE)) {
    unlink(table, entry);
    append(table, entry);
    return;
  }
  store<u32>(entry, 1, TIME_ENTRY_AWAKE);
  append(table, entry);
  const mark = max(time, load<i64>(entry, TIME_ENTRY_MARK));
  store<i64>(entry, mark, TIME_ENTRY_MARK);
  if (mark > load<i64>(table, TIME_GREATEST)) store<i64>(table, mark, TIME_GREATEST);
  play(table, entry, mark);
}

/** It is `receivedAt`: sources fall asleep, and when all have, time goes on without them. */
function begin(table: usize, receivedAt: i64): void {
  store<i64>(table, receivedAt, TIME_RECEIVED_AT);
  const timeout = load<i64>(table, TIME_IDLE_TIMEOUT);
  let entry = <usize>load<u32>(table, TIME_HEAD);
  while (entry && receivedAt - load<i64>(entry, TIME_ENTRY_LAST) >= timeout) {
    const after = <usize>load<u32>(entry, TIME_ENTRY_AFTER);
    unlink(table, entry);
    store<u32>(entry, 0, TIME_ENTRY_AWAKE);
    play(table, entry, IDLE);
    entry = after;
  }
  const greatest = load<i64>(table, TIME_GREATEST);
  if (entry || greatest == NONE) return;
  const candidate = greatest + (receivedAt - load<i64>(table, TIME_NEWEST) - timeout);
  if (candidate > load<i64>(table, TIME_WATERMARK)) store<i64>(table, candidate, TIME_WATERMARK);
}

/** Takes the least mark into the watermark. */
@inline
function settle(table: usize): void {
  const least = leastMark(table);
  if (least != IDLE && least > load<i64>(table, TIME_WATERMARK)) store<i64>(table, least, TIME_WATERMARK);
}

/** Nothing was received up to this time. */
export function timeTick(table: usize, receivedAtUs: i64): void {
  begin(table, receivedAtUs);
  settle(table);
}

// ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The watermark of each of the rows [first, end) of a segment, which are all published.
 *
 * Exactness: docs/windows.md; any cut of the rows into calls gives the same watermarks.
 * Memory:    `sources` may be 0; `records` are those that have the rows, the first beginning at `first` or before;
 *            `known` is room for a u32 for each text of the column `sources`; `out` for an i64 for each row. The
 *            timestamps lie there until their watermarks do.
 */
export function timeRows(
  table: usize, sources: usize, timestamps: usize, first: u32, end: u32, records: usize, count: u32,
  known: usize, texts: u32, out: usize,
): void {
  readTimes(table, timestamps, first, end, out);
  memory.fill(known, 0, <usize>texts << 2);
  for (let i: u32 = 0; i < count; i++, records += TIME_RECORD_SIZE) {
    const from = max(first, load<u32>(records));
    const to = i + 1 < count ? min(end, load<u32>(records + TIME_RECORD_SIZE)) : end;
    if (from >= to) continue;
    begin(table, load<i64>(records, 8));
    for (let row = from; row < to; ) {
      const stop = min(to, (row | (ROWS - 1)) + 1);
      const page: usize = sources ? pageAt(sources, row) : 0;
      runPage(table, sources, page, row, stop, known, texts, out + (<usize>(row - first) << 3));
      row = stop;
    }
    settle(table);
  }
}

@inline
function pageAt(column: usize, row: u32): usize {
  return <usize>atomic.load<u32>(column + COLUMN_PAGES + (<usize>(row / ROWS) << 2));
}

/** Timestamps of the rows to `out`, their least and greatest to the table. */
function readTimes(table: usize, column: usize, first: u32, end: u32, out: usize): void {
  const base = load<i64>(column, COLUMN_BASE);
  let least = i64.MAX_VALUE;
  let greatest = i64.MIN_VALUE;
  for (let row = first; row < end; ) {
    const stop = min(end, (row | (ROWS - 1)) + 1);
    const page = pageAt(column, row);
    const encoding = load<u32>(page, PAGE_ENCODING);
    const values = page + PAGE_VALUES;
    for (; row < stop; row++, out += 8) {
      const at: usize = row & (ROWS - 1);
      let time: i64;
      if (encoding == PAGE_I64) time = load<i64>(values + (at << 3));
      else if (encoding == PAGE_U8) time = base + <i64>load<u8>(values + at);
      else if (encoding == PAGE_U16) time = base + <i64>load<u16>(values + (at << 1));
      else time = base + <i64>load<u32>(values + (at << 2));
      least = min(least, time);
      greatest = max(greatest, time);
      store<i64>(out, time);
    }
  }
  store<i64>(table, least, TIME_ROWS_MIN);
  store<i64>(table, greatest, TIME_ROWS_MAX);
}

/** Rows of one record and one page of the sources, 0 where none has one. */
function runPage(
  table: usize, sources: usize, page: usize, row: u32, stop: u32, known: usize, texts: u32, out: usize,
): void {
  if (!page) {
    runAlone(table, unnamed(table), out, out + (<usize>(stop - row) << 3));
    return;
  }
  const dictionary = <usize>atomic.load<u32>(sources + COLUMN_DICT);
  const encoding = load<u32>(page, PAGE_ENCODING);
  const isFull = allPresent(page, row & (ROWS - 1), ((stop - 1) & (ROWS - 1)) + 1);
  if (isFull && texts == 1) {
    const cached = <usize>load<u32>(known);
    const entry = cached ? cached : entryOf(table, known, dictionary, 0);
    runAlone(table, entry, out, out + (<usize>(stop - row) << 3));
  } else if (encoding == PAGE_U8) runCodes<u8>(table, dictionary, page, isFull, row, stop, known, out);
  else if (encoding == PAGE_U16) runCodes<u16>(table, dictionary, page, isFull, row, stop, known, out);
  else runCodes<u32>(table, dictionary, page, isFull, row, stop, known, out);
}

function allPresent(page: usize, from: u32, to: u32): bool {
  const presence = page + PAGE_PRESENCE;
  const last = (to - 1) >> 6;
  for (let word = from >> 6; word <= last; word++) {
    let wanted = u64.MAX_VALUE;
    if (word == from >> 6) wanted &= u64.MAX_VALUE << (from & 63);
    if (word == last) wanted &= u64.MAX_VALUE >> (63 - ((to - 1) & 63));
    if ((load<u64>(presence + (<usize>word << 3)) & wanted) != wanted) return false;
  }
  return true;
}

/** Rows of many sources. */
function runCodes<Code>(
  table: usize, dictionary: usize, page: usize, isFull: bool, row: u32, stop: u32, known: usize, out: usize,
): void {
  const receivedAt = load<i64>(table, TIME_RECEIVED_AT);
  const bound = receivedAt + load<i64>(table, TIME_MAX_SKEW);
  let watermark = load<i64>(table, TIME_WATERMARK);
  for (; row < stop; row++, out += 8) {
    const at: usize = row & (ROWS - 1);
    let entry: usize;
    if (isFull || ((load<u8>(page + PAGE_PRESENCE + (at >> 3)) >> (<u8>at & 7)) & 1) != 0) {
      const code = <u32>load<Code>(page + PAGE_VALUES + at * sizeof<Code>());
      entry = <usize>load<u32>(known + (<usize>code << 2));
      if (!entry) entry = entryOf(table, known, dictionary, code);
    } else entry = unnamed(table);
    const least = leastMark(table);
    if (least > watermark && least != IDLE) watermark = least;
    const time = load<i64>(out);
    store<i64>(out, watermark);
    advance(table, entry, receivedAt, bound, time);
  }
  store<i64>(table, watermark, TIME_WATERMARK);
}

@inline
function advance(table: usize, entry: usize, receivedAt: i64, bound: i64, time: i64): void {
  if (time > bound) {
    ahead(table, entry, receivedAt);
    return;
  }
  if (load<i64>(entry, TIME_ENTRY_LAST) != receivedAt || !load<u32>(entry, TIME_ENTRY_AWAKE)) {
    touch(table, entry, receivedAt, time);
  }
  if (time > load<i64>(entry, TIME_ENTRY_MARK)) {
    store<i64>(entry, time, TIME_ENTRY_MARK);
    if (time > load<i64>(table, TIME_GREATEST)) store<i64>(table, time, TIME_GREATEST);
    play(table, entry, time);
  }
}

/** A row from the future. */
function ahead(table: usize, entry: usize, receivedAt: i64): void {
  store<u64>(entry, load<u64>(entry, TIME_ENTRY_FUTURE) + 1, TIME_ENTRY_FUTURE);
  store<i64>(entry, receivedAt, TIME_ENTRY_FUTURE_AT);
  store<u64>(table, load<u64>(table, TIME_FUTURE_ROWS) + 1, TIME_FUTURE_ROWS);
}

/** Rows of one source: the marks of the others stand still meanwhile. */
function runAlone(table: usize, entry: usize, out: usize, end: usize): void {
  const receivedAt = load<i64>(table, TIME_RECEIVED_AT);
  const bound = receivedAt + load<i64>(table, TIME_MAX_SKEW);
  // Until it is awake its own mark isn't among those that count.
  for (; out < end && !isCurrent(entry, receivedAt); out += 8) {
    settle(table);
    const time = load<i64>(out);
    store<i64>(out, load<i64>(table, TIME_WATERMARK));
    advance(table, entry, receivedAt, bound, time);
  }
  if (out >= end) return;
  let watermark = load<i64>(table, TIME_WATERMARK);
  const least = leastOfOthers(table, entry);
  let mark = load<i64>(entry, TIME_ENTRY_MARK);
  for (; out < end; out += 8) {
    watermark = max(watermark, min(mark, least));
    const time = load<i64>(out);
    store<i64>(out, watermark);
    if (time > bound) ahead(table, entry, receivedAt);
    else mark = max(mark, time);
  }
  store<i64>(table, watermark, TIME_WATERMARK);
  store<i64>(entry, mark, TIME_ENTRY_MARK);
  if (mark > load<i64>(table, TIME_GREATEST)) store<i64>(table, mark, TIME_GREATEST);
  play(table, entry, mark);
}

@inline
function isCurrent(entry: usize, receivedAt: i64): bool {
  return load<i64>(entry, TIME_ENTRY_LAST) == receivedAt && load<u32>(entry, TIME_ENTRY_AWAKE) != 0;
}

// ── Restoring ───────────────────────────────────────────────────────────────────────────────────────────

/**
 * Enters a source as it was kept; into one that is there already (sources beyond a maximum that is smaller now) what is
 * later goes. Entries come in the order in which sources did; `timeAwake` follows for those that were received last.
 * Answers the entry's address.
 */
export function timeEnter(
  table: usize, kind: u32, hash: u64, mark: i64, last: i64, future: u64, futureAt: i64,
): usize {
  const entry = kind == TIME_UNNAMED
    ? unnamed(table)
    : kind == TIME_OTHERS ? others(table) : named(table, hash, 0, 0);
  store<i64>(entry, max(mark, load<i64>(entry, TIME_ENTRY_MARK)), TIME_ENTRY_MARK);
  store<i64>(entry, max(last, load<i64>(entry, TIME_ENTRY_LAST)), TIME_ENTRY_LAST);
  store<u64>(entry, future + load<u64>(entry, TIME_ENTRY_FUTURE), TIME_ENTRY_FUTURE);
  store<i64>(entry, max(futureAt, load<i64>(entry, TIME_ENTRY_FUTURE_AT)), TIME_ENTRY_FUTURE_AT);
  return entry;
}

/** Wakes a restored entry; they come by when they were last received, ascending. */
export function timeAwake(table: usize, entry: usize): void {
  if (load<u32>(entry, TIME_ENTRY_AWAKE)) return;
  store<u32>(entry, 1, TIME_ENTRY_AWAKE);
  append(table, entry);
  play(table, entry, load<i64>(entry, TIME_ENTRY_MARK));
}
