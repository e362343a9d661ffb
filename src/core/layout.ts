// Copied from assembly/layout.ts by `npm run build`; change it there.

// Every offset, magic number and tag of the shared linear memory, drawn where it is defined.
//
// The only owner, in the common subset of AssemblyScript and TypeScript (bare integer constants): the build copies it
// word for word to `src/core/layout.ts`, and a test compares the two. Offsets and `…_SIZE` count bytes.
//
// ── The linear memory ────────────────────────────────────────────────────────────────────────────────
//
//   0        ┌──────────────────────────────┐
//            │ root block                   │  region table, reader pins, number tables
//   65,536   ├──────────────────────────────┤
//            │ bodies                       │  HTTP thread: bodies while they are received, until answered
//            ├──────────────────────────────┤
//            │ intake ring                  │  written by the HTTP thread, read by the engine thread
//            ├──────────────────────────────┤
//            │ decoder                      │  engine thread: path trie, batch builder
//            ├──────────────────────────────┤
//            │ batches                      │  engine thread: finished ColumnBatches until applied
//            ├──────────────────────────────┤
//            │ dedup                        │  engine thread: id table and id order
//            ├──────────────────────────────┤
//            │ hot slots                    │  engine thread writes, everyone reads: newest segments
//            ├──────────────────────────────┤
//            │ stream                       │  stream thread: event time, arena of open windows
//            ├──────────────────────────────┤
//            │ reader 0 … reader n          │  scratch and column cache of each reading thread
//            └──────────────────────────────┘
//
// A region has one writing thread. Addresses are absolute u32 byte addresses; 0 means "none".

// ── Root block ───────────────────────────────────────────────────────────────────────────────────────
//
//   0    magic 'MRLM' u32 │ 4 layout version u32 │ 8 region count u32 │ 12 unused
//   64   region table: REGION_COUNT_MAX × { base u32, size u32 }
//   256  reader pins: READERS_MAX × u32, the slot epoch a reader holds (0: none)
//   512  hot slot directory: { count u32, slot size u32, epoch u32 (atomic), base u32 }
//   528  i64 (atomic): the next sequence that the stream thread has not taken; 0: nobody follows
//   1024 CRC-32C tables: 8 × 256 × u32          (8,192 bytes)
//   9216 SHA-256 round constants: 64 × u32      (256 bytes)
//   9472 powers of ten 1e0 … 1e22: 23 × f64     (184 bytes)
//   9728 128-bit truncated significands of 5^q for q = -342 … 308: 651 × { low u64, high u64 }
export const ROOT_MAGIC = 0x4d4c524d;
export const ROOT_VERSION = 1;
export const ROOT_SIZE = 65536;
export const ROOT_REGIONS = 64;
export const ROOT_PINS = 256;
export const ROOT_SLOTS = 512;
export const ROOT_SLOTS_COUNT = 512;
export const ROOT_SLOTS_SIZE = 516;
export const ROOT_SLOTS_EPOCH = 520;
export const ROOT_SLOTS_BASE = 524;
export const ROOT_STREAM_NEXT = 528;
export const ROOT_CRC32C = 1024;
export const ROOT_SHA256 = 9216;
export const ROOT_POWERS_OF_TEN = 9472;
export const ROOT_POWERS_OF_FIVE = 9728;
export const POWER_OF_FIVE_MIN = -342;
export const POWER_OF_FIVE_MAX = 308;
export const REGION_COUNT_MAX = 24;
export const READERS_MAX = 16;

export const REGION_BODIES = 0;
export const REGION_RING = 1;
export const REGION_DECODER = 2;
export const REGION_BATCHES = 3;
export const REGION_DEDUP = 4;
export const REGION_SLOTS = 5;
export const REGION_STREAM = 6;
export const REGION_READER_FIRST = 7;

// ── Lanes: which kind of value a column holds; a path has one column per lane it was ever seen with ────
export const LANE_NUMBER = 0;
export const LANE_STRING = 1;
export const LANE_BOOLEAN = 2;
export const LANE_JSON = 3;
export const LANE_NULL = 4; // presence only: the JSON nulls of a path
export const LANE_ID = 5; // 16 bytes a row, big-endian as in the UUID's text

