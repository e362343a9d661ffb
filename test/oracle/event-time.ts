// The watermark of each row as docs/windows.md says it, by looking at every source for every row.

export interface TimeRules {
  readonly sourcesMax: number;
  readonly maxSkewUs: bigint;
  readonly idleTimeoutUs: bigint;
}

interface Source {
  markUs: bigint | null;
  /** When its last row that may advance the mark was received. */
  lastUs: bigint;
  futureRows: number;
}

export class OracleTime {
  /** By name; "" is that of rows without one, names begin with a colon. */
  readonly sources = new Map<string, Source>();
  readonly others: Source = { markUs: null, lastUs: 0n, futureRows: 0 };
  watermarkUs: bigint | null = null;
  readonly #rules: TimeRules;

  constructor(rules: TimeRules) {
    this.#rules = rules;
  }

  /** Judges a row, then lets it advance its source's mark. */
  row(source: string | null, timestampUs: bigint, receivedAtUs: bigint) {
    this.tick(receivedAtUs);
    const own = this.#source(source);
    const watermarkUs = this.watermarkUs;
    const latenessUs =
      own.markUs !== null && own.markUs > timestampUs ? own.markUs - timestampUs : 0n;
    if (timestampUs > receivedAtUs + this.#rules.maxSkewUs) own.futureRows++;
    else {
      own.lastUs = receivedAtUs;
      if (own.markUs === null || timestampUs > own.markUs) own.markUs = timestampUs;
    }
    return { watermarkUs, latenessUs };
  }

  tick(receivedAtUs: bigint): void {
    const candidate = this.#candidate(receivedAtUs);
    if (candidate === null) return;
    if (this.watermarkUs === null || candidate > this.watermarkUs) this.watermarkUs = candidate;
  }

  #candidate(receivedAtUs: bigint): bigint | null {
    const { idleTimeoutUs } = this.#rules;
    const marked = [...this.sources.values(), this.others].flatMap(({ markUs, lastUs }) =>
      markUs === null ? [] : [{ markUs, lastUs }],
    );
    if (marked.length === 0) return null;
    const awake = marked.filter(({ lastUs }) => receivedAtUs - lastUs < idleTimeoutUs);
    if (awake.length > 0)
      return awake.map(({ markUs }) => markUs).reduce((a, b) => (b < a ? b : a));
    const most = (a: bigint, b: bigint): bigint => (b > a ? b : a);
    const newest = marked.map(({ lastUs }) => lastUs).reduce(most);
    return (
      marked.map(({ markUs }) => markUs).reduce(most) + (receivedAtUs - newest - idleTimeoutUs)
    );
  }

  #source(name: string | null): Source {
    const key = name === null ? "" : `:${name}`;
    const known = this.sources.get(key);
    if (known) return known;
    const named = this.sources.size - (this.sources.has("") ? 1 : 0);
    if (name !== null && named >= this.#rules.sourcesMax) return this.others;
    const source: Source = { markUs: null, lastUs: 0n, futureRows: 0 };
    this.sources.set(key, source);
    return source;
  }
}
