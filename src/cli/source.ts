import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { MillraceError } from "../errors.ts";

export type FileFormat = "ndjson" | "json" | "msgpack";

export const fileFormats: readonly FileFormat[] = ["ndjson", "json", "msgpack"];

const FORMAT_BY_EXTENSION: Readonly<Record<string, FileFormat>> = {
  ndjson: "ndjson",
  jsonl: "ndjson",
  json: "json",
  msgpack: "msgpack",
  mpk: "msgpack",
  mp: "msgpack",
};

const GZIP_MAGIC = [0x1f, 0x8b] as const;

/** The format that a file's name tells, the ending `.gz` left aside; undefined when it tells none. */
export function formatOf(path: string): FileFormat | undefined {
  const extension = path.toLowerCase().replace(/\.gz$/, "").split(".").at(-1) ?? "";
  return Object.hasOwn(FORMAT_BY_EXTENSION, extension) ? FORMAT_BY_EXTENSION[extension] : undefined;
}

/** Bytes of a file on disk; 0 when it is not known, as for a pipe. */
export async function sizeOf(path: string): Promise<number> {
  if (path === "-") return 0;
  try {
    const status = await stat(path);
    return status.isFile() ? status.size : 0;
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
    throw new MillraceError("no_such_file", `${path}: there is no such file`);
  }
}

/**
 * The bytes of a file, or of standard input for `-`, unpacked when they begin as gzip does (which no JSON text
 * and no MessagePack map or array begins with). `onRead` is told the bytes read, as they are on disk.
 */
export async function* readSource(
  path: string,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const input: Readable = path === "-" ? process.stdin : createReadStream(path);
  const chunks = counted(input, onRead);
  const first = await chunks.next();
  if (first.done) return;
  const head = await withTwoBytes(first.value, chunks);
  if (head[0] !== GZIP_MAGIC[0] || head[1] !== GZIP_MAGIC[1]) {
    yield head;
    yield* chunks;
    return;
  }
  const gunzip = createGunzip();
  const packed = (async function* () {
    yield head;
    yield* chunks;
  })();
  // A failure of either end reaches the reader as the gunzip stream's error; the promise adds nothing to it.
  pipeline(packed, gunzip).catch((error: Error) => gunzip.destroy(error));
  yield* gunzip as AsyncIterable<Uint8Array>;
}

async function* counted(
  input: Readable,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of input as AsyncIterable<Uint8Array>) {
    onRead(chunk.length);
    yield chunk;
  }
}

async function withTwoBytes(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array>,
): Promise<Uint8Array> {
  let head = first;
  while (head.length < 2) {
    const next = await rest.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  return head;
}
