import type { TailOptions } from "./tail-options.ts";
import { eventTexts, prettyLine } from "./tail-print.ts";

/** What is tailed: how it is subscribed to, and what is said of its messages. */
export interface Tailed {
  /** Of the WebSocket. */
  readonly path: string;
  /** What is asked for, from `cursor` on where there is one. */
  subscription(cursor: string | undefined): object;
  /** What a message prints; null: it is another kind of message. `frame` is its text. */
  lines(message: Readonly<Record<string, unknown>>, frame: string): readonly string[] | null;
  told(message: Readonly<Record<string, unknown>>): Told;
}

export interface Told {
  /** A sentence for a person. */
  readonly note?: string;
  /** Nothing comes any more. */
  readonly ends?: boolean;
}

/** Events as they are stored. */
export function eventsTail(options: TailOptions): Tailed {
  const { where, eventType, from, format } = options;
  return {
    path: "/api/v1/stream/events",
    subscription: (cursor) => ({
      ...(where !== undefined && { where }),
      ...(eventType !== undefined && { event_type: eventType }),
      ...(cursor === undefined ? { from } : { cursor }),
    }),
    lines: ({ type }, frame) => {
      if (type !== "events") return null;
      const texts = eventTexts(frame);
      return format === "pretty" ? texts.map(prettyLine) : texts;
    },
    told: ({ type, count }) =>
      type === "missed" ? { note: `fell behind and missed ${String(count)} events` } : {},
  };
}
