// A window as JSON text: what reads answer and subscribers are sent.

import { uniqueNames, valueText } from "../query/result-text.ts";
import { shownValue } from "../query/run/shown.ts";
import { formatTime, timeUsMax, timeUsMin } from "../query/time.ts";
import type { Rule } from "./rule.ts";
import type { WindowRow } from "./window-row.ts";

/** Windows may begin before year 1 or end after 9999, where events can't be. */
function timeText(us: bigint): string {
  const within = us < timeUsMin ? timeUsMin : us > timeUsMax ? timeUsMax : us;
  return formatTime(within);
}

/** Writes the rows of one rule. */
export class WindowTexts {
  readonly #keys: readonly string[];
  readonly #values: readonly string[];
  readonly #rule: Rule;

  constructor(rule: Rule) {
    const named = (columns: readonly { readonly as: string }[]): string[] =>
      uniqueNames(columns.map(({ as }) => ({ name: as }))).map((name) => JSON.stringify(name));
    this.#keys = named(rule.keys);
    this.#values = named(rule.values);
    this.#rule = rule;
  }

  /** `{"start","end","group":{},"values":{},"count","late",…}` */
  text(row: WindowRow): string {
    const { keys, values } = this.#rule;
    const group = members(this.#keys, (i) =>
      shownValue(row.group[i] ?? null, keys[i]?.of.type ?? "variant"),
    );
    const shown = members(this.#values, (i) =>
      shownValue(row.values[i] ?? null, values[i]?.of.type ?? "variant"),
    );
    return (
      `{"start":"${timeText(row.startUs)}","end":"${timeText(row.endUs)}","group":${group},` +
      `${row.other ? '"other":true,' : ""}"values":${shown},"count":${row.count},"late":${row.late},` +
      `"revised":${row.revised},"too_late":${row.tooLate},"duplicate":${row.duplicate},` +
      `"revision":${row.revision},"state":"${row.state}","final":${row.state === "final"}}`
    );
  }
}

function members(
  names: readonly string[],
  value: (i: number) => ReturnType<typeof shownValue>,
): string {
  let text = "{";
  for (let i = 0; i < names.length; i++) {
    text += `${i === 0 ? "" : ","}${names[i]}:${valueText(value(i))}`;
  }
  return `${text}}`;
}
