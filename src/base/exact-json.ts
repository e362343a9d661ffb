import { randomBytes } from "node:crypto";

// `JSON.parse` rounds integers beyond 2^53. Where they must survive, they are turned into marked strings
// before it runs and into bigints while it runs. No text can hold the mark by chance: it is random per process.

const mark = `\u0000${randomBytes(16).toString("hex")}`;
const escapedMark = `\\u0000${mark.slice(1)}`;

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
