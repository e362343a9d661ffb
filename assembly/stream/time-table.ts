// The table of event time: how far each source has come. One writing thread, and no readers besides;
// src/stream/time-table.ts has those of these offsets that TypeScript needs.
//
//   0    sources max u32 │ 4 places u32, a power of two │ 8 entries taken u32 │ 12 leaves u32, a power of two
//   16   entry of rows without a source u32 │ 20 entry that sources beyond the maximum share u32 (addresses)
//   24   head u32 │ 28 tail u32 of the queue of sources that are awake, by when they were last received (addresses)
//   32   watermark i64 µs │ 40 greatest mark i64 µs │ 48 newest last-received i64 µs │ 56 newest received-at i64 µs
//   64   max skew i64 µs │ 72 idle timeout i64 µs │ 80 future rows u64
//   88   places u32 │ 92 entries u32 │ 96 tree u32 (addresses)
//   104  least timestamp of the last rows i64 │ 112 greatest of them i64
//   places   u32 each: address of an entry, 0: free; by hash
//   entries  (sources max + 2) × TIME_ENTRY_SIZE, in the order in which sources came
//   tree     2 × leaves × i64: [leaves + i] the mark of entry i, i64.MAX_VALUE while it is idle or has none;
//            [n] the lesser of [2n] and [2n + 1]
//
// ENTRY  0 hash u64 │ 8 mark i64 µs, i64.MIN_VALUE before the first │ 16 last received i64 µs │ 24 future rows u64
//        32 when the last of those was received i64 µs │ 40 before u32 │ 44 after u32, in the queue (addresses)
//        48 awake u32 │ 52 kind u32: TIME_… │ 56 text address u32 │ 60 text length u32, good while it is new
// RECORD 0 first row u32 │ 4 zeros │ 8 received at i64 µs

export const TIME_SIZE: u32 = 128;
export const TIME_SOURCES_MAX: u32 = 0;
export const TIME_PLACES: u32 = 4;
export const TIME_COUNT: u32 = 8;
export const TIME_LEAVES: u32 = 12;
export const TIME_ABSENT: u32 = 16;
export const TIME_SHARED: u32 = 20;
export const TIME_HEAD: u32 = 24;
export const TIME_TAIL: u32 = 28;
export const TIME_WATERMARK: u32 = 32;
export const TIME_GREATEST: u32 = 40;
export const TIME_NEWEST: u32 = 48;
export const TIME_RECEIVED_AT: u32 = 56;
export const TIME_MAX_SKEW: u32 = 64;
export const TIME_IDLE_TIMEOUT: u32 = 72;
export const TIME_FUTURE_ROWS: u32 = 80;
export const TIME_PLACES_AT: u32 = 88;
export const TIME_ENTRIES_AT: u32 = 92;
export const TIME_TREE_AT: u32 = 96;
export const TIME_ROWS_MIN: u32 = 104;
export const TIME_ROWS_MAX: u32 = 112;
export const TIME_ENTRY_SIZE: u32 = 64;
export const TIME_ENTRY_MARK: u32 = 8;
export const TIME_ENTRY_LAST: u32 = 16;
export const TIME_ENTRY_FUTURE: u32 = 24;
export const TIME_ENTRY_FUTURE_AT: u32 = 32;
export const TIME_ENTRY_BEFORE: u32 = 40;
export const TIME_ENTRY_AFTER: u32 = 44;
export const TIME_ENTRY_AWAKE: u32 = 48;
export const TIME_ENTRY_KIND: u32 = 52;
export const TIME_ENTRY_TEXT: u32 = 56;
export const TIME_ENTRY_TEXT_LENGTH: u32 = 60;
export const TIME_NAMED: u32 = 0;
export const TIME_UNNAMED: u32 = 1;
export const TIME_OTHERS: u32 = 2;
export const TIME_RECORD_SIZE: u32 = 16;
