import type { Front } from "../api/front.ts";
import { InputError } from "../errors.ts";
import { parseQuery } from "../query/form/schema.ts";
import { isGrouped, type Query } from "../query/query.ts";
import { StatementCache } from "../query/sql/statement-cache.ts";
import type { Rule } from "../stream/rule.ts";
import { bucketKey, type NewRule } from "../stream/rule-parts.ts";
import type { RuleRecord } from "../stream/rule-record.ts";
import { ruleOfQuery, ruleOfSql } from "../stream/rule-sql.ts";
import type { Channel } from "./metrics-channel.ts";
import { type MetricsCursor, readMetricsCursor } from "./metrics-cursor.ts";
import { type FeedBounds, feedBounds } from "./metrics-feed.ts";
import type { Place } from "./metrics-page.ts";
import type { MetricsRequest } from "./metrics-protocol.ts";
import { MetricsSources, type Source } from "./metrics-sources.ts";
import { MetricsSubscription, type Outlet } from "./metrics-subscription.ts";
import { systemTimers, type Timers } from "./metrics-timers.ts";

const sweepMs = 1000;

/** The outlet of one subscriber, as the hub sees it. */
export interface Subscriber extends Outlet {
  /** It has gone away: nothing is begun for it any more. */
  readonly isGone: boolean;
  /** It is subscribed; `about` is what it is told of that. */
  begun(about: object): void;
  /** It was fed for the last time, since what it is about is gone. */
  ended(): void;
}

/** A live subscription: ends with `close`. */
export interface Subscribed {
  /** There is room in the outlet again. */
  resume(): void;
  close(): void;
}

/** Where a subscriber begins; `gap`: why that is not where its cursor stood. */
interface Beginning {
  readonly place: Place;
  readonly gap: string | null;
}

/** A subscriber of a rule, who is told when its name stands for another version. */
interface Follower {
  readonly reference: string;
  readonly request: MetricsRequest;
  readonly subscriber: Subscriber;
  readonly subscription: MetricsSubscription;
  number: number;
  paused: boolean;
  /** It is being moved to another version. */
  moving: boolean;
}

/** All live windows of a server. */
export class MetricsHub {
  readonly #front: Front;
  readonly #timers: Timers;
  readonly #sources: MetricsSources;
  readonly #statements = new StatementCache(100, 1024 * 1024);
  readonly #followers = new Set<Follower>();
  #stops: (() => void)[] = [];

  constructor(front: Front, timers: Timers = systemTimers, bounds: FeedBounds = feedBounds) {
    this.#front = front;
    this.#timers = timers;
    this.#sources = new MetricsSources(front, timers, bounds);
  }

  /**
   * Begins to feed a subscriber; null: it went away meanwhile.
   *
   * @throws InputError for what can't be subscribed to
   */
  async subscribe(request: MetricsRequest, subscriber: Subscriber): Promise<Subscribed | null> {
    this.#start();
    if (request.rule !== null) return this.#follow(request, request.rule, subscriber);
    const question = this.#questionOf(request);
    if ("query" in question) {
      const channel = await this.#sources.ofQuery(question.query, request);
      return this.#begin(channel, channel.start(), null, subscriber, {});
    }
    const [source, channel] = await this.#sources.ofQuestion(question.rule, request);
    const { place, gap } = await this.#placeOf(source, channel, request.cursor);
    return this.#begin(channel, place, gap, subscriber, {});
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#sources.close();
  }

