// Status codes of the decoder in words: what was got, what is wanted, and where.
import type { EventError } from "../engine/ingest.ts";
import { InputError } from "../errors.ts";
import * as layout from "./layout.ts";
import * as status from "./status.ts";

/** The limits that a decoder was given: bytes, levels and counts. */
export interface DecoderLimits {
  readonly eventBytesMax: number;
  readonly keyBytesMax: number;
  readonly pathBytesMax: number;
  readonly stringBytesMax: number;
  readonly eventDepthMax: number;
  readonly bodyDepthMax: number;
  readonly batchEventsMax: number;
  readonly batchColumnsMax: number;
  readonly eventColumnsMax: number;
  readonly receiptErrorsMax: number;
  readonly rowsMax: number;
}

/** What went wrong where: `offset` in bytes from the body's first, `argument` as the code has it. */
export interface DecoderFault {
  readonly code: number;
  readonly offset: number;
  readonly argument: number;
}

export interface FaultContext {
  readonly body: Uint8Array;
  readonly limits: DecoderLimits;
  readonly isMessagePack: boolean;
  /** The body is one event, not a batch. */
  readonly isEvent: boolean;
}

const EXCERPT_BYTES = 32;

const ROLE_NAMES = [
  "value",
  "id",
  "timestamp",
  "event_type",
  "source",
  "user_id",
  "session_id",
  "properties",
];

/** A whole string, a number or a word, or what begins as an object, a list or none of these, up to its line's end. */
const JSON_VALUE = /^(?:"(?:[^"\\\n]|\\.)*"|[-+.\w]+(?=[\s,\]}]|$)|[^\n]+)/;

/** The few bytes at `offset`, as text where they are text; control characters and bad UTF-8 as their bytes. */
function excerpt(body: Uint8Array, offset: number, isMessagePack: boolean): string {
  let bytes = body.slice(offset, offset + EXCERPT_BYTES);
  if (bytes.length === 0) return "the end of the body";
  const cut = offset + bytes.length < body.length;
  const [value] = isMessagePack
    ? []
    : (JSON_VALUE.exec(Buffer.from(bytes).toString("latin1")) ?? []);
  if (value !== undefined) bytes = bytes.subarray(0, value.length);
  const more = cut && bytes.length === EXCERPT_BYTES ? "…" : "";
  const hex = () =>
    `${[...bytes.subarray(0, 8)].map((byte) => `0x${byte.toString(16).padStart(2, "0")}`).join(" ")}${more}`;
  if (isMessagePack) return hex();
  const text = new TextDecoder().decode(bytes).replace(/�+$/, "");
  if (text === "" || text.startsWith("�") || text.charCodeAt(0) < 0x20) return hex();
  // JSON.stringify shows what can't be seen.
  return `\`${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"')}${more}\``;
}

/** Short reasons that end in "at byte N"; null when the code has a sentence of its own below. */
function syntaxReason(code: number, got: string): [string, string] | null {
  switch (code) {
    case status.BODY_CUT_OFF:
      return ["body_cut_off", "the body ends inside a value"];
    case status.BODY_UNEXPECTED_BYTE:
      return ["unexpected_byte", `got ${got}, which can't stand here`];
    case status.BODY_INVALID_UTF8:
      return ["invalid_utf8", `got ${got}, want valid UTF-8`];
    case status.BODY_CONTROL_CHARACTER:
      return ["control_character", `got ${got} in a string, want control characters escaped`];
    case status.BODY_INVALID_ESCAPE:
      return ["invalid_escape", `got ${got} in an escape, want one of "\\/bfnrt or uXXXX`];
    case status.BODY_INVALID_SURROGATE:
      return ["invalid_surrogate", `got ${got}, half of a surrogate pair; want both or none`];
    case status.BODY_INVALID_NUMBER:
      return ["invalid_number", `got ${got}, want a number as JSON writes them`];
    case status.BODY_INVALID_LITERAL:
      return ["invalid_literal", `got ${got}, want true, false or null`];
    case status.BODY_TRAILING:
      return ["trailing_bytes", `got ${got} after the end of the value, want nothing more`];
    case status.BODY_INVALID_TYPE_BYTE:
      return ["invalid_type_byte", "got 0xc1, which MessagePack leaves unused"];
    default:
      return null;
  }
}

