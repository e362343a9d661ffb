import {
  columnOfNode,
  hasRoom,
  putAtOnce,
  putShortAtOnce,
  putTimeInMinute,
  putUuid,
  seesKind,
  takesPlain,
  takesText,
} from "../batch/builder";
import { CELL_F64, CELL_FALSE, CELL_I64, CELL_STRING } from "../batch/columns";
import {
  NODE_ALIAS,
  NODE_PARENT,
  NODE_ROLE,
  NODE_STR_HEAD,
  NODE_STR_MASK,
  NODE_STR_SIZE,
  NODE_TOKEN,
} from "../batch/paths";
import { SHORT_MAX, shortText } from "../batch/texts";
import { ROLE_ID, ROLE_TIMESTAMP } from "../layout";
import { OK } from "../status";
import { readU16, readU64 } from "./msgpack-token";

// What nearly every pair of an event is, put with no call and no branch on what changes from event
// to event: lengths of texts, sizes of integers, true and false. Each function answers 0 for what is
// not for here, and has put nothing then; msgpack-event.ts does that, and finds what is wrong.

/**
 * The address after the key at `p`, if it is the node's, as a short str: one that was seen, so
 * valid. It may lie beyond the body's end.
 */
@inline
export function passKey(node: usize, p: usize, object: usize): usize {
  if (node == 0) return 0;
  const mask = <u32>load<u16>(node, NODE_STR_MASK);
  const equal = <u32>i8x16.bitmask(i8x16.eq(v128.load(p), v128.load(node, NODE_TOKEN)));
  const head = <u32>load<u8>(p) ^ <u32>load<u8>(node, NODE_STR_HEAD);
  if (((~equal & mask) | head) != 0) return 0;
  if (load<u32>(node, NODE_PARENT) != <u32>object) {
    if (load<u32>(node, NODE_ALIAS) != <u32>object) return 0;
  }
  const size = <usize>load<u8>(node, NODE_STR_SIZE);
  if (size > 16) {
    // The last 16 of at most 32 bytes.
    const last = v128.xor(v128.load(p + size - 16), v128.load(node + NODE_TOKEN + size - 16));
    if (v128.any_true(last)) return 0;
  }
  return p + size;
}

/** The address after the value at `p` of the path `node`, once it is put. */
@inline
export function putUsual(d: usize, node: usize, p: usize, end: usize): usize {
  const type = <u32>load<u8>(p);
  const column = columnOfNode(node);
  if (column == 0) return putUsualField(d, node, p, end, type);
  if (!hasRoom(column)) return 0;
  if (type - 0xa1 < SHORT_MAX) {
    const length = type & 31;
    const bytes = shortText(d, p + 1, length);
    if (i8x16.bitmask(bytes) != 0) return 0;
    const next = p + 1 + length;
    if (next > end) return 0;
    if (!seesKind(column, CELL_STRING)) return 0;
    if (!takesText(node)) return 0;
    return putShortAtOnce(d, node, column, bytes, length) == OK ? next : 0;
  }
  if (!takesPlain(node)) return 0;
  let kind: u32 = 0;
  let bits: u64 = type;
  let next = p + 1;
  if (type == 0xcb) {
    bits = readU64(p + 1);
    next = p + 9;
    const value = reinterpret<f64>(bits);
    if (abs(value - trunc(value)) > 0) kind = CELL_F64;
  } else if (type - 0xcc < 2) {
    bits = readU16(p + 1) >> ((0xcd - type) << 3);
    next = p + 2 + (type - 0xcc);
    kind = CELL_I64;
  } else if (type < 0x80) {
    kind = CELL_I64;
  } else if ((type & 0xfe) == 0xc2) {
    kind = CELL_FALSE << (type & 1);
  }
  if (!seesKind(column, kind)) return 0;
  if (next > end) return 0;
  putAtOnce(d, column, kind, bits);
  return next;
}

/** The fields that have no column: an id, a time as JavaScript writes it. */
@inline
function putUsualField(d: usize, node: usize, p: usize, end: usize, type: u32): usize {
  if (type == 0xd9) {
    const next = p + 38;
    if (load<u8>(p, 1) != 36 || load<u32>(node, NODE_ROLE) != ROLE_ID) return 0;
    return next <= end && putUuid(d, p + 2) ? next : 0;
  }
  if (type != 0xb8 || load<u32>(node, NODE_ROLE) != ROLE_TIMESTAMP) return 0;
  const next = p + 25;
  if (next > end) return 0;
  return putTimeInMinute(d, p + 1) ? next : 0;
}
