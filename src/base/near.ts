/**
 * Edits (insert, delete, replace one character) that turn `a` into `b`.
 * The dynamic programme of Wagner and Fischer, keeping one row.
 */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Longer names are never typing slips of ours, and the distance is quadratic in their length. */
const nameLengthMax = 64;

/** The candidate that `name` was probably meant to be, or null when none is close. */
export function nearest(name: string, candidates: Iterable<string>): string | null {
  if (name.length > nameLengthMax) return null;
  const folded = name.toLowerCase();
  // A third of the name may be wrong: "tpe" still finds "type", "x" finds nothing.
  let distanceMax = Math.max(1, Math.floor(name.length / 3));
  let best: string | null = null;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) > distanceMax) continue;
    const distance = editDistance(folded, candidate.toLowerCase());
    if (distance > distanceMax || distance >= candidate.length) continue;
    best = candidate;
    distanceMax = distance - 1;
  }
  return best;
}

/** `; did you mean "x"?`, or nothing when no candidate is close. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const near = nearest(name, candidates);
  return near === null ? "" : `; did you mean "${near}"?`;
}
