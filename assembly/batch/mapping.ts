import {
  DECODER_MAPPING,
  ROLE_EVENT_TYPE,
  ROLE_ID,
  ROLE_NONE,
  ROLE_PROPERTIES,
  ROLE_SESSION_ID,
  ROLE_SOURCE,
  ROLE_TIMESTAMP,
  ROLE_USER_ID,
} from "../layout";
import { OK, OUT_OF_MEMORY } from "../status";
import { COLUMN_FLAG_FIXED, COLUMN_FLAGS, columnOfPath } from "./columns";
import { lookUp, makeNode, makeRoot, NODE_COLUMN, NODE_MAPPED, setNodeRole } from "./paths";
import {
  allocateSchema,
  MAPPING_SIZE,
  MAPPINGS_MAX,
  sameBytes,
  STATE_CONSTANTS,
  STATE_ID_NODE,
  STATE_KEY_NODE,
  STATE_LOG,
  STATE_LOG_TOP,
  STATE_MAPPINGS,
  STATE_MAPPINGS_NEXT,
  STATE_OBJECTS,
  STATE_OVERFLOW_COLUMN,
  STATE_PATH_SCRATCH,
  STATE_PROPERTIES,
  STATE_ROOT,
  STATE_UNIT,
} from "./state";

// Where the fixed fields are. Each mapping has a root path of its own, so that a node's role never changes;
// a few are remembered by the bytes that describe them, the first one being "no mapping".
//
// A role at top level is a child of the root. One that lies deeper is a child of the properties, because that
// is where unknown top-level fields go: `actor.id` and `properties.actor.id` are the same path.
//
// Mapping, 32 bytes: 0 text u32 │ 4 text length u32 │ 8 root u32 (0: unused) │ 12 properties u32 │ 16 unit u32
//                    20 constants u32 │ 24 node of properties.id u32
// Constant, 16 bytes: 0 next u32 │ 4 role u32 │ 8 column u32 │ 12 text length u32 │ 16 text

export const CONSTANT_ROLE: u32 = 4;
export const CONSTANT_COLUMN: u32 = 8;
export const CONSTANT_LENGTH: u32 = 12;
export const CONSTANT_TEXT: u32 = 16;

/** Makes the mapping described by the `length` bytes at DECODER_MAPPING the current one; 0 bytes: none. */
export function useMapping(d: usize, length: u32): u32 {
  const text = <usize>load<u32>(d, DECODER_MAPPING);
  let slot: usize = d + STATE_MAPPINGS;
  if (length != 0) {
    slot = 0;
    for (let i: u32 = 1; i < MAPPINGS_MAX; i++) {
      const candidate = d + STATE_MAPPINGS + i * MAPPING_SIZE;
      if (load<u32>(candidate, 8) == 0 || load<u32>(candidate, 4) != length) continue;
      if (sameBytes(load<u32>(candidate), text, length)) slot = candidate;
    }
    if (slot == 0) {
      const next = load<u32>(d, STATE_MAPPINGS_NEXT) % (MAPPINGS_MAX - 1);
      store<u32>(d, next + 1, STATE_MAPPINGS_NEXT);
      slot = d + STATE_MAPPINGS + (next + 1) * MAPPING_SIZE;
      store<u32>(slot, 0, 8);
    }
  }
  if (load<u32>(slot, 8) == 0) {
    const status = makeMapping(d, slot, text, length);
    if (status != OK) return status;
  }
  store<u32>(d, load<u32>(slot, 8), STATE_ROOT);
  store<u32>(d, load<u32>(slot, 12), STATE_PROPERTIES);
  store<u32>(d, load<u32>(slot, 16), STATE_UNIT);
  store<u32>(d, load<u32>(slot, 20), STATE_CONSTANTS);
  store<u32>(d, load<u32>(slot, 24), STATE_ID_NODE);
  return OK;
}

