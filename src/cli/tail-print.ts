import { exactJsonText, parseExactJson } from "../base/exact-json.ts";
import { jsonCutter } from "./json-cutter.ts";

const EVENTS_KEY = '"events":[';

/**
 * The events of a frame as the text that the server sent: an integer beyond 2^53 would lose digits on its
 * way through a JavaScript number.
 */
export function eventTexts(frame: string): string[] {
  const start = frame.indexOf(EVENTS_KEY);
  if (start < 0) return [];
  const cutter = jsonCutter({ events: 1, bytes: 1024 });
  const batches = [...cutter.push(Buffer.from(`{${frame.slice(start)}`)), ...cutter.end()];
  // Each batch is an array of one event.
  return batches.map((batch) => Buffer.from(batch.body).toString().slice(1, -1));
}

/** One line for a person: time, type, source, user, session, then the properties. */
export function prettyLine(text: string): string {
  const event = parseExactJson(text) as Record<string, unknown>;
  const words = [event.timestamp, event.event_type, event.source].filter(
    (word) => typeof word === "string",
  );
  if (typeof event.user_id === "string") words.push(`user=${event.user_id}`);
  if (typeof event.session_id === "string") words.push(`session=${event.session_id}`);
  if (event.properties !== undefined) words.push(exactJsonText(event.properties) ?? "");
  return words.join("  ");
}
