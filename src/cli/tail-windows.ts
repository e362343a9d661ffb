import { exactJsonText, parseExactJson } from "../base/exact-json.ts";
import type { Tailed, Told } from "./tail-events.ts";
import type { TailOptions } from "./tail-options.ts";
import { visibleText } from "./text-width.ts";

/** Windows as they change: each line is the newest state of one. */
export function windowsTail({ windows, format }: TailOptions): Tailed {
  const { rule, sql, pace, states } = windows ?? {};
  return {
    path: "/api/v1/stream/metrics",
    subscription: (cursor) => ({
      ...(rule !== undefined && { rule }),
      ...(sql !== undefined && { sql }),
      ...(pace !== undefined && { pace }),
      ...(states !== undefined && { states }),
      ...(cursor !== undefined && { cursor }),
    }),
    lines: ({ type }, frame) => {
      if (type !== "metrics") return null;
      const { windows: changed } = parseExactJson(frame) as { windows: readonly Window[] };
      return changed.map(format === "pretty" ? windowLine : jsonLine);
    },
    told,
  };
}

function told(message: Readonly<Record<string, unknown>>): Told {
  const { type, rule, reason, updates } = message;
  switch (type) {
    case "coalesced":
      return { note: `fell behind by ${String(updates)} messages: only the newest states follow` };
    case "gap":
      return { note: `can't go on where it was (${String(reason)}): what there is now follows` };
    case "version":
      return { note: `the rule was replaced: ${String(rule)} follows` };
    case "subscribed":
      return message.paused === true ? { note: "the rule is paused" } : {};
    case "paused":
      return { note: "the rule is paused" };
    case "resumed":
      return { note: "the rule goes on" };
    case "ended":
      return { note: `the rule is gone (${String(reason)})`, ends: true };
    default:
      return {};
  }
}

interface Window {
  /** Null: the answer to a question without windows. */
  readonly start: string | null;
  readonly end: string | null;
  readonly group: Readonly<Record<string, unknown>>;
  readonly other?: boolean;
  readonly values: Readonly<Record<string, unknown>>;
  readonly state: string;
  readonly late?: number;
  readonly too_late?: number;
  readonly duplicate?: number;
  readonly revision?: number;
}

function jsonLine(window: Window): string {
  return exactJsonText(window) ?? "";
}

/** One line for a person: span, state, group, values, and what of the ledger is not 0. */
export function windowLine(window: Window): string {
  const { start, end, group, values, state } = window;
  const words: string[] = [];
  if (start !== null && end !== null) words.push(spanText(start, end), state.padEnd(stateWidth));
  words.push(...Object.entries(group).map(([name, value]) => member(name, value)));
  if (window.other === true) words.push("(other groups)");
  words.push(...Object.entries(values).map(([name, value]) => member(name, value)));
  const ledger = (["late", "too_late", "duplicate", "revision"] as const).flatMap((name) => {
    const count = window[name] ?? 0;
    return count === 0 ? [] : [`${name.replace("_", " ")} ${count}`];
  });
  if (ledger.length > 0) words.push(`(${ledger.join(", ")})`);
  return words.join("  ").trimEnd();
}

const stateWidth = "on_time".length;

function member(name: string, value: unknown): string {
  const text = typeof value === "string" ? value : (exactJsonText(value) ?? "");
  return `${visibleText(name)}=${visibleText(text)}`;
}

/** `2026-11-23 12:00:00–12:01:00`; the day of the end where it is another one. */
function spanText(start: string, end: string): string {
  const [from, to] = [shortTime(start), shortTime(end)];
  const day = from.slice(0, from.indexOf(" ") + 1);
  return `${from}–${to.startsWith(day) ? to.slice(day.length) : to}`;
}

/** UTC, as all times are here. */
function shortTime(time: string): string {
  return time.replace("T", " ").replace(/(?:\.0+)?Z$/, "");
}
