import { LANE_NULL } from "../../core/layout.ts";
import { StoredSegment } from "./segments.ts";
import type { Segment } from "./source.ts";

type Lanes = Map<string, Set<number>>;

const prefix = "properties.";

/** Which property paths there are, and with which lanes. What stored segments have is kept until one goes. */
export class StoredPaths {
  #known = new Set<number>();
  #lanes: Lanes = new Map();

  lanes(segments: readonly Segment[]): ReadonlyMap<string, ReadonlySet<number>> {
    const stored = segments.filter((one) => one instanceof StoredSegment);
    const ids = new Set(stored.map(({ id }) => id));
    if ([...this.#known].some((id) => !ids.has(id))) {
      this.#known = new Set();
      this.#lanes = new Map();
    }
    for (const { id, meta } of stored) {
      if (this.#known.has(id)) continue;
      this.#known.add(id);
      add(this.#lanes, meta.columns);
    }
    const all: Lanes = new Map([...this.#lanes].map(([path, lanes]) => [path, new Set(lanes)]));
    // Finding the columns of a hot segment reads none of them.
    for (const segment of segments) if (segment.hot) add(all, segment.columns());
    return all;
  }
}

function add(
  to: Lanes,
  columns: readonly { readonly path: string; readonly lane: number }[],
): void {
  for (const { path, lane } of columns) {
    if (!path.startsWith(prefix) || lane === LANE_NULL) continue;
    const lanes = to.get(path);
    if (lanes) lanes.add(lane);
    else to.set(path, new Set([lane]));
  }
}
