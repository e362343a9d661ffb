// The encoded column: one sealed column of a segment as the bytes of one LMDB value.
//
// Written in the common subset of AssemblyScript and TypeScript (bare integer constants). The few offsets
// that TypeScript reads are repeated in `src/storage/column-bytes.ts`; a test compares them.
// `docs/formats/segment.md` draws the same thing for people.
//
// ── Encoded column v2 ─────────────────────────────────────────────────────────────────────────────────
//
// Little-endian; offsets are relative to the first byte; sections are 16-byte aligned; the text is the last one.
//
//   0    magic 'MRC1' u32 │ 4 version u16 │ 6 flags u16 │ 8 CRC-32C u32 of bytes [16, length) │ 12 length u32
//   16   rows u32 │ 20 present rows u32
//   24   lane u8 │ 25 form u8 │ 26 encoding u8 │ 27 presence u8 │ 28 decimal exponent u8 │ 29 zone kinds u8
//   30   text lengths u8: 0 those of the suffixes, 1 those of the texts │ 31 zero
//   32   pages u32: bit p is set when a row of page p is present
//   36   presence offset u32 │ 40 kinds offset u32 │ 44 values offset u32
//   48   dictionary offset u32 │ 52 dictionary count u32 │ 56 text bytes u32 │ 60 text offset u32
//   64   smallest value, a word │ 72 largest value, a word
//   80   sections: presence │ kinds │ values │ dictionary │ text
//
// COLUMN_BYTES_DEFLATED: the text section is stored as a raw deflate stream up to the end of the LMDB
// value. Length and CRC are those of the inflated bytes, so that one checksum covers the whole way. The
// core takes inflated bytes only.
//
// Version 1 is the same without ENCODING_ID_BITS, STREAM_RUNS and TEXT_LENGTHS_WHOLE.
//
// A **word** is 8 bytes; the form says what a word means, the encoding how the words of the present rows
// are stored. Text bytes is the sum of the lengths of all dictionary texts, as they are when decoded.
export const COLUMN_BYTES_MAGIC = 0x3143524d;
export const COLUMN_BYTES_VERSION = 2;
export const COLUMN_BYTES_VERSION_MIN = 1; // the oldest that is read
export const COLUMN_BYTES_HEADER_SIZE = 80;
export const COLUMN_BYTES_FLAGS = 6;
export const COLUMN_BYTES_CRC = 8;
export const COLUMN_BYTES_LENGTH = 12;
export const COLUMN_BYTES_ROWS = 16;
export const COLUMN_BYTES_COUNT = 20;
export const COLUMN_BYTES_LANE = 24;
export const COLUMN_BYTES_FORM = 25;
export const COLUMN_BYTES_ENCODING = 26;
export const COLUMN_BYTES_PRESENCE_KIND = 27;
export const COLUMN_BYTES_EXPONENT = 28;
export const COLUMN_BYTES_ZONE_KINDS = 29; // bit 0: the smallest word is an f64, bit 1: the largest one
export const COLUMN_BYTES_TEXT_LENGTHS = 30;
export const COLUMN_BYTES_PAGES = 32;
export const COLUMN_BYTES_PRESENCE = 36;
export const COLUMN_BYTES_KINDS = 40;
export const COLUMN_BYTES_VALUES = 44;
export const COLUMN_BYTES_DICT = 48;
export const COLUMN_BYTES_DICT_COUNT = 52;
export const COLUMN_BYTES_TEXT_BYTES = 56;
export const COLUMN_BYTES_TEXT = 60;
export const COLUMN_BYTES_MIN = 64;
export const COLUMN_BYTES_MAX = 72;
export const COLUMN_BYTES_DEFLATED = 1;
/** No column holds more text than this, decoded. */
export const TEXT_BYTES_MAX = 1073741824;

// Forms.
export const FORM_I64 = 0; // the word is the number
export const FORM_DECIMAL = 1; // the number is f64(word) / 10^exponent
export const FORM_F64 = 2; // the word is the number's bits
export const FORM_MIXED = 3; // kinds bitmap, bit i belongs to value i: set = f64 bits, clear = i64
export const FORM_CODE = 4; // the word is a dictionary code
export const FORM_BOOLEAN = 5; // 0 or 1
export const FORM_ID = 6; // 16 bytes a row
export const FORM_NONE = 7; // presence only

// Encodings.
export const ENCODING_NONE = 0; // there are no values
export const ENCODING_PACKED = 1; // values: a packed stream
export const ENCODING_DICTIONARY = 2; // values: a packed stream of codes; dictionary: a packed stream of words
export const ENCODING_XOR = 3; // values: XOR blocks
export const ENCODING_RAW = 4; // values: 8 bytes each, ids 16
export const ENCODING_TEXT_SORTED = 5; // values: a packed stream of codes; dictionary: front-coded, in byte order
export const ENCODING_TEXT_PLAIN = 6; // no values; dictionary: one text for each present row, all different
export const ENCODING_ID_BITS = 7; // values: ID blocks. Since version 2

