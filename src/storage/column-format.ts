// What TypeScript needs of assembly/encode/format.ts, which owns these constants; a test compares them.

export const COLUMN_BYTES_HEADER_SIZE = 80;
export const COLUMN_BYTES_FLAGS = 6;
export const COLUMN_BYTES_LENGTH = 12;
export const COLUMN_BYTES_COUNT = 20;
export const COLUMN_BYTES_DICT_COUNT = 52;
export const COLUMN_BYTES_FORM = 25;
export const COLUMN_BYTES_ENCODING = 26;
export const COLUMN_BYTES_EXPONENT = 28;
export const COLUMN_BYTES_ZONE_KINDS = 29;
export const COLUMN_BYTES_TEXT = 60;
export const COLUMN_BYTES_MIN = 64;
export const COLUMN_BYTES_MAX = 72;
export const COLUMN_BYTES_DEFLATED = 1;
export const TEXT_BYTES_MAX = 1073741824;
export const FORM_DECIMAL = 1;
export const FORM_F64 = 2;
export const FORM_MIXED = 3;
export const ENCODE_SCRATCH_SIZE = 8388608;
export const ENCODE_RESULT_MIN_ADDRESS = 0;
export const ENCODE_RESULT_MIN_LENGTH = 4;
export const ENCODE_RESULT_MAX_ADDRESS = 8;
export const ENCODE_RESULT_MAX_LENGTH = 12;
export const FILTER_HEADER_SIZE = 32;
export const FILTER_BLOCK_SIZE = 32;
