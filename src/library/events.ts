import { parseExactJson } from "../base/exact-json.ts";
import { InputError } from "../errors.ts";
import { eventsPageDefault } from "../limits.ts";
import type { PredicateForm } from "../query/form/schema.ts";
import type { EventsPage, EventsRequest } from "../query/result.ts";
import { parseTime, timeFromNumber } from "../query/time.ts";
import type { JsonObject } from "./table.ts";

/** Which events. */
export interface EventsFilter {
  /** SQL expression text, or the JSON form of a condition. */
  readonly where?: string | PredicateForm;
  readonly eventType?: string;
  readonly source?: string;
  readonly userId?: string;
  readonly sessionId?: string;
}

/** A Date, RFC 3339 text with a zone, or a number whose size says its unit. */
export type TimeInput = Date | string | number | bigint;

export interface EventsOptions extends EventsFilter {
  /** The first timestamp. */
  readonly from?: TimeInput;
  /** The first timestamp that is too late. */
  readonly to?: TimeInput;
  /** By timestamp, then sequence; `asc` by default. */
  readonly order?: "asc" | "desc";
  /** Events of a page, 100 by default, at most 10,000. */
  readonly limit?: number;
  /** `nextCursor` of the page before, with the same filters. */
  readonly cursor?: string;
}

/** An event as it is stored. */
export interface StoredEvent {
  readonly id: string;
  /** RFC 3339 in UTC, with microseconds where there are any. */
  readonly timestamp: string;
  readonly event_type: string;
  readonly source?: string;
  readonly user_id?: string;
  readonly session_id?: string;
  readonly properties?: JsonObject;
  /** The event's number, digits. */
  readonly sequence: string;
  readonly received_at: string;
  readonly lateness_us: number;
}

export interface Page {
  readonly events: StoredEvent[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
  /** The sequence that the first page reflected: every event below it. */
  readonly asOf: bigint;
}

export function eventsRequest(options: EventsOptions): EventsRequest {
  const { from, to, cursor } = options;
  return {
    ...filterRequest(options),
    order: options.order ?? "asc",
    limit: options.limit ?? eventsPageDefault,
    ...(from !== undefined && { fromUs: timeUs("from", from) }),
    ...(to !== undefined && { toUs: timeUs("to", to) }),
    ...(cursor !== undefined && { cursor }),
  };
}

export function filterRequest({ where, eventType, source, userId, sessionId }: EventsFilter) {
  return {
    ...(where !== undefined && { where }),
    ...(eventType !== undefined && { eventType }),
    ...(source !== undefined && { source }),
    ...(userId !== undefined && { userId }),
    ...(sessionId !== undefined && { sessionId }),
  };
}

/** Microseconds of a time that a caller has given as `name`. */
export function timeUs(name: string, time: TimeInput): bigint {
  const us =
    time instanceof Date
      ? Number.isNaN(time.getTime())
        ? "it is an invalid Date"
        : BigInt(time.getTime()) * 1000n
      : typeof time === "string"
        ? parseTime(time)
        : (timeFromNumber(time) ?? "it is outside the years 0001 to 9999");
  if (typeof us === "bigint") return us;
  throw new InputError("invalid_parameter", `${name}: got ${String(time)}, and ${us}`);
}

export function pageOf({ events, nextCursor, asOf }: EventsPage): Page {
  return { events: events.map(storedEvent), nextCursor, asOf: BigInt(asOf) };
}

export function storedEvent(text: string): StoredEvent {
  return parseExactJson(text) as StoredEvent;
}
