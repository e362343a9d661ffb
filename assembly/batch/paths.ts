import {
  DECODER_LIMIT_KEY_BYTES,
  DECODER_LIMIT_LEAVES,
  DECODER_LIMIT_PATH_BYTES,
  ROLE_EVENT_TYPE,
  ROLE_NONE,
  ROLE_SESSION_ID,
  ROLE_SOURCE,
  ROLE_USER_ID,
} from "../layout";
import { hashBytes } from "../memory/hash";
import { EVENT_KEY_TOO_LONG, EVENT_PATH_TOO_LONG, EVENT_TOO_MANY_COLUMNS, OK, OUT_OF_MEMORY } from "../status";
import { columnOfPath, lanesAreFull } from "./columns";
import {
  align16,
  allocateSchema,
  sameBytes,
  STATE_KEY_NODE,
  STATE_LOG,
  STATE_LOG_TOP,
  STATE_NODES,
  STATE_OBJECTS,
  STATE_PATH_SCRATCH,
  STATE_PROPERTIES,
  STATE_ROOT,
  STATE_STAMP,
  STATE_TRANSIENT_COUNT,
  STATE_TRANSIENT_NODES,
  STATE_TRANSIENT_TABLE,
  TRANSIENT_NODES_MAX,
  TRANSIENT_NODES_SIZE,
  TRANSIENT_TABLE_SIZE,
} from "./state";

// The paths that events use, as a trie of nodes; children are found through one hash table.
//
// A decoder guesses the next key before it reads it: every node remembers the key that came after it in its
// object last time, and every object its first one. A guess is right when the bytes are the same.
//
// Once the batch has no room for more columns, or the schema arena is full, new paths are *transient*: they
// live until the end of the row, have no column, and their values go to the overflow column.
//
// Node, 80 bytes and the token, 16-byte aligned:
//   0  parent u32 │ 4 column u32 (0: none yet) │ 8 next u32: the guess after this key │ 12 first u32: the
//      guess for the first key of this object │ 16 token length u32 (0: the key needs escapes) │ 20 token mask
//      u32 (of its first 16 bytes) │ 24 role u32 │ 28 stamp u32: the last event that entered it
//   32 log begin u32 │ 36 opened u32: the last event that entered it as an object │ 40 log end u32
//   44 key length u32 │ 48 path length u32 │ 52 alias u32: the root, where the key also means this at top level
//   56 overflow stamp u32 │ 60 overflow index u32 │ 64 hash u32 │ 68 transient u32 │ 72 mapped u8: the role
//      was asked for by a mapping │ 73 text bit u8: of the role, 0 where a text is no plain cell
//   76 the key as a short MessagePack str: its head u8 │ 77 its size u8, the head included │ 78 mask u16 of its
//      first 16 bytes, without the head
//   80 token: `"key":`

export const NODE_PARENT: u32 = 0;
export const NODE_COLUMN: u32 = 4;
export const NODE_NEXT: u32 = 8;
export const NODE_FIRST: u32 = 12;
export const NODE_TOKEN_LENGTH: u32 = 16;
export const NODE_TOKEN_MASK: u32 = 20;
export const NODE_ROLE: u32 = 24;
export const NODE_STAMP: u32 = 28;
export const NODE_LOG_BEGIN: u32 = 32;
export const NODE_OPENED: u32 = 36;
export const NODE_LOG_END: u32 = 40;
const NODE_KEY_LENGTH: u32 = 44;
const NODE_PATH_LENGTH: u32 = 48;
export const NODE_ALIAS: u32 = 52;
export const NODE_OVERFLOW_STAMP: u32 = 56;
export const NODE_OVERFLOW_INDEX: u32 = 60;
const NODE_HASH: u32 = 64;
export const NODE_TRANSIENT: u32 = 68;
export const NODE_MAPPED: u32 = 72;
export const NODE_TEXT_BIT: u32 = 73;
export const NODE_STR_HEAD: u32 = 76;
export const NODE_STR_SIZE: u32 = 77;
export const NODE_STR_MASK: u32 = 78;
export const NODE_TOKEN: u32 = 80;

