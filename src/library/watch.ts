import { parseExactJson } from "../base/exact-json.ts";
import type { MetricsHub, Subscribed, Subscriber } from "../live/metrics-hub.ts";
import type { Page } from "../live/metrics-page.ts";
import { type MetricsRequest, readMetricsMessage } from "../live/metrics-protocol.ts";
import type { QueryForm } from "../query/form/schema.ts";
import type { Cell } from "./table.ts";

export type LiveWindowState = "early" | "on_time" | "revised" | "final";

/** What is watched: one of `rule`, `sql` and `query`. */
export interface WatchOptions {
  /** The name of a rule, which follows its new versions, or `name@2`. */
  readonly rule?: string;
  readonly sql?: string;
  readonly query?: QueryForm;
  /** The cursor of an update: what has changed since then comes first. */
  readonly cursor?: string;
  /** Between updates: milliseconds or a duration, `"100ms"` by default, from 50 ms to an hour. */
  readonly pace?: number | string;
  /** Only groups with these values. */
  readonly group?: Readonly<Record<string, string | number | bigint | boolean | null>>;
  /** Groups of each window, 1,000 by default. */
  readonly groups?: number;
  readonly states?: readonly LiveWindowState[];
  /** Told what happens besides windows. */
  readonly told?: (message: WatchMessage) => void;
}

export type WatchMessage =
  /** The reader was busy: so many updates were not given to it. The next has the newest state of their windows. */
  | { readonly type: "coalesced"; readonly updates: number }
  /** The cursor can't be gone on from; a snapshot follows. */
  | { readonly type: "gap"; readonly reason: string }
  /** The rule was replaced; a snapshot of the new version follows. */
  | { readonly type: "version"; readonly rule: string }
  | { readonly type: "paused" | "resumed" }
  /** The rule is gone. */
  | { readonly type: "ended"; readonly reason: string };

/** The newest state of a window. */
export interface LiveWindow {
  /** RFC 3339 text; null for a question without windows, which has no ledger either. */
  readonly start: string | null;
  readonly end: string | null;
  readonly group: Readonly<Record<string, Cell>>;
  /** The groups beyond the rule's limit, together. */
  readonly other?: true;
  readonly values: Readonly<Record<string, Cell>>;
  readonly count?: number;
  readonly late?: number;
  readonly revised?: number;
  readonly too_late?: number;
  readonly duplicate?: number;
  readonly revision?: number;
  readonly state: LiveWindowState;
  readonly final: boolean;
  /** Starts of the sessions that have become part of it. */
  readonly replaces?: readonly string[];
}

/** Windows that have changed, each once. */
export interface WindowsUpdate {
  /** The rule and its version, `views@1`; null for a question. */
  readonly rule: string | null;
  readonly windows: readonly LiveWindow[];
  /** All open windows and the last final ones: what was known before is to be forgotten. */
  readonly snapshot: boolean;
  /** The snapshot, or the update, goes on in the next one. */
  readonly more: boolean;
  /** Groups that were left off, beyond `groups`. */
  readonly groupsLeftOff: number;
  /** The place after these windows. */
  readonly cursor: string;
}

/** Windows that are watched. */
export interface Watch {
  /** The place after the updates that have been dealt with; null: there was none. */
  readonly cursor: string | null;
  close(): void;
}

/** Updates taken one at a time: asking for the next says that the one before has been dealt with. */
export interface Watching extends Watch, AsyncIterableIterator<WindowsUpdate> {}

export interface WatchListener {
  /** While what it returns is pending nothing is made for it: windows that change meanwhile are given once. */
  windows(update: WindowsUpdate): void | Promise<void>;
  /** The rule is gone. */
  ended?(): void;
  /** It can't be watched, or the listener threw. Without it, it is thrown. */
  failed?(error: unknown): void;
}

interface Waiter {
  resolve(result: IteratorResult<WindowsUpdate, undefined>): void;
  reject(error: unknown): void;
}

/**
 * Takes from the hub only while somebody waits for an update: nothing is kept for a slow reader, and what it finds then
 * is the newest state of each window that has changed.
 */
