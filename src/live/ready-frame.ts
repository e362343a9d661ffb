const final = 0x80;
const textOpcode = 1;
const binaryOpcode = 2;

/**
 * A message as the one frame that a server sends of it (RFC 6455, section 5.2): nothing is masked, so that it is the
 * same bytes for every client.
 */
export function readyFrame(message: Uint8Array, isBinary: boolean): Buffer {
  const { length } = message;
  const headLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headLength + length);
  frame[0] = final | (isBinary ? binaryOpcode : textOpcode);
  if (headLength === 2) frame[1] = length;
  else if (headLength === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.set(message, headLength);
  return frame;
}
