import type { QueryFigures } from "./engine.ts";

/** Figures before the first query. */
export const noFigures: QueryFigures = {
  running: 0,
  waiting: 0,
  own: 0,
  answered: 0,
  split: 0,
  cancelled: 0,
  killed: 0,
  timeouts: 0,
  overLimit: 0,
  repeated: 0,
  workersFailed: 0,
  memoryPeak: 0,
};