class WindowsReader implements Subscriber, Watching {
  readonly #told: WatchOptions["told"];
  readonly #closed: () => void;
  readonly #waiting: Waiter[] = [];
  #subscribed: Subscribed | null = null;
  #failure: { readonly error: unknown } | null = null;
  #rule: string | null = null;
  #given: string | null = null;
  cursor: string | null = null;
  isGone = false;

  constructor(told: WatchOptions["told"], closed: () => void) {
    this.#told = told;
    this.#closed = closed;
  }

  open(hub: MetricsHub, request: MetricsRequest): void {
    hub.subscribe(request, this).then(
      (subscribed) => {
        this.#subscribed = subscribed;
        if (this.isGone) subscribed?.close();
        else subscribed?.resume();
      },
      (error: unknown) => this.failed(error),
    );
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<WindowsUpdate, undefined>> {
    this.cursor = this.#given ?? this.cursor;
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) return Promise.reject(failure.error);
    if (this.isGone) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#subscribed?.resume();
    });
  }

  async return(): Promise<IteratorResult<WindowsUpdate, undefined>> {
    this.close();
    return { done: true, value: undefined };
  }

  close(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#subscribed?.close();
    this.#closed();
    for (const { resolve } of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
  }

  isBehind(): boolean {
    return this.#waiting.length === 0;
  }

  begun(about: object): void {
    const { rule, paused } = about as { rule?: string; paused?: boolean };
    this.#rule = rule ?? null;
    if (paused === true) this.#told?.({ type: "paused" });
  }

  page(page: Page): void {
    const message = parseExactJson(String(page.message("", false))) as PageMessage;
    this.#given = message.cursor;
    const update: WindowsUpdate = {
      rule: this.#rule,
      windows: message.windows,
      snapshot: message.snapshot === true,
      more: message.more === true,
      groupsLeftOff: message.groups_left_off ?? 0,
      cursor: message.cursor,
    };
    this.#waiting.shift()?.resolve({ done: false, value: update });
  }

  tell(message: object): void {
    const told = message as WatchMessage;
    if (told.type === "version") this.#rule = told.rule;
    this.#told?.(told);
  }

  failed(error: unknown): void {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) waiter.reject(error);
    else if (!this.isGone) this.#failure = { error };
    this.close();
  }

  ended(): void {
    this.close();
  }
}

interface PageMessage {
  readonly windows: readonly LiveWindow[];
  readonly snapshot?: boolean;
  readonly more?: boolean;
  readonly groups_left_off?: number;
  readonly cursor: string;
}

/** What is watched of one engine. */
export class Watches {
  readonly #hub: () => MetricsHub;
  readonly #open = new Set<Watching>();

  /** `hub` answers the same one each time; it is made when something is watched. */
  constructor(hub: () => MetricsHub) {
    this.#hub = hub;
  }

  /** @throws InputError for options that are none */
  watch(options: WatchOptions): Watching {
    const { told, pace, ...same } = options;
    const message = readMetricsMessage({
      type: "subscribe",
      id: "watch",
      ...same,
      ...(pace !== undefined && { pace: typeof pace === "number" ? `${pace}ms` : pace }),
    });
    if (message.type !== "subscribe") throw new TypeError("what was read is not what was written");
    const reader: WindowsReader = new WindowsReader(told, () => this.#open.delete(reader));
    this.#open.add(reader);
    reader.open(this.#hub(), message.request);
    return reader;
  }

  close(): void {
    for (const one of [...this.#open]) one.close();
  }
}

/** Gives the updates to a listener, one after the other. */
export function listenTo(watching: Watching, listener: WatchListener): Watch {
  let closed = false;
  const run = async (): Promise<void> => {
    for await (const update of watching) await listener.windows(update);
  };
  run().then(
    () => {
      if (!closed) listener.ended?.();
    },
    (error: unknown) => {
      if (listener.failed !== undefined) return listener.failed(error);
      queueMicrotask(() => {
        throw error;
      });
    },
  );
  return {
    get cursor() {
      return watching.cursor;
    },
    close: () => {
      closed = true;
      watching.close();
    },
  };
}