  #start(): void {
    if (this.#stops.length > 0) return;
    this.#stops = [
      this.#front.engine.streams.onRules(() => this.#rulesChanged()),
      this.#timers.every(sweepMs, () => this.#sources.sweep()),
    ];
  }

  #questionOf({ sql, query }: MetricsRequest): { rule: NewRule } | { query: Query } {
    if (sql === null) {
      const parsed = parseQuery(query);
      return isWindowed(parsed) ? { rule: ruleOfQuery(parsed) } : { query: parsed };
    }
    const plain = this.#selectOf(sql);
    return plain === null || isWindowed(plain) ? { rule: ruleOfSql(sql) } : { query: plain };
  }

  /** Null: it is none that can be asked once; as a rule it may make sense, or says better why it doesn't. */
  #selectOf(sql: string): Query | null {
    let prepared: ReturnType<StatementCache["prepare"]>;
    try {
      prepared = this.#statements.prepare(sql);
    } catch (error) {
      if (error instanceof InputError) return null;
      throw error;
    }
    if (prepared.kind === "select") return prepared.query;
    throw new InputError("sql_semantics", "want a SELECT from events to watch", { position: 1 });
  }

  async #follow(
    request: MetricsRequest,
    reference: string,
    subscriber: Subscriber,
  ): Promise<Subscribed | null> {
    const record = this.#front.ruleBook.get(reference);
    const [source, channel] = await this.#sources.ofRule(record, request);
    const { place, gap } = await this.#placeOf(source, channel, request.cursor);
    const about = { rule: shownName(record.rule), ...(record.paused && { paused: true }) };
    const subscribed = this.#begin(channel, place, gap, subscriber, about);
    if (subscribed === null) return null;
    const follower: Follower = {
      reference,
      request,
      subscriber,
      subscription: subscribed,
      number: record.rule.number,
      paused: record.paused,
      moving: false,
    };
    this.#followers.add(follower);
    // It may have changed while it was opened.
    this.#look(follower, this.#front.ruleBook.find(reference));
    return {
      resume: () => subscribed.resume(),
      close: () => {
        this.#followers.delete(follower);
        subscribed.close();
      },
    };
  }

  #begin(
    channel: Channel,
    place: Place,
    gap: string | null,
    subscriber: Subscriber,
    about: object,
  ): MetricsSubscription | null {
    if (subscriber.isGone) {
      channel.crowd.release();
      return null;
    }
    const { counters } = this.#front;
    const subscription = new MetricsSubscription(channel, place, subscriber, counters);
    channel.crowd.release();
    subscriber.begun(about);
    if (gap !== null) subscriber.tell({ type: "gap", reason: gap });
    subscription.resume();
    return subscription;
  }

  /** Where a subscriber begins, and what it is told if that is not where its cursor stood. */
  async #placeOf(source: Source, channel: Channel, text: string | null): Promise<Beginning> {
    if (text === null) return { place: channel.start(), gap: null };
    try {
      return await this.#resumed(source, channel, readMetricsCursor(text));
    } catch (error) {
      channel.crowd.release();
      throw error;
    }
  }

  async #resumed(
    { feed, question }: Source,
    channel: Channel,
    { rule, run, order, asOf, finalUs }: MetricsCursor,
  ): Promise<Beginning> {
    if (rule !== feed.rule.number) {
      // The rule of a question is another one after a while without subscribers.
      const gap = question === null ? "other_version" : "expired";
      return { place: channel.start(), gap };
    }
    if (asOf === null) return { place: channel.start(), gap: null };
    if (run === feed.run && order <= channel.until.order) {
      return { place: { log: feed.log, order, asOf, finalUs, snapshotTo: 0 }, gap: null };
    }
    if (asOf > this.#front.engine.nextSequence()) {
      const problem = "got a cursor of events that this server never stored";
      throw new InputError("invalid_cursor", problem);
    }
    const place = await feed.again({ asOf, finalUs });
    return place === null ? { place: channel.start(), gap: "expired" } : { place, gap: null };
  }

  #rulesChanged(): void {
    // Many follow the same rule.
    const found = new Map<string, RuleRecord | null>();
    for (const follower of this.#followers) {
      const { reference } = follower;
      if (!found.has(reference)) found.set(reference, this.#front.ruleBook.find(reference));
      this.#look(follower, found.get(reference) ?? null);
    }
  }

  /** What has become of the rule of a follower. */
  #look(follower: Follower, record: RuleRecord | null): void {
    const { subscriber, subscription } = follower;
    if (record === null) {
      this.#followers.delete(follower);
      subscription.close();
      subscriber.tell({ type: "ended", reason: "deleted" });
      subscriber.ended();
    } else if (record.rule.number !== follower.number) {
      if (!follower.moving) void this.#move(follower, record);
    } else if (record.paused !== follower.paused) {
      follower.paused = record.paused;
      subscriber.tell({ type: record.paused ? "paused" : "resumed" });
    }
  }

  async #move(follower: Follower, record: RuleRecord): Promise<void> {
    const { subscriber, subscription, request, reference } = follower;
    follower.moving = true;
    try {
      const [, channel] = await this.#sources.ofRule(record, request);
      if (!this.#followers.has(follower)) return channel.crowd.release();
      follower.number = record.rule.number;
      follower.paused = record.paused;
      const about = { rule: shownName(record.rule), ...(record.paused && { paused: true }) };
      subscriber.tell({ type: "version", ...about });
      subscription.move(channel);
      channel.crowd.release();
    } catch (error) {
      // The new version has other groups, or is gone already.
      if (this.#followers.delete(follower)) {
        subscription.close();
        subscriber.failed(error);
      }
      return;
    } finally {
      follower.moving = false;
    }
    this.#look(follower, this.#front.ruleBook.find(reference));
  }
}

function isWindowed(query: Query): boolean {
  return isGrouped(query) && bucketKey(query) >= 0;
}

function shownName({ name, version }: Rule): string {
  return `${name}@${version}`;
}
