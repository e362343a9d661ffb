import type { IncomingMessage } from "node:http";
import type { BodyBudget } from "../api/body-budget.ts";
import type { Front } from "../api/front.ts";
import { bodyTooLarge } from "../api/problem.ts";
import { type MillraceError, OverloadError } from "../errors.ts";
import { type Decompressor, decompress, openDecompressor } from "./compression.ts";

/** A received and decompressed body. Its bytes count against the budget until `release` is called. */
export interface Body {
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
}

export function openBodyRules({ config, bodyBudget }: Front): BodyRules {
  return {
    bytesMax: config.bodyBytesMax,
    budget: bodyBudget,
    decompressor: openDecompressor(),
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
  const chunks: Uint8Array[] = [];
  const { budget, bytesMax } = rules;
  let byteLength = 0;
  let over = false;

  const fail = (failure: MillraceError) => {
    over = true;
    budget.give(byteLength);
    chunks.length = 0;
    done(failure, null);
  };
  req.on("data", (chunk: Buffer) => {
    if (over) return;
    if (byteLength + chunk.length > bytesMax) return fail(bodyTooLarge(bytesMax));
    if (!budget.take(chunk.length)) return fail(overBudget(budget));
    byteLength += chunk.length;
    chunks.push(chunk);
  });
  req.on("end", () => {
    if (over) return;
    over = true;
    const encoding = req.headers["content-encoding"];
    if (encoding === undefined) {
      done(null, { chunks, byteLength, release: () => budget.give(byteLength) });
    } else {
      decompressBody(encoding, chunks, byteLength, rules, done);
    }
  });
  req.on("close", () => {
    if (over) return;
    over = true;
    budget.give(byteLength);
    dropped();
  });
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