// Text lengths.
export const TEXT_LENGTHS_SUFFIX = 0;
export const TEXT_LENGTHS_WHOLE = 1; // since version 2

// Presence.
export const PRESENCE_ALL = 0;
export const PRESENCE_NONE = 1;
export const PRESENCE_BITMAP = 2; // ceil(rows / 128) × 16 bytes, bit r belongs to row r
export const PRESENCE_ROWS = 3; // a packed stream of the present rows, ascending
export const PRESENCE_ABSENT_ROWS = 4; // a packed stream of the absent rows, ascending

// ── Packed stream: up to SEGMENT_ROWS_MAX words in blocks of BLOCK_VALUES ──────────────────────────────
//
//   0    count u32 │ 4 length u32, a multiple of 16 │ 8 blocks u32 │ 12 zero
//   16   directory: blocks × { 0 payload offset u32 │ 4 width u8 │ 5 mode u8 │ 6 zeros │ 8 base i64 }
//        payloads, each 8-byte aligned: first i64 if STREAM_DELTA │ step u64 if STREAM_STEP │ packed words; or
//          STREAM_RUNS alone: runs u32 │ zeros u32 │ lengths - 1, packed in RUN_WIDTH bits │ packed words, one a run
//
// Packed words are `width` bits each, least significant bit first, without gaps. Arithmetic wraps at 64 bits:
//   direct   word i = base + step × packed i
//   delta    word 0 = first, word i + 1 = word i + base + step × packed i
export const BLOCK_VALUES = 4096;
export const STREAM_HEADER_SIZE = 16;
export const STREAM_COUNT = 0;
export const STREAM_LENGTH = 4;
export const STREAM_BLOCKS = 8;
export const STREAM_BLOCK_SIZE = 16;
export const STREAM_BLOCK_OFFSET = 0;
export const STREAM_BLOCK_WIDTH = 4;
export const STREAM_BLOCK_MODE = 5;
export const STREAM_BLOCK_BASE = 8;
export const STREAM_DELTA = 1;
export const STREAM_STEP = 2;
export const STREAM_RUNS = 4; // word i is base + the packed word of the run that it is in; since version 2
export const RUN_WIDTH = 12;

// ── XOR blocks: words that differ from their predecessor in few low bytes ─────────────────────────────
//
//   0    directory: blocks × { offset u32 │ length u32 }, offsets relative to the section
//        blocks: ceil(n / 2) bytes with a 4-bit length for each word, the even one in the low half; then,
//        without gaps, that many low bytes of word XOR predecessor (0 before a block's first word)
export const XOR_BLOCK_SIZE = 8;

// ── ID blocks: ids that agree in many bits ────────────────────────────────────────────────────────────
//
//   0    directory: blocks × { fixed high u64 │ mask high u64 │ fixed low u64 │ mask low u64 }
//        packed stream: the bits of each id's high word (its first 8 bytes, big-endian) that the mask has set, put
//        next to each other, lowest first │ packed stream: the same of the low word
//
// Bits that are clear in a block's mask are those of `fixed`, for all ids of the block.
export const ID_BLOCK_SIZE = 32;

// ── Dictionary of texts ───────────────────────────────────────────────────────────────────────────────
//
//   sorted   starts: blocks × u32, where the suffixes of the block's first entry begin in the text section,
//            padded to 16 │ packed stream: bytes shared with the entry before (0 for a block's first entry)
//            │ packed stream: lengths, of the suffixes or of the whole texts, which are often all the same. The
//            text section holds the suffixes.
//   plain    packed stream: lengths. The text section holds the texts.
//
// A block is BLOCK_VALUES entries; it restarts the front coding, so any entry can be reached through its block.

// ── Filter of texts v1: an LMDB value of its own ──────────────────────────────────────────────────────
//
//   0    magic 'MRF1' u32 │ 4 version u16 │ 6 flags u16 │ 8 CRC-32C u32 of bytes [16, length) │ 12 length u32
//   16   blocks u32 │ 20 texts u32 │ 24 zeros to 32 │ 32 blocks × 32 bytes (text-filter.ts)
export const FILTER_HEADER_SIZE = 32;
export const FILTER_BLOCK_SIZE = 32;

/** What the encoder needs besides its output, in bytes, for a dictionary of up to 2^18 entries. */
export const ENCODE_SCRATCH_SIZE = 8388608;
// The encoder leaves the smallest and the largest text of the column at the start of its scratch.
export const ENCODE_RESULT_MIN_ADDRESS = 0;
export const ENCODE_RESULT_MIN_LENGTH = 4;
export const ENCODE_RESULT_MAX_ADDRESS = 8;
export const ENCODE_RESULT_MAX_LENGTH = 12;
