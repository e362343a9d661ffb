// Text forms of durations and sizes, as settings, rules and queries write them.

const durationUnitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const sizeUnits: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

const isoDuration =
  /^P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/**
 * Milliseconds of a duration such as `90s`, `1h30m`, `7d` or ISO 8601 `PT1H30M`; undefined when it is none.
 * Years and months have no fixed length and are not durations here.
 */
export function parseDurationMs(text: string): number | undefined {
  const iso = isoDuration.exec(text);
  if (iso !== null && /\d/.test(text) && !text.endsWith("T")) {
    const [weeks, days, hours, minutes, seconds] = iso.slice(1).map((part) => Number(part ?? 0));
    const wholeDays = (weeks ?? 0) * 7 + (days ?? 0);
    const wholeSeconds = ((hours ?? 0) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0);
    return Math.round(wholeDays * 86_400_000 + wholeSeconds * 1000);
  }
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)) {
    total += Number(amount) * (durationUnitsMs[unit as string] as number);
  }
  return Math.round(total);
}

/** Bytes of a size such as `512MiB`, `1GB` or `65536`; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]i?b|b)?$/i.exec(text);
  if (match === null) return undefined;
  const unit = sizeUnits[(match[2] ?? "b").toLowerCase()] as number;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : undefined;
}
