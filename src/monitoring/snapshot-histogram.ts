import type { Metric, Registry } from "prom-client";

/** Counts that somebody else keeps: one per bound, not cumulative, the last one beyond every finite bound. */
export interface HistogramSnapshot {
  readonly labels: Readonly<Record<string, string>>;
  readonly bounds: readonly number[];
  readonly counts: ArrayLike<number>;
  readonly sum: number;
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * Registers a histogram that is read from snapshots when the metrics page is asked for.
 *
 * prom-client's own histogram can only be observed into. What a registry asks of a metric is its name and
 * `get`, which its types do not say: hence the cast.
 */
export function registerSnapshots(
  registry: Registry,
  name: string,
  help: string,
  read: () => Iterable<HistogramSnapshot>,
): void {
  const get = async () => ({
    name,
    help,
    type: "histogram",
    aggregator: "sum",
    values: [...read()].flatMap((snapshot) => samples(name, snapshot)),
  });
  registry.registerMetric({ name, help, get, reset: () => {} } as unknown as Metric);
}

/** The cumulative form of the exposition format. */
function samples(name: string, { labels, bounds, counts, sum }: HistogramSnapshot): Sample[] {
  const finite = bounds.filter((bound) => bound !== Infinity);
  const metricName = `${name}_bucket`;
  let count = 0;
  const list: Sample[] = finite.map((bound, i) => {
    count += counts[i] ?? 0;
    return { metricName, labels: { le: bound, ...labels }, value: count };
  });
  count += counts[finite.length] ?? 0;
  list.push({ metricName, labels: { le: "+Inf", ...labels }, value: count });
  list.push({ metricName: `${name}_sum`, labels, value: sum });
  list.push({ metricName: `${name}_count`, labels, value: count });
  return list;
}
