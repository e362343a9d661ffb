import { InputError } from "../errors.ts";

const version = "1";

/** Where a live subscription stands, as text that callers keep and give back, and that says nothing else. */
export function cursorOf(sequence: bigint): string {
  return Buffer.from(`${version}s${sequence}`).toString("base64url");
}

/** The first sequence that the holder of `cursor` has not seen. */
export function sequenceOf(cursor: string): bigint {
  const text = Buffer.from(cursor, "base64url").toString("latin1");
  const match = /^(\d+)s(\d{1,19})$/.exec(text);
  if (match === null) {
    throw new InputError("invalid_cursor", "got a cursor that no stream of this server has given");
  }
  if (match[1] !== version) {
    const message = `got a cursor of version ${match[1]}, want version ${version}`;
    throw new InputError("invalid_cursor", message);
  }
  return BigInt(match[2] as string);
}
