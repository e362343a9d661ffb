import { randomBytes } from "node:crypto";
import type { Engine } from "../engine/engine.ts";
import { InputError, LimitError, TimeoutError } from "../errors.ts";
import { isGrouped, type Query } from "../query/query.ts";
import type { QueryResult } from "../query/result.ts";
import { uniqueNames, valueText } from "../query/result-text.ts";
import type { Channel } from "./metrics-channel.ts";
import { Crowd } from "./metrics-crowd.ts";
import { metricsCursorOf } from "./metrics-cursor.ts";
import { Page, type Place } from "./metrics-page.ts";
import type { Timers } from "./metrics-timers.ts";
import { packJson } from "./protocol.ts";

export interface QuestionOptions {
  readonly timers: Timers;
  readonly paceMs: number;
  /** Rows of its result that are sent. */
  readonly groupsMax: number;
  /** Called when nobody is left. */
  closed(): void;
}

/**
 * A question without windows: it is asked again, at its pace and when there are new rows, and its whole result is sent
 * when it is another one.
 */
export class QuestionChannel implements Channel {
  readonly crowd: Crowd;
  readonly label = "question";
  readonly #engine: Engine;
  readonly #query: Query;
  readonly #options: QuestionOptions;
  readonly #stop: () => void;
  readonly #run = randomBytes(4).toString("hex");
  #results = 0;
  #asked: bigint | null = null;
  #isAsking = false;
  #texts: readonly string[] = [];
  #joined = "";
  #leftOff = 0;
  #asOf = 0n;
  #page: Page | null = null;
  #ticked = 0;

  constructor(engine: Engine, query: Query, options: QuestionOptions) {
    if (!isGrouped(query)) {
      const problem =
        "got a question about single events, want aggregates or groups; /stream/events has events as they come";
      throw new InputError("invalid_query", problem);
    }
    this.#engine = engine;
    this.#query = query;
    this.#options = options;
    this.crowd = new Crowd(() => options.closed());
    this.#stop = options.timers.every(options.paceMs, () => this.#tick());
  }

  get until(): Place {
    return this.#place(this.#results, this.#asOf);
  }

  /** Asks for the first time; rejects when the question can't be answered. */
  async open(): Promise<void> {
    if (this.#results === 0) await this.#ask();
  }

  start(): Place {
    return this.#place(0, null);
  }

  refresh(): void {
    // It is asked at its pace, whoever joins.
  }

  /** It is not asked again. */
  close(): void {
    this.#stop();
  }

  #tick(): void {
    this.#tell();
    if (this.#isAsking || this.#asked === this.#engine.nextSequence()) return;
    this.#ask().then(
      () => this.#tell(),
      // A busy engine may have time at the next tick; what can't ever be answered was refused by `open`.
      () => undefined,
    );
  }

  #tell(): void {
    if (this.#results === this.#ticked) return;
    this.#ticked = this.#results;
    this.crowd.advance();
  }

  page(place: Place): Page | null {
    if (place.order > this.#results) return null;
    this.#page ??= this.#make();
    return this.#page;
  }

  async again(): Promise<Place> {
    return this.start();
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    const asked = this.#engine.nextSequence();
    try {
      const result = await this.#engine.query(this.#query, { text: "a live question" });
      this.#asked = asked;
      this.#take(result);
    } catch (error) {
      // Asking it again with each new row would only make it worse.
      if (error instanceof LimitError || error instanceof TimeoutError) this.#asked = asked;
      throw error;
    } finally {
      this.#isAsking = false;
    }
  }

  #take(result: QueryResult): void {
    const { groupsMax } = this.#options;
    const texts = resultTexts(this.#query, result, groupsMax);
    const joined = texts.join();
    const leftOff = Math.max(0, result.rows.length - groupsMax);
    const isSame = joined === this.#joined && leftOff === this.#leftOff;
    if (this.#results > 0 && isSame) return;
    this.#results++;
    this.#texts = texts;
    this.#joined = joined;
    this.#leftOff = leftOff;
    this.#asOf = BigInt(result.asOf);
    this.#page = null;
  }

  #make(): Page {
    const texts = this.#texts;
    const next = this.until;
    const place = { run: this.#run, order: next.order, asOf: next.asOf, finalUs: null };
    return new Page({
      json: texts,
      packed: () => texts.map(packJson),
      snapshot: true,
      more: false,
      leftOff: this.#leftOff,
      next,
      cursor: metricsCursorOf({ rule: 0, ...place }),
    });
  }

  #place(order: number, asOf: bigint | null): Place {
    return { log: null, order, asOf, finalUs: null, snapshotTo: 0 };
  }
}

/** Each row as a window without a start and an end. */
function resultTexts(query: Query, { columns, rows }: QueryResult, max: number): string[] {
  const names = uniqueNames(columns).map((name) => JSON.stringify(name));
  const isKey = query.select.map(({ of }) => of.kind === "key");
  return rows.slice(0, max).map((row) => {
    const members = (ofKey: boolean): string =>
      names
        .flatMap((name, i) => (isKey[i] === ofKey ? [`${name}:${valueText(row[i] ?? null)}`] : []))
        .join(",");
    return (
      `{"start":null,"end":null,"group":{${members(true)}},"values":{${members(false)}},` +
      '"state":"early","final":false}'
    );
  });
}
