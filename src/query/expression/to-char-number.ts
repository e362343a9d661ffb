// `to_char` of numbers: digits, groups, sign and currency marks, spelt as PostgreSQL spells them.

import { InputError } from "../../errors.ts";
import type { Numeric } from "./numbers.ts";

/** Characters of a format. */
const formatCharsMax = 128;

interface Shape {
  readonly fill: boolean;
  /** 9, 0, comma and G of the whole part, and those of the fraction. */
  readonly whole: string;
  readonly fraction: string;
  readonly point: boolean;
  readonly sign: "none" | "S" | "MI" | "PR";
  readonly signFirst: boolean;
  readonly prefix: string;
  readonly suffix: string;
}

function parseShape(format: string): Shape {
  if (format.length > formatCharsMax) throw refused(format);
  const found =
    /^(FM)?((?:"[^"]*"|[^\d".,GDS]|)*?)(S|MI)?([\d,G]*)(?:([.D])([\d]*))?(S|MI|PR)?((?:"[^"]*"|[^"])*)$/i.exec(
      format,
    );
  if (!found || !/^[09,G]*$/i.test(found[4] ?? "") || !/^[09]*$/.test(found[6] ?? "")) {
    throw refused(format);
  }
  const first = (found[3] ?? "").toUpperCase();
  const last = (found[7] ?? "").toUpperCase();
  const unquoted = (text: string | undefined): string => (text ?? "").replaceAll('"', "");
  return {
    fill: found[1] === undefined,
    prefix: unquoted(found[2]),
    whole: (found[4] ?? "").toUpperCase().replaceAll("G", ","),
    point: found[5] !== undefined,
    fraction: found[6] ?? "",
    sign: (first || last || "none") as Shape["sign"],
    signFirst: first !== "",
    suffix: unquoted(found[8]),
  };
}

function refused(format: string): InputError {
  return new InputError(
    "invalid_format",
    `got the format "${format.slice(0, 64)}", want digits 9 and 0 with , . G D S MI PR FM`,
  );
}

/** The digits of a number with `places` after the point, rounded half away from zero. */
function decimals(value: Numeric, places: number): [whole: string, fraction: string] {
  const text = typeof value === "bigint" ? String(value) : plainDigits(Math.abs(value));
  const [whole = "0", fraction = ""] = text.replace("-", "").split(".");
  const kept = BigInt(whole + fraction.slice(0, places).padEnd(places, "0"));
  const rounded = (fraction[places] ?? "0") >= "5" ? kept + 1n : kept;
  const digits = String(rounded).padStart(places + 1, "0");
  return [digits.slice(0, digits.length - places), digits.slice(digits.length - places)];
}

/** A double without an exponent. */
function plainDigits(value: number): string {
  const text = String(value);
  const [mantissa = "0", exponent] = text.split("e");
  if (exponent === undefined) return text;
  const [whole = "0", fraction = ""] = mantissa.split(".");
  const shift = Number(exponent);
  if (shift < 0) return `0.${"0".repeat(-shift - 1)}${whole}${fraction}`;
  return whole + fraction.padEnd(shift, "0");
}

export function compileNumberFormat(format: string): (value: Numeric) => string {
  const shape = parseShape(format);
  return (value) => formatNumber(value, shape);
}

function formatNumber(value: Numeric, shape: Shape): string {
  const [whole, fraction] = decimals(value, shape.fraction.length);
  const places = shape.whole.replaceAll(",", "").length;
  const shownWhole = whole === "0" && places > 0 ? "" : whole;
  const isNegative = value < 0 && (/[1-9]/.test(whole) || /[1-9]/.test(fraction));
  let body =
    shownWhole.length > places
      ? shape.whole.replace(/\d/g, "#")
      : groupDigits(shownWhole.padStart(places), shape);
  if (shape.point)
    body += `.${shownWhole.length > places ? "#".repeat(fraction.length) : trimmed(fraction, shape)}`;
  return withSign(body, isNegative, shape);
}

/** Under FM, nines at the end of the fraction show no zeros. */
function trimmed(fraction: string, shape: Shape): string {
  if (shape.fill) return fraction;
  const wanted = shape.fraction.lastIndexOf("0") + 1;
  let end = fraction.length;
  while (end > wanted && fraction[end - 1] === "0") end--;
  return fraction.slice(0, end);
}

/** From the first 0 of the format on, what is missing is 0; before it blanks. */
function groupDigits(digits: string, shape: Shape): string {
  let result = "";
  let at = 0;
  let started = false;
  let zeros = false;
  const last = shape.whole.lastIndexOf("9");
  for (let i = 0; i < shape.whole.length; i++) {
    const char = shape.whole[i];
    if (char === ",") {
      result += started ? "," : " ";
      continue;
    }
    if (char === "0") zeros = true;
    const digit = digits[at++] as string;
    const final = i === last && i === shape.whole.length - 1 && shape.fraction === "";
    if (digit !== " ") result += digit;
    else result += zeros || final ? "0" : " ";
    if (digit !== " " || zeros) started = true;
  }
  return result;
}

function withSign(body: string, isNegative: boolean, shape: Shape): string {
  const { sign, signFirst, fill, prefix, suffix } = shape;
  const digits = body.trimStart();
  const blanks = fill ? " ".repeat(body.length - digits.length) : "";
  let text: string;
  if (sign === "none") text = `${blanks}${isNegative ? "-" : fill ? " " : ""}${digits}`;
  else if (sign === "PR") {
    text = isNegative
      ? `${blanks}<${digits}>`
      : `${blanks}${fill ? " " : ""}${digits}${fill ? " " : ""}`;
  } else {
    const mark = isNegative ? "-" : sign === "S" ? "+" : fill ? " " : "";
    text = signFirst ? `${blanks}${mark}${digits}` : `${blanks}${digits}${mark}`;
  }
  return `${prefix}${text}${suffix}`;
}
