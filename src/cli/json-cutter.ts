import { InputError } from "../errors.ts";
import {
  BatchBuilder,
  type BatchCutter,
  type BatchLimits,
  type EventBatch,
} from "./batch-cutter.ts";

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const ENVELOPE_KEY = Buffer.from('"events"');

/** Where the next byte stands. Strings are told apart inside `value` and `skip` by `inString`. */
type Place =
  | "top" // between values at the top of the file
  | "first-key" // after the first brace of the file: is it an envelope?
  | "after-key" // after the key "events": a colon, then a bracket, if it is one
  | "first-element" // after an array's opening bracket
  | "element" // in an array, after a comma
  | "value" // inside an event
  | "separator" // in an array, after an element
  | "skip"; // in the envelope, after its array

function isWhiteSpace(byte: number): boolean {
  return byte === SPACE || byte === NEWLINE || byte === RETURN || byte === TAB;
}

/**
 * Cuts a JSON array, the array of an envelope `{"events":[…]}`, or objects one after another.
 *
 * Only the structure that finds an event's end is looked at: quotes, escapes, brackets and commas. Whether an
 * event is JSON is the server's business. An envelope is known by its first key; with other keys before
 * `events` the object counts as one event, which the server reads as an envelope if it fits one body.
 */
export function jsonCutter(limits: BatchLimits): BatchCutter {
  return new JsonCutter(limits);
}

class JsonCutter implements BatchCutter {
  private readonly builder: BatchBuilder;
  private place: Place = "top";
  private depth = 0;
  private inString = false;
  private escaped = false;
  /** An event that is neither an object, an array nor text ends before a comma, bracket or space. */
  private bare = false;
  private inArray = false;
  private inEnvelope = false;
  /** Bytes read while it is open whether the file is an envelope. */
  private opening: number[] = [];
  private offset = 0;

  constructor(limits: BatchLimits) {
    this.builder = new BatchBuilder({ open: "[", between: ",", close: "]" }, limits);
  }

  push(chunk: Uint8Array): EventBatch[] {
    let at = 0;
    while (at < chunk.length) at = this.step(chunk, at);
    this.offset += chunk.length;
    return this.builder.take();
  }

  end(): EventBatch[] {
    if (this.bare && !this.inArray) this.endValue();
    if (this.place === "first-key" || this.place === "after-key") this.openingIsEvent();
    if (this.place !== "top") {
      const { eventIndex } = this.builder;
      const where = this.place === "skip" ? "its envelope" : `event ${eventIndex}`;
      throw new InputError("cut_off", `the file ends inside ${where}, at byte ${this.offset}`, {
        byteOffset: this.offset,
        eventIndex,
      });
    }
    this.builder.flush();
    return this.builder.take();
  }

  /** Looks at the byte at `at`, or in a value at all up to its end; answers where to go on. */
  private step(chunk: Uint8Array, at: number): number {
    const byte = chunk[at] as number;
    switch (this.place) {
      case "value":
        return this.stepValue(chunk, at);
      case "skip":
        return this.stepSkip(chunk, at);
      case "first-key":
      case "after-key":
        return this.stepOpening(byte, at);
      default:
        if (isWhiteSpace(byte)) return at + 1;
        return this.stepBetween(byte, at);
    }
  }

  /** Between events: at the top of the file, before an element or after one. */
  private stepBetween(byte: number, at: number): number {
    if (this.place === "separator") {
      if (byte === COMMA) this.place = "element";
      else if (byte === CLOSE_BRACKET) this.endArray();
      else throw this.unexpected(byte, at, "a comma or a closing bracket after an event");
      return at + 1;
    }
    const position = this.offset + at;
    if (this.place === "top") {
      if (position < 3 && byte === BYTE_ORDER_MARK[position]) return at + 1;
      if (byte === OPEN_BRACKET) {
        this.inArray = true;
        this.place = "first-element";
        return at + 1;
      }
      if (byte === OPEN_BRACE && this.builder.eventIndex === 0) {
        this.place = "first-key";
        this.opening = [byte];
        return at + 1;
      }
    } else if (this.place === "first-element" && byte === CLOSE_BRACKET) {
      this.endArray();
      return at + 1;
    }
    if (byte === COMMA || byte === CLOSE_BRACKET || byte === CLOSE_BRACE || byte === COLON) {
      throw this.unexpected(byte, at, "an event");
    }
    this.place = "value";
    return at;
  }