/** The first path table, for 1,024 nodes. */
export function formatNodes(d: usize): u32 {
  const table = allocateSchema(d, 1024 * 8);
  if (table == 0) return OUT_OF_MEMORY;
  store<u32>(d, table, STATE_NODES);
  store<u32>(d, 1023, STATE_NODES + 4);
  store<u32>(d, 0, STATE_NODES + 8);
  return OK;
}

/** A root: the event itself, which is no column. */
export function makeRoot(d: usize): usize {
  return allocateSchema(d, NODE_TOKEN + 32);
}

@inline
function hashOfKey(parent: usize, key: usize, length: u32): u32 {
  return <u32>hashBytes(key, length) ^ (<u32>parent * 0x9e3779b1);
}

@inline
function isKey(node: usize, parent: usize, hash: u32, key: usize, length: u32): bool {
  return (
    load<u32>(node, NODE_HASH) == hash &&
    load<u32>(node, NODE_PARENT) == <u32>parent &&
    load<u32>(node, NODE_KEY_LENGTH) == length &&
    sameBytes(node + NODE_TOKEN + 1, key, length)
  );
}

/** The child of `parent` under `key`, or 0. */
export function lookUp(d: usize, parent: usize, key: usize, length: u32): usize {
  const hash = hashOfKey(parent, key, length);
  const mask = load<u32>(d, STATE_NODES + 4);
  const table = <usize>load<u32>(d, STATE_NODES);
  let slot = hash & mask;
  while (true) {
    const entry = table + (<usize>slot << 3);
    const node = <usize>load<u32>(entry, 4);
    if (node == 0) return 0;
    if (load<u32>(entry) == hash && isKey(node, parent, hash, key, length)) return node;
    slot = (slot + 1) & mask;
  }
}

/**
 * The path of `key` inside the object `parent`, made when it is new. At top level unknown keys are properties.
 *
 * Result: OK, and the node at STATE_KEY_NODE; or an EVENT_… code.
 * Memory: reads up to 16 bytes beyond the key, which may lie anywhere.
 */
export function findNode(d: usize, parent: usize, key: usize, length: u32): u32 {
  if (length > load<u32>(d, DECODER_LIMIT_KEY_BYTES)) return EVENT_KEY_TOO_LONG;
  let object = parent;
  let node = lookUp(d, object, key, length);
  if (node == 0 && object == <usize>load<u32>(d, STATE_ROOT)) {
    object = load<u32>(d, STATE_PROPERTIES);
    node = lookUp(d, object, key, length);
  }
  if (node == 0) node = lookUpTransient(d, object, key, length);
  if (node == 0) {
    const status = makeNode(d, object, key, length, ROLE_NONE, !lanesAreFull(d));
    if (status != OK) return status;
    return OK;
  }
  store<u32>(d, node, STATE_KEY_NODE);
  return OK;
}

/** Bit per role: a text that is not empty is a cell of the path's column, and sets the role. */
const TEXT_ROLES: u32 =
  (1 << ROLE_NONE) |
  (1 << ROLE_EVENT_TYPE) |
  (1 << ROLE_SOURCE) |
  (1 << ROLE_USER_ID) |
  (1 << ROLE_SESSION_ID);

export function setNodeRole(node: usize, role: u32): void {
  store<u32>(node, role, NODE_ROLE);
  const bit: u32 = (1 << role) & TEXT_ROLES;
  store<u8>(node, <u8>bit, NODE_TEXT_BIT);
}

/** Leaf values that the current row has entered. */
@inline
export function rowLeaves(d: usize): u32 {
  return ((load<u32>(d, STATE_LOG_TOP) - load<u32>(d, STATE_LOG)) >> 2) - load<u32>(d, STATE_OBJECTS);
}

