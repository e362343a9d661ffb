// A stream processor over real hot slots, with tables, commits and a clock that the test owns.
import { attachCore, type Core } from "../../src/core/core.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";
import { HotSlots } from "../../src/core/slots.ts";
import { Reader } from "../../src/query/read/reader.ts";
import type { TableReader } from "../../src/rollup/store.ts";
import { duplicatesKey } from "../../src/storage/keys.ts";
import { encodeSegmentMeta } from "../../src/storage/segment.ts";
import type {
  FromStream,
  StreamAnswer,
  StreamRequest,
  StreamTable,
  StreamWrite,
} from "../../src/stream/messages.ts";
import { unpackRows } from "../../src/stream/packed-rows.ts";
import type { Rule } from "../../src/stream/rule.ts";
import type { RuleRecord } from "../../src/stream/rule-record.ts";
import { StreamProcessor } from "../../src/stream/stream-processor.ts";
import { StreamRuntime } from "../../src/stream/stream-runtime.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import type { OracleRow } from "../oracle/query.ts";
import { PlainTables } from "../rollup/plain-table.ts";
import { type MadeRow, makeBatch } from "./make-batch.ts";
import type { StreamStep } from "./random-streams.ts";
import { type SegmentsTold, TestSegments } from "./stored-segments.ts";

const MIB = 1024 * 1024;
const READER = 0;
const SEALER = 2;

interface Commit {
  readonly id: number;
  readonly reflected: bigint;
  readonly writes: readonly StreamWrite[];
}

export interface BedOptions {
  readonly rules: TimeRules;
  readonly chunkRows?: number;
  readonly streamMib?: number;
  readonly checkpointIntervalMs?: number;
}

export class StreamBed {
  readonly told: FromStream[] = [];
  readonly reflected: bigint[] = [];
  nowMs = 0;
  readonly #core: Core;
  readonly #slots: HotSlots;
  readonly #segments: TestSegments;
  /** What the runtime has not been told of them. */
  #untold: SegmentsTold[] = [];
  readonly #options: BedOptions;
  readonly tables = new PlainTables();
  #commits: Commit[] = [];
  /** What the newest checkpoint on disk reflects. */
  #committed = 0n;
  #runtime: StreamRuntime;
  #processor: StreamProcessor;
  #next: bigint;
  #id = 0;