// ── ColumnBatch v1: what the decoder makes, the journal stores and the engine applies ─────────────────
//
// Little-endian; offsets are relative to the batch's first byte; every section is 16-byte aligned.
//
//   0    magic 'MRB1' u32 │ 4 version u16 │ 6 flags u16 │ 8 CRC-32C u32 of bytes [16, length) │ 12 length u32
//   16   rows u32 │ 20 columns u32 │ 24 first sequence i64
//   32   received at, µs i64 │ 40 partition u32 │ 44 duplicates u32 (rows left out as known ids)
//   48   column descriptors offset u32 │ 52 ids offset u32 │ 56 made-ids bitmap offset u32 (0: all client-sent)
//   60   timestamps offset u32 │ 64 lateness offset u32 (0: all zero) │ 68 rejected u32 │ 72 zeros to 96
//
//   descriptors   columns × BATCH_COLUMN_SIZE
//   ids           rows × 16
//   made-ids      ceil(rows / 128) × 16: bit r is set when the engine made row r's id
//   timestamps    rows × i64 µs
//   lateness      rows × i64 µs
//   then each column's path text, presence bitmap, values, kinds, dictionary
//
// `event_type`, `source`, `user_id`, `session_id` are ordinary string columns under those paths;
// a property's path is `properties.` and its escaped, dotted path.
export const BATCH_MAGIC = 0x3142524d;
export const BATCH_VERSION = 1;
export const BATCH_HEADER_SIZE = 96;
export const BATCH_CRC = 8;
export const BATCH_LENGTH = 12;
export const BATCH_ROWS = 16;
export const BATCH_COLUMNS = 20;
export const BATCH_FIRST_SEQUENCE = 24;
export const BATCH_RECEIVED_AT = 32;
export const BATCH_PARTITION = 40;
export const BATCH_DUPLICATES = 44;
export const BATCH_DESCRIPTORS = 48;
export const BATCH_IDS = 52;
export const BATCH_MADE_IDS = 56;
export const BATCH_TIMESTAMPS = 60;
export const BATCH_LATENESS = 64;
export const BATCH_REJECTED = 68;

// Column descriptor of a batch, 48 bytes.
//
//   0 path offset u32 │ 4 path length u16 │ 6 lane u8 │ 7 encoding u8 │ 8 present count u32
//   12 presence bitmap offset u32 (0: every row) │ 16 values offset u32 │ 20 kinds offset u32
//   24 dictionary count u32 │ 28 dictionary ends offset u32 │ 32 dictionary bytes offset u32 │ 36 zeros to 48
//
// Values are compact: one per present row, in row order.
//   number   BATCH_I64 | BATCH_F64: 8 bytes each; BATCH_MIXED: 8 bytes each, and in the kinds bitmap
//            (bit i belongs to value i) a set bit says f64, a clear one i64
//   string, json   encoding is the code width in bytes: 1, 2 or 4, or 0 when value i is dictionary entry i
//   boolean  one byte each, 0 or 1
//   null     nothing
// Dictionary entry i is bytes [i = 0 ? 0 : ends[i - 1], ends[i]) of the dictionary bytes; ends are u32.
export const BATCH_COLUMN_SIZE = 48;
export const BATCH_COLUMN_PATH = 0;
export const BATCH_COLUMN_PATH_LENGTH = 4;
export const BATCH_COLUMN_LANE = 6;
export const BATCH_COLUMN_ENCODING = 7;
export const BATCH_COLUMN_COUNT = 8;
export const BATCH_COLUMN_PRESENCE = 12;
export const BATCH_COLUMN_VALUES = 16;
export const BATCH_COLUMN_KINDS = 20;
export const BATCH_COLUMN_DICT_COUNT = 24;
export const BATCH_COLUMN_DICT_ENDS = 28;
export const BATCH_COLUMN_DICT_BYTES = 32;
export const BATCH_I64 = 0;
export const BATCH_F64 = 1;
export const BATCH_MIXED = 2;

