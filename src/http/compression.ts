import { brotliDecompress, gunzip, inflate, inflateRaw, type ZlibOptions } from "node:zlib";
import { bodyTooLarge } from "../api/problem.ts";
import { InputError } from "../errors.ts";

type Done = (failure: InputError | null, plain: Uint8Array) => void;
type Unpack = (
  packed: Uint8Array,
  options: ZlibOptions,
  done: (error: (Error & { code?: string }) | null, plain: Uint8Array) => void,
) => void;

const none = new Uint8Array(0);

/** Decompressions at once: each may hold a whole body, and the thread pool runs no more than four anyway. */
const atOnceMax = 4;

/** Decompresses bodies off the main thread, a few at a time. */
export interface Decompressor {
  active: number;
  readonly waiting: (() => void)[];
}

export function openDecompressor(): Decompressor {
  return { active: 0, waiting: [] };
}

const unpackers: Readonly<Record<string, (packed: Uint8Array) => Unpack>> = {
  gzip: () => gunzip,
  "x-gzip": () => gunzip,
  br: () => brotliDecompress,
  // RFC 9110 means zlib's format; some senders leave its two-byte header out.
  deflate: (packed) => (hasZlibHeader(packed) ? inflate : inflateRaw),
};

export const encodings = ["gzip", "br", "deflate"];

/** The failure for a `Content-Encoding` that can't be undone, or null. */
export function refuseEncoding(encoding: string | undefined): InputError | null {
  if (encoding === undefined) return null;
  const name = encoding.trim().toLowerCase();
  if (name === "identity" || Object.hasOwn(unpackers, name)) return null;
  const message = `got Content-Encoding ${encoding}, want ${encodings.join(", ")} or none`;
  return new InputError("unsupported_encoding", message, { supported: encodings }, 415);
}

/** Undoes `encoding`, which `refuseEncoding` has let pass; a body that unpacks to more than `bytesMax` is refused. */
export function decompress(
  decompressor: Decompressor,
  encoding: string,
  chunks: readonly Uint8Array[],
  bytesMax: number,
  done: Done,
): void {
  const packed = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
  const unpack = unpackers[encoding.trim().toLowerCase()]?.(packed);
  if (unpack === undefined) return done(null, packed);
  const run = () => {
    decompressor.active++;
    unpack(packed, { maxOutputLength: bytesMax }, (error, plain) => {
      decompressor.active--;
      decompressor.waiting.shift()?.();
      if (error === null) return done(null, plain);
      if (error.code === "ERR_BUFFER_TOO_LARGE") return done(bodyTooLarge(bytesMax), none);
      const message = `got a body that is not valid ${encoding} (${error.message})`;
      done(new InputError("invalid_encoding", message), none);
    });
  };
  if (decompressor.active < atOnceMax) run();
  else decompressor.waiting.push(run);
}

/** RFC 1950: compression method 8, and the first two bytes divisible by 31. */
function hasZlibHeader(packed: Uint8Array): boolean {
  const [first = 0, second = 0] = packed;
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
}
