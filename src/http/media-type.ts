import type { BodyFormat } from "../engine/ingest.ts";
import { InputError } from "../errors.ts";

type Family = "json" | "ndjson" | "msgpack";

const families: Readonly<Record<string, Family>> = {
  "application/json": "json",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson",
  "application/jsonl": "ndjson",
  "application/msgpack": "msgpack",
  "application/x-msgpack": "msgpack",
  "application/vnd.msgpack": "msgpack",
};

const eventFormats = { json: "json-event", msgpack: "msgpack-event" } as const;
const batchFormats = { json: "json-batch", ndjson: "ndjson", msgpack: "msgpack-batch" } as const;

/** How a body of this `Content-Type` is to be read; throws InputError 415 for every other type. */
export function bodyFormat(header: string | undefined, route: "event" | "batch"): BodyFormat {
  const formats: Partial<Record<Family, BodyFormat>> =
    route === "event" ? eventFormats : batchFormats;
  const family = familyOf(header ?? "");
  const format = family === undefined ? undefined : formats[family];
  if (format !== undefined) return format;
  const want = ["application/json", "application/msgpack"];
  if (route === "batch") want.push("application/x-ndjson");
  const got = header === undefined ? "no Content-Type" : `Content-Type ${header.slice(0, 100)}`;
  const charset = /charset/i.test(header ?? "") ? ", in UTF-8" : "";
  const message = `got ${got}, want ${want.join(" or ")}${charset}`;
  throw new InputError("unsupported_media_type", message, { supported: want }, 415);
}

function familyOf(header: string): Family | undefined {
  if (Object.hasOwn(families, header)) return families[header];
  const semicolon = header.indexOf(";");
  const type = (semicolon < 0 ? header : header.slice(0, semicolon)).trim().toLowerCase();
  if (semicolon >= 0) {
    const charset = /;\s*charset\s*=\s*"?([^";]+)"?/i.exec(header)?.[1];
    // Bodies are read as UTF-8 and as nothing else.
    if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset.trim())) return undefined;
  }
  return Object.hasOwn(families, type) ? families[type] : undefined;
}

/** The offered type that `accept` likes best (RFC 9110, section 12.5.1); the first offered wins a tie. */
export function negotiate<const T extends readonly string[]>(
  accept: string | undefined,
  offered: T,
): T[number] {
  if (accept === undefined || accept.trim() === "") return offered[0] as T[number];
  const ranges = accept.split(",").map((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith("q="));
    const quality = weight === undefined ? 1 : Number(weight.slice(2));
    return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
  });
  let best: string | undefined;
  let bestQuality = 0;
  for (const type of offered) {
    const wildcard = `${type.slice(0, type.indexOf("/"))}/*`;
    const range = [type, wildcard, "*/*"]
      .map((name) => ranges.find((candidate) => candidate.type === name))
      .find((candidate) => candidate !== undefined);
    if (range !== undefined && range.quality > bestQuality) {
      [best, bestQuality] = [type, range.quality];
    }
  }
  if (best !== undefined) return best;
  const message = `got Accept ${accept.slice(0, 100)}, want ${offered.join(" or ")}`;
  throw new InputError("not_acceptable", message, { supported: offered }, 406);
}