// ── Hot slot: one segment in memory, open or sealed ───────────────────────────────────────────────────
//
//   0   magic 'MRS1' u32 │ 4 state u32 (atomic) │ 8 published rows u32 (atomic) │ 12 published columns u32 (atomic)
//   16  first sequence i64 │ 24 earliest timestamp i64 µs │ 32 latest timestamp i64 µs
//   40  segment id u32 │ 44 top u32: next free byte │ 48 limit u32 │ 52 column descriptors u32 (address)
//   56  column capacity u32 │ 60 column table u32 │ 64 column table capacity u32
//   68  records u32 (address) │ 72 record count u32 (atomic) │ 76 record capacity u32
//   80  rows written u32 (the writer's own count; readers use the published one)
//   84  dirty u32: bytes from here on were never written (the writer's) │ 88 zeros │ 96 names of fixed columns │ to 256
//
// The writer fills pages and dictionaries, then publishes columns, then rows. A reader loads the rows first:
// every cell, code, dictionary entry and record of a row below it is complete, whatever is loaded later is newer.
// Arrays that grow are copied to fresh memory and their address is published; the old ones stay until the slot
// is freed, so a reader that has loaded an address may use it as long as it pins the slot's epoch.
export const SLOT_MAGIC = 0x3153524d;
export const SLOT_HEADER_SIZE = 256;
export const SLOT_STATE = 4;
export const SLOT_ROWS = 8;
export const SLOT_COLUMNS = 12;
export const SLOT_FIRST_SEQUENCE = 16;
export const SLOT_TIME_MIN = 24;
export const SLOT_TIME_MAX = 32;
export const SLOT_SEGMENT_ID = 40;
export const SLOT_TOP = 44;
export const SLOT_LIMIT = 48;
export const SLOT_DESCRIPTORS = 52;
export const SLOT_COLUMN_CAPACITY = 56;
export const SLOT_TABLE = 60;
export const SLOT_TABLE_CAPACITY = 64;
export const SLOT_RECORDS = 68;
export const SLOT_RECORD_COUNT = 72;
export const SLOT_RECORD_CAPACITY = 76;
export const SLOT_ROWS_WRITTEN = 80;
export const SLOT_DIRTY = 84;
export const SLOT_NAMES = 96;

export const SLOT_FREE = 0;
export const SLOT_OPEN = 1; // takes rows
export const SLOT_FULL = 2; // takes no more rows, not yet in LMDB
export const SLOT_SEALED = 3; // also in LMDB: may be freed when nobody pins it

// A journal record inside a segment, 32 bytes: where its rows begin, when it came, what it left out.
//   0 first row u32 │ 4 rows u32 │ 8 received at i64 µs │ 16 duplicates u32 │ 20 rejected u32 │ 24 zeros
export const RECORD_SIZE = 32;
export const RECORD_FIRST_ROW = 0;
export const RECORD_ROWS = 4;
export const RECORD_RECEIVED_AT = 8;
export const RECORD_DUPLICATES = 16;
export const RECORD_REJECTED = 20;

// ── Column: a path and a lane over the rows of one segment, in a hot slot or in a reader's cache ───────
//   0   path address u32 │ 4 path length u32 │ 8 lane u32 │ 12 present count u32
//   16  dictionary entries u32: address of { text address u32, text length u32 } × count
//   20  dictionary count u32 (atomic) │ 24 dictionary capacity u32 │ 28 dictionary table u32 (the writer's)
//   32  dictionary table capacity u32 │ 36 flags u32 │ 40 base i64 │ 48 decimal exponent u32 │ 52 zeros to 64
//   64  pages: PAGES_MAX × u32, the address of each page, 0 where no row of that page is present
//
// PAGE_U8 … PAGE_U32 pages of a number column hold raw unsigned integers; the value is
// (base + raw) / 10^exponent, computed in f64 when exponent > 0 and in i64 when it is 0.
// In string and json columns they hold dictionary codes, in boolean columns 0 or 1 (always PAGE_U8).
export const COLUMN_SIZE = 192;
export const COLUMN_PATH = 0;
export const COLUMN_PATH_LENGTH = 4;
export const COLUMN_LANE = 8;
export const COLUMN_COUNT = 12;
export const COLUMN_DICT = 16;
export const COLUMN_DICT_COUNT = 20;
export const COLUMN_DICT_CAPACITY = 24;
export const COLUMN_DICT_TABLE = 28;
export const COLUMN_DICT_TABLE_CAPACITY = 32;
export const COLUMN_FLAGS = 36;
export const COLUMN_BASE = 40;
export const COLUMN_EXPONENT = 48;
export const COLUMN_PAGES = 64;
export const COLUMN_FLAG_SORTED = 1; // dictionary codes are in byte order of their text
export const COLUMN_FLAG_PLAIN = 2; // the code of present row i is i: all texts differ, in no order

