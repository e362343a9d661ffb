// Copied from assembly/status.ts by `npm run build`; change it there.

// What a kernel answers. Kernels never throw: they return one of these codes, and `src/core/status.ts` turns
// it into an error that a person can read. Like layout.ts this file is copied word for word to src/core/.

export const OK = 0;

// ── The whole body is refused; the result block holds the byte offset ─────────────────────────────────
export const BODY_EMPTY = 1; // nothing but white space
export const BODY_CUT_OFF = 2; // the body ends inside a value
export const BODY_UNEXPECTED_BYTE = 3; // a byte that the grammar does not allow there
export const BODY_INVALID_UTF8 = 4;
export const BODY_CONTROL_CHARACTER = 5; // an unescaped control character in a string
export const BODY_INVALID_ESCAPE = 6;
export const BODY_INVALID_SURROGATE = 7; // RFC 8259 lets one stand alone; UTF-8 can't hold it
export const BODY_INVALID_NUMBER = 8;
export const BODY_INVALID_LITERAL = 9; // looks like true, false or null and is not
export const BODY_TOO_DEEP = 10; // deeper than the parser follows at all
export const BODY_TRAILING = 11; // more after the end of the value
export const BODY_NOT_EVENTS = 12; // well-formed, but neither an event nor a list of events
export const BODY_TOO_MANY_EVENTS = 13;
export const BODY_INVALID_TYPE_BYTE = 14; // MessagePack 0xc1
export const BODY_TOO_LARGE = 15; // its columns do not fit the decoder's memory
export const BODY_DUPLICATE_EVENTS_KEY = 16; // more than one "events" in the envelope
export const BODY_BYTE_ORDER_MARK = 17; // RFC 8259, section 8.1, forbids one

// ── One event is rejected, the others go on ───────────────────────────────────────────────────────────
export const EVENT_NOT_AN_OBJECT = 32;
export const EVENT_TYPE_MISSING = 33;
export const EVENT_FIELD_TYPE = 34; // a fixed field has a value of another type
export const EVENT_TYPE_EMPTY = 35;
export const EVENT_INVALID_TIMESTAMP = 36;
export const EVENT_TIMESTAMP_ZONE = 37; // RFC 3339 text without a zone
export const EVENT_TIMESTAMP_RANGE = 38; // outside years 0001 to 9999
export const EVENT_PROPERTIES_TYPE = 39; // properties is not an object
export const EVENT_TOO_DEEP = 40;
export const EVENT_KEY_TOO_LONG = 41;
export const EVENT_STRING_TOO_LONG = 42;
export const EVENT_TOO_LARGE = 43;
export const EVENT_TOO_MANY_COLUMNS = 44;
export const EVENT_NUMBER_RANGE = 45; // not finite
export const EVENT_KEY_TYPE = 46; // MessagePack: a map key that is not text
export const EVENT_MALFORMED = 47; // NDJSON: this line is not JSON; detail is a BODY_… code
export const EVENT_PATH_TOO_LONG = 48;

// ── Regions ───────────────────────────────────────────────────────────────────────────────────────────
export const OUT_OF_MEMORY = 64;
export const SLOT_IS_FULL = 65; // the batch does not fit the open slot: seal it first
export const CORRUPT_MAGIC = 66;
export const CORRUPT_VERSION = 67;
export const CORRUPT_CHECKSUM = 68;
export const CORRUPT_BOUNDS = 69; // an offset or a count points outside its container
export const CORRUPT_ENCODING = 70;
