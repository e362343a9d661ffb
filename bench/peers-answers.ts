// Answers of different engines in one form, and whether two of them say the same.

/** Times become microseconds, 64-bit integers become numbers, values of a driver's own classes become text. */
export function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "object" && value !== null) {
    if ("micros" in value) return Number(value.micros);
    return String(value);
  }
  if (typeof value !== "string") return value;
  const time = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z$/.exec(value);
  if (!time) return value;
  return Date.parse(`${time[1]}Z`) * 1000 + Number((time[2] ?? "").padEnd(6, "0"));
}

type Rows = readonly (readonly unknown[])[];

/** The first difference, or null. `within` is the relative error that a column may have, by its number. */
export function compareAnswers(
  got: Rows,
  want: Rows,
  within: Readonly<Record<number, number>>,
): string | null {
  if (got.length !== want.length) return `got ${got.length} rows, want ${want.length}`;
  for (const [r, row] of got.entries()) {
    for (const [c, cell] of row.entries()) {
      const [a, b] = [plain(cell), plain(want[r]?.[c])];
      if (a === b || isNothing(a, b)) continue;
      const error = Math.abs(Number(a) - Number(b)) / Math.abs(Number(b));
      if (!(error <= (within[c] ?? 0))) return `row ${r}, column ${c}: got ${a}, want ${b}`;
    }
  }
  return null;
}

/** An absent path is NULL, but ClickHouse's LowCardinality(String) has only the empty string for it. */
function isNothing(a: unknown, b: unknown): boolean {
  return (a === "" || a === null) && (b === "" || b === null);
}
