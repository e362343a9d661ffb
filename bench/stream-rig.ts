// The stream thread's work in one thread: rows in hot slots, rules over them, and nobody else who wants the processor.

import { systemClock } from "../src/base/clock.ts";
import { attachCore, type Core } from "../src/core/core.ts";
import * as layout from "../src/core/layout.ts";
import { createMemory, region } from "../src/core/memory.ts";
import { HotSlots } from "../src/core/slots.ts";
import { Watermarks } from "../src/core/watermarks.ts";
import type { FromStream, StreamRequest, StreamWrite } from "../src/stream/messages.ts";
import { unpackRows } from "../src/stream/packed-rows.ts";
import { ruleFrom } from "../src/stream/rule-form.ts";
import type { RuleRecord } from "../src/stream/rule-record.ts";
import { StreamProcessor } from "../src/stream/stream-processor.ts";
import { StreamRuntime } from "../src/stream/stream-runtime.ts";
import type { WindowRow } from "../src/stream/window-row.ts";
import { PlainTables } from "../test/rollup/plain-table.ts";
import { makeBatch, rowOf } from "../test/support/make-batch.ts";
import { type BenchEvent, EventStream } from "./events.ts";

const mib = 1024 * 1024;
const slotBytes = 32 * mib;
const batchRows = 1000;
const sourcesMax = 1024;
/** What the stream thread finds at 1 M events a second. */
const chunkRows = 16_384;

export type RuleBody = Readonly<Record<string, unknown>>;

/** What rules have made of all rows of the rig; to be read before others take them. */
export interface Taken {
  /** Processor time of the thread, ns a row. */
  readonly nsPerRow: number;
  /** Rows in the windows of a rule, by its place in the list. */
  rowsOf(rule: number): number;
}

export class StreamRig {
  readonly rows: number;
  readonly events: readonly BenchEvent[];
  readonly #core: Core;

  /** `distinct` events, `repeats` times, in batches as a server commits them. */
  constructor(distinct: number, repeats: number) {
    this.rows = distinct * repeats;
    const slots = Math.ceil(this.rows / 60_000) + 2;
    const memory = createMemory({
      bodies: 0,
      ring: 65_536,
      decoder: 65_536,
      batches: 64 * mib,
      dedup: 65_536,
      slots: slots * slotBytes,
      stream: 128 * mib,
      readers: [96 * mib],
    });
    this.#core = attachCore(memory);
    this.events = new EventStream(11).take(distinct);
    this.#fill(repeats);
  }

  #fill(repeats: number): void {
    const core = this.#core;
    const hot = new HotSlots(core, slotBytes);
    const batches: Uint8Array[] = [];
    for (let i = 0; i < this.events.length; i += batchRows) {
      const rows = this.events.slice(i, i + batchRows).map((event) => rowOf({ ...event }));
      const receivedAtUs = (rows.at(-1)?.timestampUs ?? 0n) + 1_000_000n;
      batches.push(makeBatch(rows, { receivedAtUs }));
    }
    const { reserved } = new Watermarks(core, { sourcesMax, maxSkewUs: 0n });
    const base = region(core.memory, layout.REGION_BATCHES).base + reserved;
    let sequence = 0n;
    hot.open(1, 0n);
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const batch of batches) {
        core.u8.set(batch, base);
        core.view.setBigInt64(base + layout.BATCH_FIRST_SEQUENCE, sequence, true);
        if (!hot.apply(base).done) throw new Error(`row ${sequence} found no free slot`);
        sequence += BigInt(core.view.getUint32(base + layout.BATCH_ROWS, true));
      }
    }
  }

  /** All rows through fresh rules. */
  take(rules: readonly RuleBody[]): Taken {
    const tables = new PlainTables();
    const told: FromStream[] = [];
    const commits: { readonly id: number; readonly writes: readonly StreamWrite[] }[] = [];
    const core = this.#core;
    const runtime = new StreamRuntime({
      core,
      reader: 0,
      clock: systemClock,
      store: {
        renew: () => {},
        segments: () => [],
        column: () => undefined,
        filter: () => undefined,
        newestDropped: () => undefined,
        table: (name) => tables.reader(name),
      },
      settings: { checkpointIntervalMs: 1000, paceMs: 50, chunkRows },
      sourcesMax,
      maxSkewUs: 3_600_000_000n,
      idleTimeoutUs: 10_000_000n,
      commit: (id, _, writes) => commits.push({ id, writes }),
      emit: (message) => told.push(message),
    });
    const processor = new StreamProcessor(runtime.parts);
    const commit = (): void => {
      for (let one = commits.shift(); one; one = commits.shift()) {
        tables.commit(one.writes);
        processor.committed(one.id);
      }
    };
    processor.request(1, { type: "rules", put: rules.map(recordOf), gone: [] });
    processor.checkpoint();
    commit();
    const before = process.cpuUsage();
    while (processor.step()) {}
    const { user, system } = process.cpuUsage(before);
    return {
      nsPerRow: ((user + system) * 1000) / this.rows,
      rowsOf: (rule) =>
        windowsOf(processor, told, rule + 1).reduce((sum, { count }) => sum + count, 0),
    };
  }
}

function windowsOf(
  processor: StreamProcessor,
  told: FromStream[],
  rule: number,
): readonly WindowRow[] {
  const request: Extract<StreamRequest, { type: "windows" }>["request"] = {
    rule,
    ...{ fromUs: null, toUs: null, groups: [], tier: 0, widthUs: null },
    ...{ descending: false, limit: 1_000_000 },
  };
  told.length = 0;
  processor.request(2, { type: "windows", request });
  const [one] = told.filter(({ type }) => type === "answer" || type === "failed");
  if (one?.type !== "answer" || one.answer.type !== "windows") {
    throw new Error(`rule ${rule} can't be read: ${JSON.stringify(one)}`);
  }
  const { answer } = one.answer;
  return answer.packed ? unpackRows(answer.packed) : answer.rows;
}

function recordOf(body: RuleBody, index: number): RuleRecord {
  const { rule, definition } = ruleFrom({ name: `rule_${index}`, ...body });
  const id = `018f3c5e-0000-7000-8000-${String(index).padStart(12, "0")}`;
  return {
    rule: { ...rule, number: index + 1, id, version: 1 },
    definition,
    createdAtUs: 0n,
    fromSequence: 0n,
    paused: false,
    complete: true,
    backfill: null,
    state: "live",
  };
}
