// What the peers are asked about: the events of every benchmark with a column of 100,000 values and with sessions that
// last, and nested events in the shape of a public benchmark's.

import { type BenchEvent, EventStream, seededRandom } from "./events.ts";

export interface PeerEvent extends Omit<BenchEvent, "properties"> {
  properties: BenchEvent["properties"] & { item: string };
}

const itemCount = 100_000;
const sessionCount = 100_000;

/** Two events a millisecond; few items have many events and many have few. */
export class PeerStream {
  private readonly events: EventStream;
  private readonly random: () => number;

  constructor(seed: number) {
    this.events = new EventStream(seed);
    this.random = seededRandom(seed + 1);
  }

  next(): PeerEvent {
    const event = this.events.next();
    const item = Math.floor(this.random() ** 1.5 * itemCount);
    const session = Math.floor(this.random() * sessionCount);
    return {
      ...event,
      properties: { ...event.properties, item: `item-${item}` },
      session_id: `sess_${session.toString(36)}`,
    };
  }
}

const collections: readonly (readonly [name: string, share: number])[] = [
  ["app.bsky.feed.like", 0.45],
  ["app.bsky.feed.post", 0.12],
  ["app.bsky.graph.follow", 0.2],
  ["app.bsky.feed.repost", 0.1],
  ["app.bsky.graph.block", 0.06],
  ["app.bsky.actor.profile", 0.03],
  ["app.bsky.graph.listitem", 0.02],
  ["app.bsky.feed.threadgate", 0.015],
  ["app.bsky.feed.postgate", 0.005],
];

const words =
  "the river turns a wheel and grain becomes flour while people wait by water for bread".split(" ");
const languages = ["en", "pt", "ja", "de", "es", "fr"];
const letters = "abcdefghijklmnopqrstuvwxyz234567";
const userCount = 200_000;
const startUs = 1_732_206_349_000_000;

export interface NestedEvent {
  did: string;
  time_us: number;
  kind: string;
  commit?: Record<string, unknown>;
  account?: Record<string, unknown>;
}

/** Posts, likes and follows as a firehose has them: 300 µs apart, most with a commit, a few without. */
export class NestedStream {
  private readonly random: () => number;
  private made = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  private below(count: number): number {
    return Math.floor(this.random() * count);
  }

  private letters(count: number): string {
    let text = "";
    for (let i = 0; i < count; i++) text += letters[this.below(32)];
    return text;
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  private collection(): string {
    let left = this.random();
    for (const [name, share] of collections) {
      left -= share;
      if (left < 0) return name;
    }
    return "app.bsky.feed.like";
  }

  /** A user's name is the same each time: digits of its number, mixed. */
  private did(): string {
    const user = Math.floor(this.random() ** 2 * userCount);
    const mixed = (Math.imul(user + 1, 0x9e3779b1) >>> 0).toString(32).padStart(7, "2");
    return `did:plc:${mixed}${user.toString(36).padStart(5, "a")}${mixed}fghijk`.slice(0, 32);
  }

  next(): NestedEvent {
    const time_us = startUs + this.made++ * 300 + this.below(300);
    const did = this.did();
    if (this.random() < 0.013) {
      return { did, time_us, kind: "account", account: { active: true, did, seq: this.made } };
    }
    const draw = this.random();
    const operation = draw < 0.88 ? "create" : draw < 0.98 ? "delete" : "update";
    const collection = this.collection();
    const commit: Record<string, unknown> = {
      rev: this.letters(13),
      operation,
      collection,
      rkey: this.letters(13),
    };
    if (operation !== "delete") {
      commit.record = this.record(collection, time_us);
      commit.cid = `bafyrei${this.letters(52)}`;
    }
    return { did, time_us, kind: "commit", commit };
  }

  private record(collection: string, timeUs: number): Record<string, unknown> {
    const createdAt = new Date(timeUs / 1000).toISOString();
    const head = { $type: collection, createdAt };
    const uri = (): string => `at://${this.did()}/app.bsky.feed.post/${this.letters(13)}`;
    const target = (): object => ({ cid: `bafyrei${this.letters(52)}`, uri: uri() });
    if (collection === "app.bsky.feed.post") {
      const text = Array.from({ length: 3 + this.below(25) }, () => this.pick(words)).join(" ");
      const reply = this.random() < 0.4 ? { reply: { parent: target(), root: target() } } : {};
      return { ...head, langs: [this.pick(languages)], text, ...reply };
    }
    if (collection.startsWith("app.bsky.feed.")) return { ...head, subject: target() };
    return { ...head, subject: this.did() };
  }
}