/** Makes a child, kept if `keep` and there is room; its address goes to STATE_KEY_NODE. */
export function makeNode(d: usize, parent: usize, key: usize, length: u32, role: u32, keep: bool): u32 {
  if (rowLeaves(d) >= load<u32>(d, DECODER_LIMIT_LEAVES)) return EVENT_TOO_MANY_COLUMNS;
  const above = load<u32>(parent, NODE_PATH_LENGTH);
  const pathLength = above + (above != 0 ? 1 : 0) + escapedLength(key, length);
  if (pathLength > load<u32>(d, DECODER_LIMIT_PATH_BYTES)) return EVENT_PATH_TOO_LONG;
  const hash = hashOfKey(parent, key, length);
  const size = <u32>align16(NODE_TOKEN + length + 19);
  let node: usize = 0;
  if (keep && load<u32>(parent, NODE_TRANSIENT) == 0 && hasRoom(d)) node = allocateSchema(d, size);
  if (node != 0) insertNode(d, node, hash);
  else node = makeTransient(d, hash, size);
  if (node == 0) return EVENT_TOO_MANY_COLUMNS;
  store<u32>(node, parent, NODE_PARENT);
  store<u32>(node, hash, NODE_HASH);
  store<u32>(node, length, NODE_KEY_LENGTH);
  store<u32>(node, pathLength, NODE_PATH_LENGTH);
  setNodeRole(node, role);
  const root = load<u32>(d, STATE_ROOT);
  if (parent == <usize>load<u32>(d, STATE_PROPERTIES) && lookUp(d, root, key, length) == 0) {
    store<u32>(node, root, NODE_ALIAS);
  }
  const token = node + NODE_TOKEN;
  store<u8>(token, 0x22);
  memory.copy(token + 1, key, length);
  store<u16>(token + 1 + length, 0x3a22);
  // A longer key's mask asks for a quote in the head's place, which the head excludes.
  const isShort = length < 32;
  const mask: u32 = isShort ? (1 << (min<u32>(length, 15) + 1)) - 2 : 1;
  store<u8>(node, <u8>(isShort ? 0xa0 | length : 0), NODE_STR_HEAD);
  store<u8>(node, <u8>(length + 1), NODE_STR_SIZE);
  store<u16>(node, <u16>mask, NODE_STR_MASK);
  if (!needsEscape(key, length)) {
    store<u32>(node, length + 3, NODE_TOKEN_LENGTH);
    store<u32>(node, length + 3 >= 16 ? 0xffff : (1 << (length + 3)) - 1, NODE_TOKEN_MASK);
  }
  store<u32>(d, node, STATE_KEY_NODE);
  return OK;
}

/** True when the path table takes one more: it grows at half full, and stays so if it can't. */
function hasRoom(d: usize): bool {
  const mask = load<u32>(d, STATE_NODES + 4);
  if (load<u32>(d, STATE_NODES + 8) <= mask >> 1) return true;
  const grown = (mask << 1) | 1;
  const table = allocateSchema(d, (grown + 1) << 3);
  if (table == 0) return false;
  const old = <usize>load<u32>(d, STATE_NODES);
  store<u32>(d, table, STATE_NODES);
  store<u32>(d, grown, STATE_NODES + 4);
  store<u32>(d, 0, STATE_NODES + 8);
  for (let i: u32 = 0; i <= mask; i++) {
    const entry = old + (<usize>i << 3);
    if (load<u32>(entry, 4) != 0) insertNode(d, load<u32>(entry, 4), load<u32>(entry));
  }
  return true;
}

function insertNode(d: usize, node: usize, hash: u32): void {
  const mask = load<u32>(d, STATE_NODES + 4);
  const table = <usize>load<u32>(d, STATE_NODES);
  let slot = hash & mask;
  while (load<u32>(table + (<usize>slot << 3), 4) != 0) slot = (slot + 1) & mask;
  store<u32>(table + (<usize>slot << 3), hash);
  store<u32>(table + (<usize>slot << 3), node, 4);
  store<u32>(d, load<u32>(d, STATE_NODES + 8) + 1, STATE_NODES + 8);
}

// Entry of the transient table, 16 bytes: 0 stamp u32 │ 4 hash u32 │ 8 node u32. Another stamp means empty.

