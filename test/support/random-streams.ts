// Random streams: records of rows from sources that are late, ahead, slow or silent for a while, with disorder and
// duplicates, and ticks between them.

import { OracleTime, type TimeRules } from "../oracle/event-time.ts";
import type { OracleCell, OracleRow } from "../oracle/query.ts";
import { pick, type Random } from "./random-queries.ts";

export interface StreamRecord {
  readonly kind: "record";
  readonly receivedAtUs: bigint;
  readonly rows: readonly OracleRow[];
  /** Timestamps of events that were left out. */
  readonly duplicatesUs: readonly bigint[];
}

/** A record, or a moment at which nothing was received. */
export type StreamStep = StreamRecord | { readonly kind: "tick"; readonly receivedAtUs: bigint };

export interface StreamShape {
  readonly records: number;
  /** Of one record, at most. */
  readonly rows: number;
  readonly sources: number;
  /** Each later record is received up to this much later. */
  readonly paceUs: number;
  /** Rows come up to so much after the newest of their source. */
  readonly disorderUs: number;
  readonly rules: TimeRules;
  /** When the first record is received, about. */
  readonly startUs?: bigint;
}

const usualStartUs = 1_790_000_000_000_000n;

interface Sender {
  readonly name: string | null;
  /** How far its clock is ahead. */
  readonly aheadUs: number;
  /** It sends in records whose number modulo 16 has this bit. */
  readonly busy: number;
}

const below = (random: Random, end: number): number => Math.floor(random() * end);

function makeSenders(random: Random, { sources, paceUs, rules }: StreamShape): Sender[] {
  return Array.from({ length: sources }, (_, i) => {
    const kind = random();
    const beyond = Number(rules.maxSkewUs) + paceUs;
    const aheadUs = kind < 0.1 ? beyond : kind < 0.4 ? -below(random, 3 * paceUs) : 0;
    const busy = random() < 0.5 ? 0xffff : below(random, 0x10000);
    return { name: i === 0 ? null : `source ${i}`, aheadUs, busy };
  });
}

const words = ["a", "b", "abc", "ü", "purchase"];

function makeCells(random: Random, source: string | null): Map<string, OracleCell> {
  const cells = new Map<string, OracleCell>([
    ["event_type", pick(random, ["view", "purchase", "x"])],
  ]);
  if (source !== null) cells.set("source", source);
  if (random() < 0.8) cells.set("user_id", `user ${below(random, 12)}`);
  cells.set("properties.small", BigInt(below(random, 7) - 2));
  if (random() < 0.8) cells.set("properties.price", below(random, 20_000) / 100);
  if (random() < 0.7) cells.set("properties.word", pick(random, words));
  if (random() < 0.6) cells.set("properties.flag", random() < 0.5);
  if (random() < 0.1) cells.set("properties.word", null);
  const any = random();
  if (any < 0.2) cells.set("properties.any", BigInt(below(random, 5)));
  else if (any < 0.3) cells.set("properties.any", pick(random, words));
  return cells;
}

function idOf(random: Random): string {
  const hex = Array.from({ length: 32 }, () => below(random, 16).toString(16)).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Sequences begin at `firstSequence`; some steps are ticks. */
export function makeStream(random: Random, shape: StreamShape, firstSequence = 0n): StreamStep[] {
  const senders = makeSenders(random, shape);
  const time = new OracleTime(shape.rules);
  const steps: StreamStep[] = [];
  let nowUs = shape.startUs ?? usualStartUs;
  let sequence = firstSequence;
  for (let n = 0; n < shape.records; n++) {
    nowUs += BigInt(random() < 0.1 ? 0 : below(random, shape.paceUs));
    // Long enough for all to be idle, now and then.
    if (random() < 0.03) nowUs += shape.rules.idleTimeoutUs * BigInt(1 + below(random, 3));
    if (random() < 0.15) steps.push({ kind: "tick", receivedAtUs: nowUs });
    const awake = senders.filter(({ busy }) => (busy >> (n & 15)) & 1);
    const rows: OracleRow[] = [];
    const duplicatesUs: bigint[] = [];
    for (let i = below(random, shape.rows) + 1; i > 0 && awake.length > 0; i--) {
      const { name, aheadUs } = pick(random, awake);
      const backUs = random() < 0.5 ? 0 : below(random, shape.disorderUs);
      const timestampUs = nowUs + BigInt(aheadUs - backUs - below(random, 1000));
      if (random() < 0.05) {
        duplicatesUs.push(timestampUs);
        continue;
      }
      const { latenessUs } = time.row(name, timestampUs, nowUs);
      const cells = makeCells(random, name);
      rows.push({
        sequence: sequence++,
        timestampUs,
        receivedAtUs: nowUs,
        latenessUs,
        id: idOf(random),
        cells,
      });
    }
    if (rows.length > 0 || duplicatesUs.length > 0) {
      steps.push({ kind: "record", receivedAtUs: nowUs, rows, duplicatesUs });
    }
  }
  return steps;
}

/** The rows of all records. */
export function rowsOf(steps: readonly StreamStep[]): OracleRow[] {
  return steps.flatMap((step) => (step.kind === "record" ? step.rows : []));
}
