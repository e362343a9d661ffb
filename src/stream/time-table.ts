// Offsets in the table of event time, which assembly/stream/time-table.ts draws.

export const TIME_COUNT = 8;
export const TIME_WATERMARK = 32;
export const TIME_GREATEST = 40;
export const TIME_NEWEST = 48;
export const TIME_RECEIVED_AT = 56;
export const TIME_FUTURE_ROWS = 80;
export const TIME_ENTRIES_AT = 92;
export const TIME_ROWS_MIN = 104;
export const TIME_ROWS_MAX = 112;
export const TIME_ENTRY_SIZE = 64;
export const TIME_ENTRY_MARK = 8;
export const TIME_ENTRY_LAST = 16;
export const TIME_ENTRY_FUTURE = 24;
export const TIME_ENTRY_FUTURE_AT = 32;
export const TIME_ENTRY_BEFORE = 40;
export const TIME_ENTRY_AWAKE = 48;
export const TIME_ENTRY_KIND = 52;
export const TIME_ENTRY_TEXT = 56;
export const TIME_ENTRY_TEXT_LENGTH = 60;
export const TIME_NAMED = 0;
export const TIME_UNNAMED = 1;
export const TIME_OTHERS = 2;
export const TIME_RECORD_SIZE = 16;
