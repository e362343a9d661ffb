import { decode, encode } from "@msgpack/msgpack";
import { z } from "zod";
import { isFault, type Problem, problemFrom, problemText } from "../api/problem.ts";
import { parseExactJson } from "../base/exact-json.ts";
import type { Log } from "../base/log.ts";
import { InputError } from "../errors.ts";
import { parseShape, strictShape } from "../query/form/shape.ts";
import { showLiteral } from "../query/literal.ts";
import type { EventsPage } from "../query/result.ts";

/** Under this subprotocol every frame is MessagePack; without it, JSON text. */
export const msgpackProtocol = "millrace.msgpack.v1";

const id = z.string().min(1).max(128);
const text = z.string().max(4096).optional();

/** What a subscriber asks for. `where` is SQL expression text or the JSON form of a predicate. */
export const subscribeSchema = strictShape({
  type: z.literal("subscribe"),
  id,
  where: z.union([z.string().min(1).max(65_536), z.looseObject({})]).optional(),
  event_type: text,
  source: text,
  user_id: text,
  session_id: text,
  cursor: z.string().min(1).max(256).optional(),
  from: z.enum(["now", "earliest"]).optional(),
});
const unsubscribeSchema = strictShape({ type: z.literal("unsubscribe"), id });

export type Subscribe = z.output<typeof subscribeSchema>;
export type ClientMessage = Subscribe | z.output<typeof unsubscribeSchema>;

/** Checks what a frame of a subscriber holds. */
export function readMessage(message: unknown): ClientMessage {
  const type = (message as { type?: unknown } | null)?.type;
  if (type === "unsubscribe") return parseShape(unsubscribeSchema, message, "invalid_message");
  if (type === "subscribe") return parseShape(subscribeSchema, message, "invalid_message");
  const got = type === undefined ? "nothing" : showLiteral(type);
  const want = '"subscribe" or "unsubscribe"';
  throw new InputError("invalid_message", `#/type: got ${got}, want ${want}`, {
    pointer: "#/type",
  });
}

/** The id that a message gives itself, whatever else is wrong with it: its error has to name it. */
export function idOf(message: unknown): string | undefined {
  const parsed = id.safeParse((message as { id?: unknown } | null)?.id);
  return parsed.data;
}

/** One frame of a subscriber: JSON in a text frame, MessagePack in a binary one. */
export function decodeFrame(frame: Buffer, isBinary: boolean): unknown {
  try {
    return isBinary ? decode(frame, { useBigInt64: true }) : parseExactJson(frame.toString("utf8"));
  } catch (error) {
    const format = isBinary ? "MessagePack" : "JSON";
    const message = `got a frame that is not ${format}: ${(error as Error).message.slice(0, 200)}`;
    throw new InputError("invalid_message", message);
  }
}

/** A message of ours, in the encoding of its socket. */
export function messageFrame(message: object, packed: boolean): string | Uint8Array {
  return packed ? encode(message, { ignoreUndefined: true }) : JSON.stringify(message);
}

/** What a subscriber is told of a failure; a fault of ours is logged. */
export function errorMessage(log: Log, error: unknown, id?: string): object {
  const problem = problemFrom(error);
  if (isFault(problem)) log.error({ code: problem.code, err: error }, "subscription failed");
  return { type: "error", ...(id !== undefined && { id }), error: problemDocument(problem) };
}

/** A failure as a member of a message. */
export function problemDocument(problem: Problem): object {
  return JSON.parse(problemText(problem)) as object;
}

// Many subscribers are sent the same page, so that its list of events is encoded once.
const lists = new WeakMap<EventsPage, { json?: string; packed?: Uint8Array }>();

/** `{"type":"events","id","events","cursor"}` in the encoding of its socket. */
export function eventsFrame(
  page: EventsPage,
  subscription: string,
  cursor: string,
  packed: boolean,
): string | Uint8Array {
  let list = lists.get(page);
  if (list === undefined) {
    list = {};
    lists.set(page, list);
  }
  if (!packed) {
    list.json ??= `[${page.events.join(",")}]`;
    return `{"type":"events","id":${JSON.stringify(subscription)},"events":${list.json},"cursor":"${cursor}"}`;
  }
  list.packed ??= packEvents(page.events);
  // A map of four members, put together from parts since the list is there already.
  return Buffer.concat([
    Uint8Array.of(0x84),
    ...["type", "events", "id", subscription, "events"].map((part) => encode(part)),
    list.packed,
    encode("cursor"),
    encode(cursor),
  ]);
}

function packEvents(events: readonly string[]): Uint8Array {
  return packJson(`[${events.join(",")}]`);
}

/** JSON text as MessagePack, which holds 64-bit integers; those beyond were doubles before they were printed. */
export function packJson(text: string): Uint8Array {
  const values = parseExactJson(text, (value) =>
    BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value
      ? value
      : Number(value),
  );
  return encode(values, { useBigInt64: true });
}
