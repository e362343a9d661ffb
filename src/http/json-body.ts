// JSON bodies of requests that are questions or definitions; events go another way.

import type { Context } from "hono";
import { parseExactJson } from "../base/exact-json.ts";
import { InputError } from "../errors.ts";
import type { AppEnv } from "./analytics.ts";
import { type BodyDone, type BodyRules, readBody, refuseByLength } from "./body.ts";
import { refuseEncoding } from "./compression.ts";

/** Bytes of such a body. */
const jsonBytesMax = 1024 * 1024;

/** The rules of bodies, for one of JSON. */
export function jsonRules(rules: BodyRules): BodyRules {
  return { ...rules, bytesMax: Math.min(jsonBytesMax, rules.bytesMax) };
}

const json = "application/json";

/** The JSON body of a request; integers beyond 2^53 come as bigints. */
export async function readJson(rules: BodyRules, c: Context<AppEnv>): Promise<unknown> {
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== json) {
    const message = `got ${type ?? "no Content-Type"}, want ${json}`;
    throw new InputError("unsupported_media_type", message, { supported: [json] }, 415);
  }
  const { incoming } = c.env;
  const refusal =
    refuseEncoding(incoming.headers["content-encoding"]) ?? refuseByLength(incoming, rules);
  if (refusal !== null) throw refusal;
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const gone = () => reject(new InputError("client_gone", "the client went away", {}, 499));
    const done: BodyDone = (failure, body) => {
      if (body === null) return reject(failure);
      resolve(Buffer.concat(body.chunks));
      body.release();
    };
    readBody(incoming, rules, done, gone);
  });
  return parseJson(decodeUtf8(bytes));
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new InputError("invalid_utf8", "got a body that is not UTF-8");
  }
}

function parseJson(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch (error) {
    const reason = (error as Error).message.slice(0, 200);
    throw new InputError("invalid_json", `got a body that is not JSON: ${reason}`);
  }
}