  /** Inside an event: runs to its end or to the chunk's. */
  private stepValue(chunk: Uint8Array, start: number): number {
    let at = start;
    for (; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.inString) {
        if (this.escaped) this.escaped = false;
        else if (byte === BACKSLASH) this.escaped = true;
        else if (byte === QUOTE) {
          this.inString = false;
          if (this.depth === 0) return this.finish(chunk, start, at + 1);
        }
      } else if (byte === QUOTE) {
        if (this.bare) return this.finish(chunk, start, at);
        this.inString = true;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (this.bare) return this.finish(chunk, start, at);
        this.depth++;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (this.depth === 0) return this.finish(chunk, start, at);
        if (--this.depth === 0) return this.finish(chunk, start, at + 1);
      } else if (this.depth === 0) {
        if (byte === COMMA || isWhiteSpace(byte)) return this.finish(chunk, start, at);
        this.bare = true;
      }
    }
    this.builder.append(chunk.subarray(start, at));
    return at;
  }

  private finish(chunk: Uint8Array, start: number, end: number): number {
    if (end > start) this.builder.append(chunk.subarray(start, end));
    this.endValue();
    return end;
  }

  private endValue(): void {
    this.builder.endEvent();
    this.bare = false;
    this.place = this.inArray ? "separator" : "top";
  }

  private endArray(): void {
    this.inArray = false;
    this.place = this.inEnvelope ? "skip" : "top";
    this.depth = this.inEnvelope ? 1 : 0;
  }

  /** The file's first object, until its first key and what follows it have said what it is. */
  private stepOpening(byte: number, at: number): number {
    if (this.place === "first-key") {
      if (this.opening.length === 1 && isWhiteSpace(byte)) return at + 1;
      if (byte !== ENVELOPE_KEY[this.opening.length - 1]) return this.openingIsEvent(at);
      this.opening.push(byte);
      if (this.opening.length === 1 + ENVELOPE_KEY.length) this.place = "after-key";
      return at + 1;
    }
    if (isWhiteSpace(byte)) return at + 1;
    if (byte === COLON && this.opening.at(-1) !== COLON) {
      this.opening.push(byte);
      return at + 1;
    }
    if (byte !== OPEN_BRACKET || this.opening.at(-1) !== COLON) return this.openingIsEvent(at);
    this.inEnvelope = true;
    this.inArray = true;
    this.place = "first-element";
    return at + 1;
  }

  /** The first object is an event after all: gives its bytes so far to the builder. */
  private openingIsEvent(at = 0): number {
    this.place = "value";
    this.stepValue(Uint8Array.from(this.opening), 0);
    this.opening = [];
    return at;
  }

  /** The rest of the envelope after its events: members that say nothing about them. */
  private stepSkip(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.inString) {
        if (this.escaped) this.escaped = false;
        else if (byte === BACKSLASH) this.escaped = true;
        else if (byte === QUOTE) this.inString = false;
      } else if (byte === QUOTE) this.inString = true;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.depth++;
      else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --this.depth === 0) {
        this.inEnvelope = false;
        this.place = "top";
        return at + 1;
      }
    }
    return chunk.length;
  }

  private unexpected(byte: number, at: number, wanted: string): InputError {
    const byteOffset = this.offset + at;
    return new InputError(
      "unexpected_byte",
      `got '${String.fromCharCode(byte)}' at byte ${byteOffset}, want ${wanted}`,
      { byteOffset, eventIndex: this.builder.eventIndex },
    );
  }
}
