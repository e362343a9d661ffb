import {
  Histogram,
  type MetricObjectWithValues,
  type MetricValueWithName,
  type Registry,
} from "prom-client";

/** Counts that somebody else keeps: one per bound, not cumulative, the last one beyond every finite bound. */
export interface HistogramSnapshot {
  readonly labels: Readonly<Record<string, string>>;
  readonly bounds: readonly number[];
  readonly counts: ArrayLike<number>;
  readonly sum: number;
}

type Values = MetricObjectWithValues<MetricValueWithName<string>>;

/** A histogram that is read from snapshots when the metrics page is asked for; observing costs nothing here. */
export class SnapshotHistogram extends Histogram {
  readonly #metric: { name: string; help: string };
  readonly #read: () => Iterable<HistogramSnapshot>;

  constructor(
    registry: Registry,
    name: string,
    help: string,
    read: () => Iterable<HistogramSnapshot>,
  ) {
    super({ name, help, registers: [registry] });
    this.#metric = { name, help };
    this.#read = read;
  }

  override async get(): Promise<Values> {
    const { name, help } = this.#metric;
    const values: MetricValueWithName<string>[] = [];
    for (const { labels, bounds, counts, sum } of this.#read()) {
      let count = 0;
      bounds.forEach((bound, i) => {
        if (bound === Infinity) return;
        count += counts[i] ?? 0;
        values.push({
          metricName: `${name}_bucket`,
          labels: { ...labels, le: bound },
          value: count,
        });
      });
      const finite = bounds.filter((bound) => bound !== Infinity).length;
      count += counts[finite] ?? 0;
      values.push({
        metricName: `${name}_bucket`,
        labels: { ...labels, le: "+Inf" },
        value: count,
      });
      values.push({ metricName: `${name}_sum`, labels, value: sum });
      values.push({ metricName: `${name}_count`, labels, value: count });
    }
    return { name, help, type: "histogram", values, aggregator: "sum" } as unknown as Values;
  }
}