// ── Page: PAGE_ROWS rows of a column ──────────────────────────────────────────────────────────────────
//   0    encoding u32 │ 4 present count u32 │ 8 zeros to 64
//   64   presence bitmap: PAGE_ROWS bits (512 bytes), bit r of the page set when row r has a value
//   576  values, one per row whether present or not (absent ones are 0)
//        PAGE_MIXED: PAGE_ROWS × 8 bytes, then a bitmap of PAGE_ROWS bits: set = f64, clear = i64
export const PAGE_ROWS = 4096;
export const PAGES_MAX = 32;
export const SEGMENT_ROWS_MAX = 131072; // PAGE_ROWS × PAGES_MAX
export const PAGE_ENCODING = 0;
export const PAGE_COUNT = 4;
export const PAGE_PRESENCE = 64;
export const PAGE_PRESENCE_SIZE = 512;
export const PAGE_VALUES = 576;
export const PAGE_U8 = 0;
export const PAGE_U16 = 1;
export const PAGE_U32 = 2;
export const PAGE_I64 = 3;
export const PAGE_F64 = 4;
export const PAGE_MIXED = 5;
export const PAGE_ID = 6; // 16 bytes a row
export const PAGE_NONE = 7; // presence only

// ── Decoder region: its first words, which TypeScript sets (limits) and reads (results) ────────────────
// Limits, u32 each, set before decoderFormat. Results hold from one decode call to the next; the group
// counters and addresses from one decoderBegin to the next.
export const DECODER_STATUS = 0; // OK or the BODY_… code that refused the body
export const DECODER_OFFSET = 4; // byte offset of that
export const DECODER_ARGUMENT = 8; // what the code needs besides: a limit, a field's role
export const DECODER_EVENTS = 12; // events seen in the body
export const DECODER_REJECTED = 16;
export const DECODER_ERRORS = 20; // errors listed, at most LIMIT_ERRORS
export const DECODER_ROW_BEGIN = 24; // the body's rows of the group, dropped ones included
export const DECODER_ROW_END = 28;
export const DECODER_ROWS = 32; // rows of the group
export const DECODER_GROUP_FULL = 36; // 1: the body did not fit beside the others; a fresh group may take it
export const DECODER_ERROR_LIST = 40; // address of errors: { event index u32, code u32, offset u32, argument u32 }
export const DECODER_IDS = 44; // address: rows × 16
export const DECODER_MADE = 48; // address: bitmap of engine-made ids
export const DECODER_DROPPED = 52; // address: bitmap of dropped rows; the dedup kernel sets bits too
export const DECODER_TIMESTAMPS = 56; // address: rows × i64 µs
export const DECODER_MAPPING = 60; // address: where TypeScript writes a field mapping
export const DECODER_LIMIT_EVENT_BYTES = 64;
export const DECODER_LIMIT_KEY_BYTES = 68;
export const DECODER_LIMIT_PATH_BYTES = 72;
export const DECODER_LIMIT_STRING_BYTES = 76;
export const DECODER_LIMIT_EVENT_DEPTH = 80;
export const DECODER_LIMIT_BODY_DEPTH = 84; // at most 1024
export const DECODER_LIMIT_EVENTS = 88;
export const DECODER_LIMIT_COLUMNS = 92;
export const DECODER_LIMIT_LEAVES = 96;
export const DECODER_LIMIT_ERRORS = 100;
export const DECODER_LIMIT_ROWS = 104; // rows of one group
export const DECODER_UUID_STATE = 128; // 64 bytes, random, set before decoderFormat
export const DECODER_MAPPING_SIZE = 16384;

export const FORMAT_JSON_EVENT = 0;
export const FORMAT_JSON_BATCH = 1;
export const FORMAT_NDJSON = 2;
export const FORMAT_MSGPACK_EVENT = 3;
export const FORMAT_MSGPACK_BATCH = 4;