/** A code, a message and an HTTP status for a body that is refused whole. */
function bodyReason(fault: DecoderFault, context: FaultContext): [string, string, number] {
  const { limits, body, isMessagePack } = context;
  const got = excerpt(body, fault.offset, isMessagePack);
  const format = isMessagePack ? "MessagePack" : "JSON";
  const syntax = syntaxReason(fault.code, got);
  if (syntax) return [syntax[0], `${format}: ${syntax[1]}`, 400];
  switch (fault.code) {
    case status.BODY_EMPTY:
      return ["empty_body", "got an empty body, want events", 400];
    case status.BODY_TOO_DEEP:
      return ["body_too_deep", `got more than ${limits.bodyDepthMax} levels of nesting`, 400];
    case status.BODY_NOT_EVENTS:
      return ["not_events", `got ${got}, want ${wantedEvents(context)}`, 400];
    case status.BODY_TOO_MANY_EVENTS:
      return [
        "too_many_events",
        `got more than ${limits.batchEventsMax} events, want them in several requests`,
        413,
      ];
    case status.BODY_DUPLICATE_EVENTS_KEY:
      return ["duplicate_events_key", 'got a second "events", want one', 400];
    case status.BODY_BYTE_ORDER_MARK:
      return ["byte_order_mark", "got a UTF-8 byte order mark, want the body without it", 400];
    default:
      return [
        "body_too_large",
        "the body's columns need more memory than a request may take; send it in parts",
        413,
      ];
  }
}

function wantedEvents({ isEvent }: FaultContext): string {
  return isEvent
    ? "one event, which is an object; /api/v1/events/batch takes lists"
    : 'a list of events, {"events":[…]} or an event';
}

/** The refusal of a body. */
export function bodyRefusal(fault: DecoderFault, context: FaultContext): InputError {
  const [code, message, httpStatus] = bodyReason(fault, context);
  const detail = { byteOffset: fault.offset };
  return new InputError(code, `${message}, at byte ${fault.offset}`, detail, httpStatus);
}

/** A code and a message for one event that is rejected. */
function eventReason(fault: DecoderFault, context: FaultContext): [string, string] {
  const { limits, body, isMessagePack } = context;
  const got = excerpt(body, fault.offset, isMessagePack);
  const field = ROLE_NAMES[fault.argument] ?? "value";
  switch (fault.code) {
    case status.EVENT_NOT_AN_OBJECT:
      return ["not_an_object", `got ${got}, want an event, which is an object`];
    case status.EVENT_TYPE_MISSING:
      return ["event_type_missing", "got no event_type, want a string"];
    case status.EVENT_TYPE_EMPTY:
      return ["event_type_empty", "got an empty event_type, want a string that says something"];
    case status.EVENT_FIELD_TYPE:
      return ["field_type", `got ${got} as ${field}, want a ${wantedType(fault.argument)}`];
    case status.EVENT_PROPERTIES_TYPE:
      return ["properties_type", `got ${got} as properties, want an object`];
    case status.EVENT_INVALID_TIMESTAMP:
      return ["invalid_timestamp", `got ${got} as timestamp, want RFC 3339 text or a number`];
    case status.EVENT_TIMESTAMP_ZONE:
      return ["timestamp_zone", `got ${got} as timestamp, want a zone: Z or ±hh:mm`];
    case status.EVENT_TIMESTAMP_RANGE:
      return ["timestamp_range", `got ${got} as timestamp, want a year from 0001 to 9999`];
    case status.EVENT_TOO_DEEP:
      return ["event_too_deep", `got more than ${limits.eventDepthMax} levels of nesting`];
    case status.EVENT_KEY_TOO_LONG:
      return ["key_too_long", `got a key of more than ${limits.keyBytesMax} bytes`];
    case status.EVENT_PATH_TOO_LONG:
      return ["path_too_long", `got a path of more than ${limits.pathBytesMax} bytes`];
    case status.EVENT_STRING_TOO_LONG:
      return ["string_too_long", `got a string of more than ${limits.stringBytesMax} bytes`];
    case status.EVENT_TOO_LARGE:
      return ["event_too_large", `got an event of more than ${limits.eventBytesMax} bytes`];
    case status.EVENT_TOO_MANY_COLUMNS:
      return ["too_many_values", `got an event of more than ${limits.eventColumnsMax} values`];
    case status.EVENT_NUMBER_RANGE:
      return ["number_range", `got ${got}, a number beyond what 64 bits hold`];
    case status.EVENT_KEY_TYPE:
      return ["key_type", `got ${got} as a key, want text`];
    default: {
      const reason = syntaxReason(fault.argument, got);
      return ["malformed", `the line is not JSON: ${reason ? reason[1] : "nested too deep"}`];
    }
  }
}

function wantedType(role: number): string {
  return role === layout.ROLE_TIMESTAMP ? "string or a number" : "string";
}

/** The rejection of the event at `index` of its body. */
export function eventError(index: number, fault: DecoderFault, context: FaultContext): EventError {
  const [code, message] = eventReason(fault, context);
  return { index, code, message: `${message}, at byte ${fault.offset}` };
}
