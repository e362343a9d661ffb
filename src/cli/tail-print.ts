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

/** One line for a person: time, type, source, user, then the properties. */
export function prettyLine(text: string): string {
  const event = JSON.parse(text) as Record<string, unknown>;
  const words = [event.timestamp, event.event_type, event.source].filter(
    (word) => typeof word === "string",
  );
  if (typeof event.user_id === "string") words.push(`user=${event.user_id}`);
  if (typeof event.session_id === "string") words.push(`session=${event.session_id}`);
  return [...words, propertiesText(text, event)].filter((word) => word !== "").join("  ");
}

/** Properties as they were sent; the parsed ones are used only where the text does not show them plainly. */
function propertiesText(text: string, event: Record<string, unknown>): string {
  const properties = event.properties;
  if (typeof properties !== "object" || properties === null) return "";
  const start = text.indexOf('"properties":{');
  const own = start < 0 ? undefined : text.slice(start + '"properties":'.length, -1);
  const parsed = JSON.stringify(properties);
  if (own === undefined || !own.endsWith("}")) return parsed;
  try {
    // Right only when properties are the event's last member; then their digits are kept too.
    return JSON.stringify(JSON.parse(own)) === parsed ? own : parsed;
  } catch {
    return parsed;
  }
}