// Roles: what the decoder does with the value at a path. A mapping is u8 timestamp unit, then entries of
// { role u8, kind u8 (0 path, 1 constant), text length u16, text }; a length of 0 ends it.
export const ROLE_NONE = 0;
export const ROLE_ID = 1;
export const ROLE_TIMESTAMP = 2;
export const ROLE_EVENT_TYPE = 3;
export const ROLE_SOURCE = 4;
export const ROLE_USER_ID = 5;
export const ROLE_SESSION_ID = 6;
export const ROLE_PROPERTIES = 7;

// ── Entry of a heap of rows by time ────────────────────────────────────────────────────────────────────
// TOP    0 time i64 │ 8 row u32 │ 12 unused
export const TOP_SIZE = 16;
export const TOP_TIME = 0;
export const TOP_ROW = 8;

// ── Vectors and states of aggregates, in a reader's scratch ───────────────────────────────────────────
// VECTOR: what assembly/aggregate/vectors.ts reads from, and what it found. The caller sets the first part.
//   0  column u32 │ 4 rows u32 (a list; 0: the mask) │ 8 count u32: rows of the list, words of the mask
//   12 mask u32 │ 16 groups of the list u32 (0: one group) │ 20 cancel u32 │ 24 buffers u32 │ 28 wanted u32
//   32 position u32, 0 at first │ 36 page of the doubles that are still to come u32, 0 at first
//   then of the vector: 40 kind u32 │ 44 count u32 │ 48 values u32 │ 52 groups u32 (0: one group)
//   56 rows u32 (0: they follow each other) │ 60 first row u32 │ 64 how many doubles are still to come u32
//   68 1 while the vector waits for room in a table u32
// VECTOR_BUFFERS is what it needs at "buffers": values, rows, groups, and the same of a mixed page's doubles.
export const VECTOR_SIZE = 80;
export const VECTOR_COLUMN = 0;
export const VECTOR_LIST = 4;
export const VECTOR_LIST_COUNT = 8;
export const VECTOR_MASK = 12;
export const VECTOR_LIST_GROUPS = 16;
export const VECTOR_CANCEL = 20;
export const VECTOR_BUFFER = 24;
export const VECTOR_WANTED = 28;
export const VECTOR_POSITION = 32;
export const VECTOR_PENDING = 36;
export const VECTOR_KIND = 40;
export const VECTOR_COUNT = 44;
export const VECTOR_VALUES = 48;
export const VECTOR_GROUPS = 52;
export const VECTOR_ROWS = 56;
export const VECTOR_FIRST_ROW = 60;
export const VECTOR_PENDING_COUNT = 64;
export const VECTOR_HELD = 68;
export const VECTOR_BUFFER_ROWS = 65536;
export const VECTOR_BUFFER_GROUPS = 81920;
export const VECTOR_BUFFER_OTHER_ROWS = 98304;
export const VECTOR_BUFFER_OTHER_GROUPS = 114688;
export const VECTOR_BUFFERS = 131072;
export const VECTOR_I64 = 0;
export const VECTOR_F64 = 1;
export const VECTOR_CODES = 2;
export const VECTOR_IDS = 3;
export const VECTOR_WANT_F64 = 1; // integers as doubles
export const VECTOR_WANT_RAW = 2; // raw integers that follow each other as they lie, without the column's base
export const VECTOR_RAW = 4; // such a vector's kind, plus its page's encoding

