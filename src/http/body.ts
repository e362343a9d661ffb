import type { IncomingMessage } from "node:http";
import type { BodyBudget } from "../api/body-budget.ts";
import type { Front } from "../api/front.ts";
import { bodyTooLarge } from "../api/problem.ts";
import type { BodyPlace } from "../engine/ingest.ts";
import { type MillraceError, OverloadError } from "../errors.ts";
import { type Decompressor, decompress, openDecompressor } from "./compression.ts";
import { YoungBuffers } from "./young-buffers.ts";

/** A received and decompressed body. Its bytes count against the budget until `release` is called. */
export interface Body {
  /** Where it lies, if a place was reserved; else its chunks are here. */
  readonly place: BodyPlace | null;
  readonly chunks: readonly Uint8Array[];
  readonly byteLength: number;
  release(): void;
}

/** Called at most once: with a failure to answer, or with the body; never when the client went away. */
export type BodyDone = (failure: MillraceError | null, body: Body | null) => void;

export interface BodyRules {
  readonly bytesMax: number;
  readonly budget: BodyBudget;
  readonly decompressor: Decompressor;
  readonly young: YoungBuffers;
  /** Where a body that comes in several chunks may be put together; without it they are kept. */
  readonly reserve?: (byteLength: number) => BodyPlace | null;
}

/** One for the process: the heap is one. */
const youngBuffers = new YoungBuffers();

export function openBodyRules({ config, bodyBudget }: Front): BodyRules {
  return {
    bytesMax: config.bodyBytesMax,
    budget: bodyBudget,
    decompressor: openDecompressor(),
    young: youngBuffers,
  };
}

/** The failure that the headers alone decide, before a byte of the body is read. */
export function refuseByLength(req: IncomingMessage, rules: BodyRules): MillraceError | null {
  const length = Number(req.headers["content-length"] ?? 0);
  if (length > rules.bytesMax) return bodyTooLarge(rules.bytesMax, length);
  if (rules.budget.bytes + length > rules.budget.bytesMax) return overBudget(rules.budget);
  return null;
}

/**
 * Reads the body of `req`, counting every byte.
 *
 * `dropped` is called instead of `done` when the client goes away or is too slow: there is nobody to answer.
 */
export function readBody(
  req: IncomingMessage,
  rules: BodyRules,
  done: BodyDone,
  dropped: () => void,
): void {
  const { budget, bytesMax } = rules;
  let byteLength = 0;
  let over = false;
  let chunks: Uint8Array[] = [];
  let place: BodyPlace | null = null;

  const release = () => {
    budget.give(byteLength);
    place?.release();
  };
  const fail = (failure: MillraceError) => {
    over = true;
    release();
    chunks = [];
    done(failure, null);
  };
  req.on("data", (chunk: Buffer) => {
    if (over) return;
    if (byteLength + chunk.length > bytesMax) return fail(bodyTooLarge(bytesMax));
    if (!budget.take(chunk.length)) return fail(overBudget(budget));
    if (byteLength === 0) place = placeFor(req, chunk.length, rules);
    byteLength += chunk.length;
    if (place === null) {
      chunks.push(chunk);
    } else {
      place.write(chunk);
      rules.young.dropped(chunk.length);
    }
  });
  req.on("end", () => {
    if (over) return;
    over = true;
    const encoding = req.headers["content-encoding"];
    if (encoding === undefined) {
      done(null, { place, chunks, byteLength, release });
    } else {
      decompressBody(encoding, chunks, byteLength, rules, done);
    }
  });
  req.on("close", () => {
    if (over) return;
    over = true;
    release();
    dropped();
  });
}

/** A place for a body whose first chunk is not all of it, if its length is known and its bytes are plain. */
function placeFor(
  { headers }: IncomingMessage,
  firstLength: number,
  { reserve, bytesMax }: BodyRules,
): BodyPlace | null {
  const length = Number(headers["content-length"] ?? 0);
  if (length <= firstLength || length > bytesMax) return null;
  if (headers["content-encoding"] !== undefined) return null;
  return reserve?.(length) ?? null;
}

/** The compressed bytes stay counted until the decompressed ones are. */
function decompressBody(
  encoding: string,
  chunks: readonly Uint8Array[],
  byteLength: number,
  { bytesMax, budget, decompressor }: BodyRules,
  done: BodyDone,
): void {
  decompress(decompressor, encoding, chunks, bytesMax, (failure, plain) => {
    budget.give(byteLength);
    if (failure !== null) return done(failure, null);
    if (!budget.take(plain.length)) return done(overBudget(budget), null);
    done(null, {
      place: null,
      chunks: [plain],
      byteLength: plain.length,
      release: () => budget.give(plain.length),
    });
  });
}

function overBudget(budget: BodyBudget): OverloadError {
  const message = `${budget.bytes} bytes of bodies are being received, want at most ${budget.bytesMax}`;
  return new OverloadError("too_many_bytes_in_flight", message, 1);
}
