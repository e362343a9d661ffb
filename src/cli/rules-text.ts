import { exactJsonText } from "../base/exact-json.ts";
import { tableText } from "./query-table.ts";

/** A rule as the server shows it. */
export interface Rule {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly versions: readonly number[];
  readonly state: string;
  readonly paused: boolean;
  readonly complete: boolean;
  readonly window: RuleWindow;
  readonly definition: Readonly<Record<string, unknown>>;
  readonly backfill: { readonly events_left: number } | null;
  readonly stats: {
    readonly events: number;
    readonly too_late: number;
    readonly dropped: number;
    readonly overflowed: number;
    readonly open_windows: number;
    readonly open_groups: number;
    readonly final_windows: number;
    readonly memory_bytes: number;
    readonly subscribers: number;
  } | null;
  readonly warnings?: readonly { readonly message: string }[];
}

interface RuleWindow {
  readonly type: string;
  readonly size?: string;
  readonly slide?: string;
  readonly gap?: string;
  readonly time_zone?: string;
}

/** How far time is: `stream` of `GET /health`. */
export interface StreamHealth {
  readonly watermark: string | null;
  readonly lag_seconds: number | null;
  readonly sources: number;
  readonly idle_sources: number;
  readonly ahead_sources: number;
}

/** `tumbling 1m`, `hopping 10m every 1m`, `session, gap 30m` */
export function windowText({ type, size, slide, gap, time_zone: zone }: RuleWindow): string {
  const place = zone === undefined ? "" : ` in ${zone}`;
  if (gap !== undefined) return `${type}, gap ${gap}`;
  return slide === undefined ? `${type} ${size}${place}` : `${type} ${size} every ${slide}${place}`;
}

export function shownName({ name, version }: Rule): string {
  return `${name}@${version}`;
}

/** `live`, `paused`, `live, 1,200 events to backfill`, … */
export function stateText({ state, paused, complete, backfill }: Rule): string {
  if (paused) return "paused";
  if (backfill !== null) return `${state}, ${count(backfill.events_left)} events to backfill`;
  return complete ? state : `${state}, was paused`;
}

interface Figure {
  readonly name: string;
  /** Has a column only where it isn't 0 for all: lines are to fit. */
  readonly isRare?: true;
  of(rule: Rule): number;
}

const figures: readonly Figure[] = [
  { name: "events", of: ({ stats }) => stats?.events ?? 0 },
  { name: "open", of: ({ stats }) => stats?.open_windows ?? 0 },
  { name: "groups", of: ({ stats }) => stats?.open_groups ?? 0 },
  { name: "too late", isRare: true, of: ({ stats }) => stats?.too_late ?? 0 },
  // What the limits of a rule have left out, or put into the group "other".
  { name: "dropped", isRare: true, of: ({ stats }) => stats?.dropped ?? 0 },
  { name: "other", isRare: true, of: ({ stats }) => stats?.overflowed ?? 0 },
  { name: "watched", isRare: true, of: ({ stats }) => stats?.subscribers ?? 0 },
  { name: "warnings", isRare: true, of: ({ warnings }) => warnings?.length ?? 0 },
];

/** A table of the rules, how far time is, and what may be wrong. */
export function rulesText(
  rules: readonly Rule[],
  health: StreamHealth | null,
  width: number,
): string {
  if (rules.length === 0) return "no rules; millrace help rules says how one is made";
  const shown = figures.filter(
    ({ isRare, of }) => isRare !== true || rules.some((rule) => of(rule) > 0),
  );
  const columns = [
    ...["rule", "window", "state"].map((name) => ({ name, type: "string" })),
    ...shown.map(({ name }) => ({ name, type: "number" })),
  ];
  const rows = rules.map((rule) => [
    shownName(rule),
    windowText(rule.window),
    stateText(rule),
    ...shown.map(({ of }) => of(rule)),
  ]);
  const lines = [tableText({ columns, rows }, { width, colors: false })];
  if (health !== null) lines.push(watermarkText(health));
  for (const { name, warnings = [] } of rules) {
    for (const { message } of warnings) lines.push(`${name}: ${message}`);
  }
  return lines.join("\n");
}

/** `watermark 2026-11-23T12:07:15Z, 2.1 s behind arrival; 3 sources, 1 of them idle` */
function watermarkText(health: StreamHealth): string {
  const { watermark, lag_seconds: lag, sources, idle_sources: idle, ahead_sources: ahead } = health;
  if (watermark === null) return "no watermark yet: no event has come";
  const behind = lag === null ? "" : `, ${spanText(lag)} behind arrival`;
  const quiet = idle === 0 ? "" : `, ${count(idle)} of them idle`;
  const early = ahead === 0 ? "" : `, ${count(ahead)} with a clock that is ahead`;
  const sourcesText = `${count(sources)} ${sources === 1 ? "source" : "sources"}${quiet}${early}`;
  return `watermark ${shortTime(watermark)}${behind}; ${sourcesText}`;
}

/** One rule, a line for each thing to know. */
export function ruleText(rule: Rule): string {
  const { definition, stats, versions, warnings = [] } = rule;
  const lines: [string, string][] = [
    ["rule", shownName(rule)],
    ["id", rule.id],
    ["state", stateText(rule)],
    ["window", windowText(rule.window)],
  ];
  if (versions.length > 1) lines.push(["versions", versions.join(", ")]);
  for (const [name, value] of Object.entries(definition)) {
    if (["name", "window", "time_window"].includes(name) || isNothing(value)) continue;
    lines.push([name, typeof value === "string" ? value : (exactJsonText(value) ?? "")]);
  }
  if (stats !== null) lines.push(["events", eventsText(stats)], ["windows", windowsText(stats)]);
  for (const { message } of warnings) lines.push(["warning", message]);
  const nameWidth = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, text]) => `${name.padEnd(nameWidth)}  ${text}`).join("\n");
}

function isNothing(value: unknown): boolean {
  return value === null || value === false || (Array.isArray(value) && value.length === 0);
}

type Stats = NonNullable<Rule["stats"]>;

function eventsText({ events, too_late: late, dropped, overflowed }: Stats): string {
  return (
    `${count(events)} since the start, ${count(late)} too late, ${count(dropped)} beyond max_windows, ` +
    `${count(overflowed)} in groups "other"`
  );
}

function windowsText(stats: Stats): string {
  const { open_windows: open, open_groups: groups, final_windows: final } = stats;
  const memory = `${count(Math.ceil(stats.memory_bytes / 1024))} KiB`;
  return `${count(open)} open with ${count(groups)} groups in ${memory}, ${count(final)} final`;
}

/** `850 ms`, `2.1 s`, `3 min`, `9 h 37 min`, `12 days` */
export function spanText(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${count(Math.floor(minutes / 1440))} days`;
}

function shortTime(time: string): string {
  return time.replace(/(?:\.\d+)?Z$/, "Z");
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