// States, one for each group. docs/formats/partial.md draws them: partials hold them as they are.
// TOTAL  0 integers: low u64 │ 8 high i64 │ 16 doubles f64 │ 24 error f64 │ 32 integers u64 │ 40 doubles u64
// RANGE  0 least i64 │ 8 most i64 │ 16 least f64 │ 24 most f64; least above most: none
export const TOTAL_SIZE = 48;
export const TOTAL_LOW = 0;
export const TOTAL_HIGH = 8;
export const TOTAL_F64 = 16;
export const TOTAL_ERROR = 24;
export const TOTAL_INTEGERS = 32;
export const TOTAL_DOUBLES = 40;
export const RANGE_SIZE = 32;
export const RANGE_I64_LEAST = 0;
export const RANGE_I64_MOST = 8;
export const RANGE_F64_LEAST = 16;
export const RANGE_F64_MOST = 24;
// TEXT   0 address u32 (0: none) │ 4 length u32 │ 8 capacity u32: bytes at the address │ 12 unused
// ID     0 sixteen bytes │ 16 1 when there is one u32 │ 20 unused
// HEAP   0 next free byte u32 │ 4 end u32 │ 8 bytes that were missing u32 │ 12 unused
export const TEXT_SIZE = 16;
export const TEXT_ADDRESS = 0;
export const TEXT_LENGTH = 4;
export const TEXT_CAPACITY = 8;
export const ID_SIZE = 32;
export const ID_PRESENT = 16;
export const HEAP_SIZE = 16;
export const HEAP_TOP = 0;
export const HEAP_END = 4;
export const HEAP_MISSING = 8;
// SPREAD 0 count f64 │ 8 shift f64 │ 16 mean - shift f64 │ 24 squares: sum of (x - mean)² f64
// PICKED 0 time i64 │ 8 sequence i64 │ 16 bits u64: the number, the boolean, or a TEXT's first words
//        24 capacity u32 │ 28 kind u32: PICKED_…
// BEST   0 time i64 │ 8 row + 1 u32, 0: none │ 12 column u32: of one group within one segment
// VALUE  0 the number as the nearest double f64 │ 8 group u32 │ 12 i32: for an integer, twice what it is more than that
//        double, and 1; for a double 0. VALUE_CHUNK of them lie together
// LIST   0 count u32 │ 4 capacity u32 │ 8 chunks u32 (address of an address a chunk) │ 12 unused
// TABLE  0 mask of the slots u32 │ 4 used u32 │ 8 slots u32 (address) │ 12 unused; slots are CELL, MEMBER or TALLY
// CELL   0 number u32 │ 4 group u32 │ 8 count u64, 0: free. Of a sketch the number is a bin, of HyperLogLog a register
// MEMBER 0 bits u64 │ 8 group u32 │ 12 kind u32: MEMBER_…, 0: free. Bits of a text are its index among the texts
// TALLY  0 … as MEMBER │ 16 count u64 │ 24 error u64; all ones: since the table was last cut
// TEXTS  0 mask of the slots u32 │ 4 count u32 │ 8 slots u32 (address of index + 1 by slot) │ 12 entries u32
//        (address of { address u32, length u32, hash u64 }) │ 16 capacity of the entries u32 │ 20 unused
export const SPREAD_SIZE = 32;
export const SPREAD_COUNT = 0;
export const SPREAD_SHIFT = 8;
export const SPREAD_MEAN = 16;
export const SPREAD_SQUARES = 24;
export const PICKED_SIZE = 32;
export const PICKED_TIME = 0;
export const PICKED_SEQUENCE = 8;
export const PICKED_BITS = 16;
export const PICKED_LENGTH = 20; // of a text, whose address is the bits' first half
export const PICKED_CAPACITY = 24;
export const PICKED_KIND = 28;
export const PICKED_NONE = 0;
export const PICKED_I64 = 1;
export const PICKED_F64 = 2;
export const PICKED_BOOLEAN = 3;
export const PICKED_STRING = 4;
export const PICKED_JSON = 5;
export const PICKED_ID = 6;
export const BEST_SIZE = 16;
export const BEST_TIME = 0;
export const BEST_ROW = 8;
export const BEST_COLUMN = 12;
export const VALUE_SIZE = 16;
export const VALUE_NUMBER = 0;
export const VALUE_GROUP = 8;
export const VALUE_REST = 12;
export const VALUE_CHUNK = 4096;
export const LIST_SIZE = 16;
export const LIST_COUNT = 0;
export const LIST_CAPACITY = 4;
export const LIST_CHUNKS = 8;
export const TABLE_SIZE = 16;
export const TABLE_MASK = 0;
export const TABLE_USED = 4;
export const TABLE_SLOTS = 8;
export const CELL_SIZE = 16;
export const CELL_NUMBER = 0;
export const CELL_GROUP = 4;
export const CELL_COUNT = 8;
export const MEMBER_SIZE = 16;
export const MEMBER_BITS = 0;
export const MEMBER_GROUP = 8;
export const MEMBER_KIND = 12;
export const MEMBER_I64 = 1;
export const MEMBER_F64 = 2;
export const MEMBER_BOOLEAN = 3;
export const MEMBER_STRING = 4;
export const MEMBER_JSON = 5;
export const MEMBER_ID = 6;
export const TALLY_SIZE = 32;
export const TALLY_COUNT = 16;
export const TALLY_ERROR = 24;
export const TEXTS_SIZE = 32;
export const TEXTS_MASK = 0;
export const TEXTS_COUNT = 4;
export const TEXTS_SLOTS = 8;
export const TEXTS_ENTRIES = 12;
export const TEXTS_CAPACITY = 16;