/** The overflow column, which belongs to no path. */
export function formatOverflow(d: usize): u32 {
  const scratch = <usize>load<u32>(d, STATE_PATH_SCRATCH);
  store<u64>(scratch, 0x776f6c667265766f); // overflow
  const column = columnOfPath(d, scratch, 8);
  if (column == 0) return OUT_OF_MEMORY;
  store<u32>(column, COLUMN_FLAG_FIXED, COLUMN_FLAGS);
  store<u32>(d, column, STATE_OVERFLOW_COLUMN);
  return OK;
}

function makeMapping(d: usize, slot: usize, text: usize, length: u32): u32 {
  const copy = allocateSchema(d, length + 16);
  const root = makeRoot(d);
  if (copy == 0 || root == 0) return OUT_OF_MEMORY;
  memory.copy(copy, text, length);
  store<u32>(d, load<u32>(d, STATE_LOG), STATE_LOG_TOP);
  store<u32>(d, 0, STATE_OBJECTS);
  store<u32>(d, root, STATE_ROOT);
  store<u32>(d, 0, STATE_PROPERTIES);
  let constants: usize = 0;
  let given: u32 = 0;
  for (let p = length == 0 ? length : <u32>1; p < length; p += 4 + load<u16>(copy + p, 2)) {
    given |= 1 << load<u8>(copy + p);
  }
  for (let role: u32 = ROLE_ID; role <= <u32>ROLE_PROPERTIES; role++) {
    if (given & (1 << role)) continue;
    const scratch = <usize>load<u32>(d, STATE_PATH_SCRATCH);
    const status = makeRoleNode(d, root, scratch, roleName(role, scratch), role, false);
    if (status != OK) return status;
    if (role == ROLE_PROPERTIES) store<u32>(d, load<u32>(d, STATE_KEY_NODE), STATE_PROPERTIES);
  }
  // Roles at top level first: a property must know whether the root has a child of its name.
  for (let pass: u32 = 0; pass < 2; pass++) {
    for (let p = length == 0 ? length : <u32>1; p < length; p += 4 + load<u16>(copy + p, 2)) {
      const entry = copy + p;
      if (load<u8>(entry, 1) != 0) {
        if (pass == 0) constants = makeConstant(d, entry, constants);
        if (constants == 0) return OUT_OF_MEMORY;
      } else {
        const status = mapPath(d, root, entry + 4, load<u16>(entry, 2), load<u8>(entry), pass == 0);
        if (status != OK) return status;
      }
    }
  }
  const scratch = <usize>load<u32>(d, STATE_PATH_SCRATCH);
  store<u16>(scratch, 0x6469); // id
  const status = childOf(d, load<u32>(d, STATE_PROPERTIES), scratch, 2, ROLE_NONE);
  if (status != OK) return status;
  store<u32>(slot, copy);
  store<u32>(slot, length, 4);
  store<u32>(slot, root, 8);
  store<u32>(slot, load<u32>(d, STATE_PROPERTIES), 12);
  store<u32>(slot, length == 0 ? <u32>0 : load<u8>(copy), 16);
  store<u32>(slot, constants, 20);
  store<u32>(slot, load<u32>(d, STATE_KEY_NODE), 24);
  return OK;
}

/** Gives `role` to a path; `top`: only if it has one part, else only if it has several. */
function mapPath(d: usize, root: usize, path: usize, length: u32, role: u32, top: bool): u32 {
  const scratch = <usize>load<u32>(d, STATE_PATH_SCRATCH);
  let parent: usize = 0;
  let used: u32 = 0;
  for (let i: u32 = 0; i <= length; i++) {
    const byte = i < length ? <u32>load<u8>(path + i) : 0x2e;
    if (byte == 0x5c && i + 1 < length) {
      store<u8>(scratch + used++, load<u8>(path + ++i));
      continue;
    }
    if (byte != 0x2e) {
      store<u8>(scratch + used++, byte);
      continue;
    }
    const isLast = i == length;
    if (parent == 0 && isLast) return top ? makeRoleNode(d, root, scratch, used, role, true) : OK;
    if (top) return OK;
    if (parent == 0) {
      parent = load<u32>(d, STATE_PROPERTIES);
      if (lookUp(d, root, scratch, used) == parent) {
        used = 0;
        continue;
      }
    }
    if (isLast) return makeRoleNode(d, parent, scratch, used, role, true);
    const status = childOf(d, parent, scratch, used, ROLE_NONE);
    if (status != OK) return status;
    parent = load<u32>(d, STATE_KEY_NODE);
    used = 0;
  }
  return OK;
}

