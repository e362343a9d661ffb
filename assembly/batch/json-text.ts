// Writing JSON text. The callers see to the room: writeQuoted takes at most 6 bytes a byte and 2 more, numbers at
// most 32; 16 bytes behind what is written may be overwritten.

@external("host", "formatNumber")
declare function hostFormatNumber(value: f64, out: usize): u32;

/** A JSON string of valid UTF-8 text, escaped as JSON.stringify does; returns the address after it. */
export function writeQuoted(text: usize, length: u32, out: usize): usize {
  store<u8>(out++, 0x22);
  const end = text + length;
  while (text < end) {
    const bytes = v128.load(text);
    const special = v128.or(
      v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c))),
      i8x16.lt_u(bytes, i8x16.splat(0x20)),
    );
    const plain = min<usize>(ctz(i8x16.bitmask(special) | 0x10000), end - text);
    v128.store(out, bytes);
    out += plain;
    text += plain;
    if (text == end || plain == 16) continue;
    const byte = <u32>load<u8>(text++);
    if (byte < 0x20) {
      out = writeControl(byte, out);
    } else {
      store<u16>(out, 0x5c | (byte << 8));
      out += 2;
    }
  }
  store<u8>(out, 0x22);
  return out + 1;
}

function writeControl(byte: u32, out: usize): usize {
  let letter: u32 = 0;
  if (byte == 8) letter = 0x62;
  else if (byte == 9) letter = 0x74;
  else if (byte == 10) letter = 0x6e;
  else if (byte == 12) letter = 0x66;
  else if (byte == 13) letter = 0x72;
  store<u8>(out, 0x5c);
  if (letter != 0) {
    store<u8>(out, letter, 1);
    return out + 2;
  }
  const low = byte & 15;
  store<u32>(out, 0x30303075, 1); // u000
  store<u8>(out, 0x30 + (byte >> 4), 4);
  store<u8>(out, low < 10 ? 0x30 + low : 0x57 + low, 5);
  return out + 6;
}

/** The decimal digits of an integer; returns the address after them. */
export function writeI64(value: i64, out: usize): usize {
  let rest = <u64>value;
  if (value < 0) {
    store<u8>(out++, 0x2d);
    rest = 0 - rest;
  }
  let digits: u32 = 1;
  for (let x = rest; x >= 10; x /= 10) digits++;
  for (let i = digits; i > 0; i--) {
    store<u8>(out + i - 1, 0x30 + <u32>(rest % 10));
    rest /= 10;
  }
  return out + digits;
}

/** The shortest text that reads back as `value`, by the JavaScript engine; returns the address after it. */
export function writeF64(value: f64, out: usize): usize {
  return out + hostFormatNumber(value, out);
}