function lookUpTransient(d: usize, parent: usize, key: usize, length: u32): usize {
  if (load<u32>(d, STATE_TRANSIENT_COUNT) == 0) return 0;
  const hash = hashOfKey(parent, key, length);
  const stamp = load<u32>(d, STATE_STAMP);
  const table = <usize>load<u32>(d, STATE_TRANSIENT_TABLE);
  let slot = hash & (TRANSIENT_TABLE_SIZE - 1);
  while (true) {
    const entry = table + (<usize>slot << 4);
    if (load<u32>(entry) != stamp) return 0;
    const node = <usize>load<u32>(entry, 8);
    if (load<u32>(entry, 4) == hash && isKey(node, parent, hash, key, length)) return node;
    slot = (slot + 1) & (TRANSIENT_TABLE_SIZE - 1);
  }
}

function makeTransient(d: usize, hash: u32, size: u32): usize {
  const used = load<u32>(d, STATE_TRANSIENT_COUNT);
  const base = <usize>load<u32>(d, STATE_TRANSIENT_NODES);
  const count = used == 0 ? 0 : load<u32>(base);
  const top = used == 0 ? <u32>16 : used;
  if (count == TRANSIENT_NODES_MAX || top + size + 32 > TRANSIENT_NODES_SIZE) return 0;
  const stamp = load<u32>(d, STATE_STAMP);
  const table = <usize>load<u32>(d, STATE_TRANSIENT_TABLE);
  let slot = hash & (TRANSIENT_TABLE_SIZE - 1);
  while (load<u32>(table + (<usize>slot << 4)) == stamp) slot = (slot + 1) & (TRANSIENT_TABLE_SIZE - 1);
  const entry = table + (<usize>slot << 4);
  const node = base + top;
  store<u32>(entry, stamp);
  store<u32>(entry, hash, 4);
  store<u32>(entry, node, 8);
  memory.fill(node, 0, size);
  store<u32>(node, 1, NODE_TRANSIENT);
  store<u32>(base, count + 1);
  store<u32>(d, top + size, STATE_TRANSIENT_COUNT);
  return node;
}

/** Whether JSON writes the key with a backslash, always or maybe: then its token can't be compared. */
function needsEscape(key: usize, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) {
    const byte = load<u8>(key + i);
    if (byte < 0x20 || byte == 0x22 || byte == 0x5c) return true;
  }
  return false;
}

/** Length of a key as a path's part: dots and backslashes take a backslash. */
function escapedLength(key: usize, length: u32): u32 {
  let escaped = length;
  for (let i: u32 = 0; i < length; i++) {
    const byte = load<u8>(key + i);
    if (byte == 0x2e || byte == 0x5c) escaped++;
  }
  return escaped;
}

/** Writes the node's path at STATE_PATH_SCRATCH, from its end to its beginning; its length is the result. */
export function writePath(d: usize, node: usize): u32 {
  const scratch = <usize>load<u32>(d, STATE_PATH_SCRATCH);
  const length = load<u32>(node, NODE_PATH_LENGTH);
  let at = scratch + length;
  let part = node;
  while (true) {
    const key = part + NODE_TOKEN + 1;
    for (let i = load<u32>(part, NODE_KEY_LENGTH); i > 0; i--) {
      const byte = load<u8>(key + i - 1);
      store<u8>(--at, byte);
      if (byte == 0x2e || byte == 0x5c) store<u8>(--at, 0x5c);
    }
    part = load<u32>(part, NODE_PARENT);
    if (load<u32>(part, NODE_PATH_LENGTH) == 0) return length;
    store<u8>(--at, 0x2e);
  }
}

/** The node's column, made at its first value; 0 for a transient node. */
export function columnOf(d: usize, node: usize): usize {
  const column = load<u32>(node, NODE_COLUMN);
  if (column != 0 || load<u32>(node, NODE_TRANSIENT) != 0) return column;
  const made = columnOfPath(d, load<u32>(d, STATE_PATH_SCRATCH), writePath(d, node));
  store<u32>(node, made, NODE_COLUMN);
  return made;
}