function childOf(d: usize, parent: usize, key: usize, length: u32, role: u32): u32 {
  const found = lookUp(d, parent, key, length);
  if (found == 0) return makeNode(d, parent, key, length, role, true) == OK ? OK : OUT_OF_MEMORY;
  if (role != ROLE_NONE) setNodeRole(found, role);
  store<u32>(d, found, STATE_KEY_NODE);
  return OK;
}

function makeRoleNode(d: usize, parent: usize, key: usize, length: u32, role: u32, mapped: bool): u32 {
  const status = childOf(d, parent, key, length, role);
  if (status != OK) return status;
  const node = <usize>load<u32>(d, STATE_KEY_NODE);
  const column = roleColumn(d, role);
  if (column == 0 && role >= <u32>ROLE_EVENT_TYPE && role <= <u32>ROLE_SESSION_ID) return OUT_OF_MEMORY;
  store<u32>(node, column, NODE_COLUMN);
  store<u8>(node, mapped ? 1 : 0, NODE_MAPPED);
  return OK;
}

function makeConstant(d: usize, entry: usize, next: usize): usize {
  const length = <u32>load<u16>(entry, 2);
  const constant = allocateSchema(d, CONSTANT_TEXT + length + 16);
  if (constant == 0) return 0;
  store<u32>(constant, next);
  store<u32>(constant, load<u8>(entry), CONSTANT_ROLE);
  store<u32>(constant, roleColumn(d, load<u8>(entry)), CONSTANT_COLUMN);
  store<u32>(constant, length, CONSTANT_LENGTH);
  memory.copy(constant + CONSTANT_TEXT, entry + 4, length);
  return constant;
}

/** The column that a role's strings go to; 0 for roles that are no strings, or without memory. */
function roleColumn(d: usize, role: u32): usize {
  if (role < <u32>ROLE_EVENT_TYPE || role > <u32>ROLE_SESSION_ID) return 0;
  const scratch = <usize>load<u32>(d, STATE_PATH_SCRATCH);
  const column = columnOfPath(d, scratch, roleName(role, scratch));
  if (column != 0) store<u32>(column, COLUMN_FLAG_FIXED, COLUMN_FLAGS);
  return column;
}

/** Writes the name of a role's field, at most 16 bytes, and returns its length. */
function roleName(role: u32, out: usize): u32 {
  switch (role) {
    case ROLE_ID:
      store<u16>(out, 0x6469);
      return 2;
    case ROLE_TIMESTAMP:
      store<u64>(out, 0x6d617473656d6974);
      store<u8>(out, 0x70, 8);
      return 9;
    case ROLE_EVENT_TYPE:
      store<u64>(out, 0x79745f746e657665);
      store<u16>(out, 0x6570, 8);
      return 10;
    case ROLE_SOURCE:
      store<u64>(out, 0x656372756f73);
      return 6;
    case ROLE_USER_ID:
      store<u64>(out, 0x64695f72657375);
      return 7;
    case ROLE_SESSION_ID:
      store<u64>(out, 0x5f6e6f6973736573);
      store<u16>(out, 0x6469, 8);
      return 10;
    default:
      store<u64>(out, 0x69747265706f7270);
      store<u16>(out, 0x7365, 8);
      return 10;
  }
}