  constructor(options: BedOptions, firstSequence = 0n) {
    this.#options = options;
    const memory = createMemory({
      bodies: 0,
      ring: 65_536,
      decoder: 65_536,
      batches: 32 * MIB,
      dedup: 65_536,
      slots: 4 * 16 * MIB,
      stream: (options.streamMib ?? 32) * MIB,
      readers: [96 * MIB, 64 * MIB, 48 * MIB],
    });
    this.#core = attachCore(memory);
    this.#call("watermarkFormat", this.#batches, 1024);
    this.#slots = new HotSlots(this.#core, 16 * MIB);
    this.#next = firstSequence;
    this.#slots.open(1, firstSequence);
    const scratch = region(memory, layout.REGION_READER_FIRST + SEALER);
    this.#segments = new TestSegments(this.#core, scratch);
    [this.#runtime, this.#processor] = this.#open();
  }

  get #batches(): number {
    return region(this.#core.memory, layout.REGION_BATCHES).base;
  }

  #call(name: string, ...values: (number | bigint)[]): number {
    return Number(this.#core.exports[name]?.(...values) ?? Number.NaN) >>> 0;
  }

  #open(): [StreamRuntime, StreamProcessor] {
    const { rules, chunkRows = 32_768, checkpointIntervalMs = 1000 } = this.#options;
    const runtime = new StreamRuntime({
      core: this.#core,
      reader: READER,
      clock: {
        monotonicMs: () => this.nowMs,
        nowUs: () => BigInt(Math.round(this.nowMs * 1000)),
      },
      store: {
        renew: () => {},
        segments: () => this.#segments.segments(),
        column: (id, index) => this.#segments.column(id, index),
        filter: (id, index) => this.#segments.filter(id, index),
        newestDropped: () => this.#segments.newestDropped(),
        table: (name) => this.table(name),
      },
      settings: { checkpointIntervalMs, paceMs: 50, chunkRows },
      ...rules,
      commit: (id, reflected, writes) => {
        this.reflected.push(reflected);
        this.#commits.push({ id, reflected, writes });
      },
      emit: (message) => this.told.push(message),
    });
    this.#untold = [];
    runtime.segments(this.#segments.segments().map(encodeSegmentMeta), [], this.#segments.end);
    return [runtime, new StreamProcessor(runtime.parts)];
  }

  /** Reads the same events as query threads do. */
  reader(): Reader {
    const clock = { monotonicMs: () => this.nowMs, nowUs: () => 0n };
    return new Reader(this.#core, 1, null, clock);
  }

  get processor(): StreamProcessor {
    return this.#processor;
  }

  get runtime(): StreamRuntime {
    return this.#runtime;
  }

  /** The sequence after all that was published. */
  get next(): bigint {
    return this.#next;
  }

  table(name: StreamTable): TableReader {
    return this.tables.reader(name);
  }

  /** What a record that begins now has left out. */
  leaveOut(timestampsUs: readonly bigint[], receivedAtUs: bigint): void {
    if (timestampsUs.length === 0) return;
    const table = this.table("duplicates");
    let index = 0;
    while (table.get(duplicatesKey(this.#next, index)) !== undefined) index++;
    const value = new Uint8Array(BigInt64Array.from([receivedAtUs, ...timestampsUs]).buffer);
    this.tables.commit([{ table: "duplicates", key: duplicatesKey(this.#next, index), value }]);
  }

  /** Rows of one record become readable; the sequences are what they are. */
  publish(rows: readonly OracleRow[], receivedAtUs: bigint): void {
    if (rows.length === 0) return;
    const offset = 64 * Math.ceil(this.#call("watermarkTableSize", 1024) / 64);
    const batch = this.#batches + offset;
    const options = {
      firstSequence: this.#next,
      receivedAtUs,
      latenessUs: rows.map(({ latenessUs }) => latenessUs),
    };
    this.#core.u8.set(makeBatch(rows.map(madeRow), options), batch);
    const applied = this.#slots.apply(batch);
    if (!applied.done) throw new Error("the slots of the bed are full");
    this.#next += BigInt(rows.length);
  }

  /** Stores what is hot; its slot is taken back. The processor must have read it. */
  seal(): void {
    if (this.#next === this.#segments.end) return;
    this.#untold.push(this.#segments.seal(this.#slots, this.#next));
  }

  /** Merges stored segments. */
  compact(from: number, to: number): void {
    this.#untold.push(this.#segments.compact(from, to));
  }

  /** Drops some of the oldest segments that a checkpoint on disk reflects; answers the sequence after them. */
  drop(most: number): bigint {
    this.#untold.push(this.#segments.drop(this.#committed, most));
    return this.#segments.segments()[0]?.firstSequence ?? this.#segments.end;
  }

  get storedSegments(): number {
    return this.#segments.segments().length;
  }

  /** Tells the runtime of segments that came and went. */
  tell(): void {
    for (const { added, dropped } of this.#untold.splice(0)) {
      this.#runtime.segments(added, dropped, this.#segments.end);
    }
  }

  /** A step of a stream, which the processor has not looked at yet. */
  play(step: StreamStep): void {
    if (step.kind === "tick") this.processor.tick(this.#next, step.receivedAtUs);
    else {
      this.leaveOut(step.duplicatesUs, step.receivedAtUs);
      this.publish(step.rows, step.receivedAtUs);
    }
  }

  /** Takes all that is published. */
  take(): void {
    while (this.processor.step()) this.nowMs += 1;
  }

  /** Plays steps, each taken before the next. */
  run(steps: Iterable<StreamStep>): void {
    for (const step of steps) {
      this.play(step);
      this.take();
    }
  }

  /**
   * Takes all, as of the end of the stream: a tick that was told before a restart is not told again, this one says the
   * same.
   */
  end(steps: readonly StreamStep[]): void {
    this.take();
    const last = steps.at(-1);
    if (last) this.processor.tick(this.next, last.receivedAtUs);
    this.take();
  }

  /** Does what is due after so many milliseconds, and commits it. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.processor.attend();
    this.flush();
  }

  /** Puts on disk what waits for it. */
  flush(): void {
    for (let commit = this.#commits.shift(); commit; commit = this.#commits.shift()) {
      this.tables.commit(commit.writes);
      this.#committed = commit.reflected;
      this.processor.committed(commit.id);
      this.processor.attend();
    }
  }

  checkpoint(): void {
    this.flush();
    this.processor.checkpoint();
    this.flush();
  }

  /** The process ends without a word and begins again; commits on their way are lost. */
  restart(): void {
    this.#commits = [];
    [this.#runtime, this.#processor] = this.#open();
  }

  /** Asks, commits what that needs, and answers. */
  ask<T extends StreamRequest["type"]>(
    request: Extract<StreamRequest, { type: T }>,
  ): Extract<StreamAnswer, { type: T }> {
    const id = ++this.#id;
    this.processor.request(id, request);
    for (let turn = 0; turn < 1000; turn++) {
      const answer = this.told.find(
        (one) => (one.type === "answer" || one.type === "failed") && one.id === id,
      );
      if (answer?.type === "answer") return answer.answer as Extract<StreamAnswer, { type: T }>;
      if (answer?.type === "failed") throw new Error(answer.failure.message);
      this.take();
      this.pass(1);
    }
    throw new Error(`no answer to ${request.type}`);
  }

  put(...rules: readonly (Rule | RuleRecord)[]): void {
    this.ask({ type: "rules", put: rules.map(asRecord), gone: [] });
  }

  windows(
    rule: number,
    more: Partial<Extract<StreamRequest, { type: "windows" }>["request"]> = {},
  ): readonly WindowRow[] {
    const { answer } = this.ask({
      type: "windows",
      request: {
        rule,
        fromUs: null,
        toUs: null,
        groups: [],
        tier: 0,
        widthUs: null,
        descending: false,
        limit: 1_000_000,
        ...more,
      },
    });
    return answer.packed ? unpackRows(answer.packed) : answer.rows;
  }

  /** The newest record of a rule that was told. */
  record(rule: number): RuleRecord | undefined {
    const told = this.told.filter((one) => one.type === "rule").map(({ record }) => record);
    return told.findLast((record) => record.rule.number === rule);
  }
}

export function asRecord(rule: Rule | RuleRecord): RuleRecord {
  if ("rule" in rule) return rule;
  return {
    rule,
    definition: {},
    createdAtUs: 0n,
    fromSequence: 0n,
    paused: false,
    complete: true,
    backfill: null,
    state: "live",
  };
}

function madeRow(row: OracleRow): MadeRow {
  const id = Buffer.from(row.id.replaceAll("-", ""), "hex");
  return { id, timestampUs: row.timestampUs, cells: row.cells as MadeRow["cells"] };
}
