import type { Front } from "../api/front.ts";
import { InputError, OverloadError } from "../errors.ts";
import type { Query } from "../query/query.ts";
import { uniqueNames, valueText } from "../query/result-text.ts";
import type { Rule } from "../stream/rule.ts";
import type { NewRule } from "../stream/rule-parts.ts";
import type { RuleRecord } from "../stream/rule-record.ts";
import { RuleChannel, type View } from "./metrics-channel.ts";
import { type FeedBounds, type FeedOptions, RuleFeed } from "./metrics-feed.ts";
import { passingRule, questionKey } from "./metrics-passing.ts";
import type { MetricsRequest } from "./metrics-protocol.ts";
import { QuestionChannel } from "./metrics-question.ts";
import type { Timers } from "./metrics-timers.ts";

/** Questions of subscribers that are answered as rules, at once; and those that are asked again and again. */
const questionsMax = 256;
/** How long windows are still watched when the last subscriber has left: most come back. */
const graceMs = 10_000;

/** A rule that is watched. */
export interface Source {
  readonly feed: RuleFeed;
  /** What the question is known by whose rule it is; null: the rule is nobody's alone. */
  readonly question: string | null;
  readonly channels: Map<string, RuleChannel>;
  /** When its last channel was closed; null while there is one. */
  restingMs: number | null;
}

/**
 * What subscribers are fed from, each shared by all who ask the same. Channels are given out held: who has joined one,
 * or doesn't want it after all, releases it.
 */
export class MetricsSources {
  readonly #front: Front;
  readonly #timers: Timers;
  readonly #bounds: FeedBounds;
  readonly #sources = new Map<number, Source>();
  /** Rules of questions, from the moment they are asked for. */
  readonly #passing = new Map<string, Promise<Source>>();
  readonly #asked = new Map<string, QuestionChannel>();

  constructor(front: Front, timers: Timers, bounds: FeedBounds) {
    this.#front = front;
    this.#timers = timers;
    this.#bounds = bounds;
  }

  /** The windows of a rule for a request; its channel has its first snapshot. */
  async ofRule(record: RuleRecord, request: MetricsRequest): Promise<[Source, RuleChannel]> {
    const bounds = this.#bounds;
    const source = this.#source(record, { label: record.rule.name, bounds }, null);
    return [source, await this.#channel(source, request)];
  }

  /** The same for a question, whose rule is made for it. */
  async ofQuestion(question: NewRule, request: MetricsRequest): Promise<[Source, RuleChannel]> {
    const key = questionKey(question);
    let passing = this.#passing.get(key);
    if (passing === undefined) {
      this.#refuseMany();
      passing = this.#put(key, question);
      this.#passing.set(key, passing);
      passing.catch(() => this.#passing.delete(key));
    }
    const source = await passing;
    return [source, await this.#channel(source, request)];
  }

  async ofQuery(query: Query, request: MetricsRequest): Promise<QuestionChannel> {
    const { paceMs, groupsMax } = request;
    const key = `${paceMs} ${groupsMax} ${questionKey(query)}`;
    let channel = this.#asked.get(key);
    if (channel === undefined) {
      this.#refuseMany();
      const made = new QuestionChannel(this.#front.engine, query, {
        timers: this.#timers,
        paceMs,
        groupsMax,
        closed: () => {
          made.close();
          if (this.#asked.get(key) === made) this.#asked.delete(key);
        },
      });
      channel = made;
      this.#asked.set(key, made);
    }
    channel.crowd.hold();
    try {
      await channel.open();
    } catch (error) {
      channel.crowd.release();
      throw error;
    }
    return channel;
  }

  /** Gives up what nobody has asked for during the grace. */
  sweep(): void {
    const nowMs = this.#nowMs();
    for (const [number, source] of this.#sources) {
      const { restingMs, question, feed } = source;
      if (restingMs === null || nowMs - restingMs < graceMs) continue;
      this.#sources.delete(number);
      feed.close();
      if (question === null) continue;
      this.#passing.delete(question);
      this.#front.engine.streams.change([], [number]).catch((error: unknown) => {
        this.#front.log.debug({ err: error }, "the rule of a subscription was not removed");
      });
    }
  }

  close(): void {
    for (const { feed, channels } of this.#sources.values()) {
      for (const channel of channels.values()) channel.close();
      feed.close();
    }
    for (const channel of this.#asked.values()) channel.close();
    this.#sources.clear();
  }

  #nowMs(): number {
    return this.#front.clock.monotonicMs();
  }

  #refuseMany(): void {
    if (this.#passing.size + this.#asked.size < questionsMax) return;
    const problem = `${questionsMax} questions are being watched already; rules of your own don't count`;
    throw new OverloadError("too_many_questions", problem, 10, 503);
  }

  async #put(key: string, question: NewRule): Promise<Source> {
    const { engine, questions, clock } = this.#front;
    const { record, fromUs } = await passingRule(engine, questions, clock, question);
    await engine.streams.change([record], []);
    const options = { label: "question", fromUs, bounds: this.#bounds };
    return this.#source(record, options, key);
  }

  #source(record: RuleRecord, options: FeedOptions, question: string | null): Source {
    const { number } = record.rule;
    let source = this.#sources.get(number);
    if (source === undefined) {
      const feed = new RuleFeed(this.#front.engine.streams, record, options);
      source = { feed, question, channels: new Map(), restingMs: this.#nowMs() };
      this.#sources.set(number, source);
    }
    return source;
  }

  async #channel(source: Source, request: MetricsRequest): Promise<RuleChannel> {
    const view = viewOf(source.feed.rule, request);
    const { number } = source.feed.rule;
    source.restingMs = null;
    try {
      await source.feed.open();
    } catch (error) {
      // The next one who asks begins anew.
      if (this.#sources.get(number) === source) this.#sources.delete(number);
      if (source.question !== null) this.#passing.delete(source.question);
      throw error;
    }
    const key = viewKey(view);
    let channel = source.channels.get(key);
    if (channel === undefined) {
      const made: RuleChannel = new RuleChannel(source.feed, view, this.#timers, () => {
        made.close();
        source.channels.delete(key);
        if (source.channels.size === 0) source.restingMs = this.#nowMs();
      });
      channel = made;
      source.channels.set(key, made);
    }
    channel.crowd.hold();
    channel.refresh();
    return channel;
  }
}

/** @throws InputError for a group by something that is no key of the rule */
function viewOf(rule: Rule, request: MetricsRequest): View {
  const { groupsMax, states, paceMs } = request;
  const wanted = Object.entries(request.group);
  if (wanted.length === 0) return { groupsMax, states, paceMs, group: null };
  const names = uniqueNames(rule.keys.map(({ as }) => ({ name: as })));
  const group = new Map<number, string>();
  for (const [name, value] of wanted) {
    const key = names.indexOf(name);
    if (key < 0) {
      const want = names.length === 0 ? "no group: it has none" : `one of ${names.join(", ")}`;
      const pointer = `#/group/${name.slice(0, 100)}`;
      throw new InputError("unknown_group", `${pointer}: got no key of the rule, want ${want}`, {
        pointer,
      });
    }
    group.set(key, valueText(value));
  }
  return { groupsMax, states, paceMs, group };
}

function viewKey({ groupsMax, states, paceMs, group }: View): string {
  const shownStates = states === null ? null : [...states].sort();
  const shownGroup = group === null ? null : [...group].sort(([a], [b]) => a - b);
  return JSON.stringify([groupsMax, paceMs, shownStates, shownGroup]);
}
