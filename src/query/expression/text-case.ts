// Lower and upper case, code point by code point: a text keeps its length, whatever language it is in.

const ascii = /^[\0-\x7f]*$/;

export function lowerText(text: string): string {
  return ascii.test(text) ? text.toLowerCase() : mapPoints(text, (point) => point.toLowerCase());
}

export function upperText(text: string): string {
  return ascii.test(text) ? text.toUpperCase() : mapPoints(text, (point) => point.toUpperCase());
}

/** A code point that would become several (as the German sharp s would) stays as it is. */
function mapPoints(text: string, map: (point: string) => string): string {
  let result = "";
  for (const point of text) {
    const mapped = map(point);
    const single =
      mapped.length === 1 || (mapped.length === 2 && (mapped.codePointAt(0) ?? 0) > 0xffff);
    result += single ? mapped : point;
  }
  return result;
}