// ── Groups of a query: tables in a reader's kept scratch, sources in what a segment takes ───────────────
// GROUP TABLE, of keys or of pairs
//        0 slot mask u32 │ 4 count u32 │ 8 slots u32 (address) │ 12 entries u32 (address) │ 16 capacity u32
//        20 text top u32 │ 24 text end u32 │ 28 wanted text bytes u32: what did not fit, 0 when all did │ of keys:
//        32 entered u32: entries with a slot │ 36 others u32: 1 when it has a text that is not one of the kept
//   slots    (mask + 1) × { 0 or 1 + index u32, hash u32 }; never more than half of them are taken
//   entries  of keys { bits u64, kind u32, hash u32 where none is entered }, of pairs { first u32, second u32 };
//            bits of a text, id or JSON are { address u32, length u32 }
// GROUP SOURCE: what the ids of one key within one segment stand for
//        0 table u32 │ 4 lanes u32 │ 8 known u32: address of indexes by id, GROUP_NONE where not known yet; 0: ids are
//        indexes │ 12 cardinality u32 │ 16 lanes × GROUP_LANE_SIZE, by ascending first id
//   lane 0 first id u32 │ 4 kind u32 │ 8 array u32 (address) │ 12 exponent u32 │ 16 base i64 │ 24 step i64
export const GROUP_TABLE_SIZE = 48;
export const GROUP_MASK = 0;
export const GROUP_COUNT = 4;
export const GROUP_SLOTS = 8;
export const GROUP_ENTRIES = 12;
export const GROUP_CAPACITY = 16;
export const GROUP_TEXT_TOP = 20;
export const GROUP_TEXT_END = 24;
export const GROUP_TEXT_WANTED = 28;
export const GROUP_ENTERED = 32;
export const GROUP_OTHERS = 36;
export const GROUP_KEY_SIZE = 16;
export const GROUP_KEY_BITS = 0;
export const GROUP_KEY_KIND = 8;
export const GROUP_PAIR_SIZE = 8;
export const GROUP_NONE = 0xffffffff;
// Kinds of keys; a number that is an integer within i64 is always KEY_I64.
export const KEY_NULL = 0;
export const KEY_BOOLEAN = 1;
export const KEY_I64 = 2;
export const KEY_F64 = 3;
export const KEY_STRING = 4;
export const KEY_ID = 5;
export const KEY_JSON = 6;
export const GROUP_SOURCE_SIZE = 16;
export const GROUP_SOURCE_TABLE = 0;
export const GROUP_SOURCE_LANES = 4;
export const GROUP_SOURCE_KNOWN = 8;
export const GROUP_SOURCE_CARDINALITY = 12;
export const GROUP_LANE_SIZE = 32;
export const GROUP_LANE_FIRST = 0;
export const GROUP_LANE_KIND = 4;
export const GROUP_LANE_ARRAY = 8;
export const GROUP_LANE_EXPONENT = 12;
export const GROUP_LANE_BASE = 16;
export const GROUP_LANE_STEP = 24;
export const SOURCE_NULL = 0;
export const SOURCE_BOOLEAN = 1;
export const SOURCE_STRING = 2; // array: dictionary entries
export const SOURCE_JSON = 3;
export const SOURCE_INTEGER = 4; // (base + id × step) / 10^exponent
export const SOURCE_STARTS = 5; // array: i64 each
export const SOURCE_INDEX = 6; // ids are indexes in the table
export const SOURCE_NUMBERED = 7; // array: numbers of kept texts by id; base: entries of TEXTS; step: indexes by number
