import { randomBytes } from "node:crypto";

// `JSON.parse` rounds integers beyond 2^53. Where they must survive, they are turned into marked strings
// before it runs and into bigints while it runs. No text can hold the mark by chance: it is random per process.

const mark = `\u0000${randomBytes(16).toString("hex")}`;
const escapedMark = `\\u0000${mark.slice(1)}`;

const markedDigits = new RegExp(`"\\\\u0000${mark.slice(1)}(-?\\d+)"`, "g");

const longDigits = /\d{16}/;
const stringOrNumber = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * Parses JSON; integers that a double can't hold exactly come as what `integer` makes of them, bigints by
 * default. Throws SyntaxError as JSON.parse does.
 */
export function parseExactJson(
  text: string,
  integer: (value: bigint) => unknown = (value) => value,
): unknown {
  if (!longDigits.test(text)) return JSON.parse(text);
  // The text is checked as it stands first, since marking repairs some malformed numbers and shifts positions.
  JSON.parse(text);
  const marked = text.replace(stringOrNumber, (token) => {
    const long = token.length >= 16 && /^-?\d+$/.test(token);
    return long && !Number.isSafeInteger(Number(token)) ? `"${escapedMark}${token}"` : token;
  });
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === "string" && value.startsWith(mark)
      ? integer(BigInt(value.slice(mark.length)))
      : value,
  );
}

/** As JSON.stringify, but bigints are written with all their digits. Undefined for what JSON has no text for. */
export function exactJsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // It refuses bigints, and circles, which it goes on to refuse below.
    if (!(error instanceof TypeError)) throw error;
  }
  const text = JSON.stringify(value, (_key, one: unknown) =>
    typeof one === "bigint" ? `${mark}${one}` : one,
  ) as string | undefined;
  return text?.replace(markedDigits, (_, digits: string) => digits);
}
