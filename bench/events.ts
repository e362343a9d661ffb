// The workload of every benchmark: events of about 288 bytes as JSON, with six properties, fresh ids and strings.

import { encode } from "@msgpack/msgpack";

export interface BenchEvent {
  id: string;
  timestamp: string;
  event_type: string;
  source: string;
  properties: {
    path: string;
    country: string;
    duration_ms: number;
    status: number;
    amount: number;
    mobile: boolean;
  };
  user_id: string;
  session_id: string;
}

const eventTypes = "page_view click purchase signup error api_call add_to_cart logout".split(" ");
const sources = "web ios android api worker-1 worker-2".split(" ");
const countries = "US DE FR IN BR JP GB".split(" ");
const statuses = [200, 201, 404, 500];
const startMs = Date.UTC(2026, 10, 23, 12);

/** Numbers in [0, 1) that a seed determines (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Makes events one after the other: two of them a millisecond, each with an id that no other has. */
export class EventStream {
  private readonly random: () => number;
  private readonly origin: string;
  private made = 0;

  /** Streams of different seeds share no ids. */
  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.origin = (seed >>> 0).toString(16).padStart(8, "0");
  }

  private below(count: number): number {
    return Math.floor(this.random() * count);
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  private hex(digits: number): string {
    return this.below(16 ** digits)
      .toString(16)
      .padStart(digits, "0");
  }

  next(): BenchEvent {
    const count = this.made++;
    const tail = count.toString(16).padStart(12, "0");
    return {
      id: `${this.origin}-${this.hex(4)}-4${this.hex(3)}-a${this.hex(3)}-${tail}`,
      timestamp: new Date(startMs + Math.floor(count / 2)).toISOString(),
      event_type: this.pick(eventTypes),
      source: this.pick(sources),
      properties: {
        path: `/products/${this.below(200)}`,
        country: this.pick(countries),
        duration_ms: this.below(100_000) / 100,
        status: this.pick(statuses),
        amount: this.below(10_000) / 100,
        mobile: this.random() < 0.5,
      },
      user_id: `user_${this.below(50_000)}`,
      session_id: `sess_${this.below(60_466_176).toString(36).padStart(5, "0")}`,
    };
  }

  take(count: number): BenchEvent[] {
    return Array.from({ length: count }, () => this.next());
  }
}

export type WireFormat = "json" | "msgpack";

/** A body of these events; one event alone is not wrapped in an array. */
export function encodeBody(events: readonly BenchEvent[], format: WireFormat): Buffer {
  const value = events.length === 1 ? events[0] : events;
  if (format === "json") return Buffer.from(JSON.stringify(value));
  return Buffer.from(encode(value));
}

const hexDigits = Buffer.from("0123456789abcdef");
const wordDigits = Buffer.from("0123456789abcdefghijklmnopqrstuvwxyz");

/**
 * A body whose ids and session ids are written anew before each request, in place, so that a load generator
 * sends fresh events and spends next to nothing on making them.
 */
export class FreshBody {
  readonly bytes: Buffer;
  private readonly ids: Int32Array;
  private readonly sessions: Int32Array;

  /** `head` is put before the body in `bytes`, for protocols that want both in one buffer. */
  constructor(events: readonly BenchEvent[], format: WireFormat, head: (length: number) => string) {
    const body = encodeBody(events, format);
    this.bytes = Buffer.concat([Buffer.from(head(body.length)), body]);
    this.ids = new Int32Array(events.length);
    this.sessions = new Int32Array(events.length);
    let at = this.bytes.length - body.length;
    events.forEach((event, i) => {
      at = this.bytes.indexOf(event.id, at);
      this.ids[i] = at;
      at = this.bytes.indexOf(event.session_id, at);
      this.sessions[i] = at;
    });
  }

  /** Numbers the events from `first` on: the last 12 digits of each id, and 5 mixed digits of its session. */
  refresh(first: number): void {
    const { bytes, ids, sessions } = this;
    for (let i = 0; i < ids.length; i++) {
      const number = first + i;
      let low = number % 0x1000000;
      let high = (number - low) / 0x1000000;
      const id = (ids[i] as number) + 24;
      for (let digit = 11; digit >= 6; digit--, low >>>= 4) {
        bytes[id + digit] = hexDigits[low & 15] as number;
      }
      for (let digit = 5; digit >= 0; digit--, high >>>= 4) {
        bytes[id + digit] = hexDigits[high & 15] as number;
      }
      let mixed = Math.imul(number, 0x9e3779b1) >>> 0;
      const session = (sessions[i] as number) + 5;
      for (let digit = 0; digit < 5; digit++) {
        bytes[session + digit] = wordDigits[mixed % 36] as number;
        mixed = Math.trunc(mixed / 36);
      }
    }
  }
}
