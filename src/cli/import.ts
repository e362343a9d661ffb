import { randomUUID } from "node:crypto";
import { type Clock, systemClock } from "../base/clock.ts";
import { ConfigError, MillraceError } from "../errors.ts";
import type { BatchCutter, EventBatch } from "./batch-cutter.ts";
import {
  type ImportFile,
  type ImportOptions,
  importHelp,
  parseImportOptions,
} from "./import-options.ts";
import { jsonCutter } from "./json-cutter.ts";
import { msgpackCutter } from "./msgpack-cutter.ts";
import { ndjsonCutter } from "./ndjson-cutter.ts";
import { count, type Progress, startProgress } from "./progress.ts";
import { readSource, sizeOf } from "./source.ts";
import { type BatchReceipt, uploadBatch } from "./upload.ts";

/** Rejected events that the summary shows; all are counted. */
const REASONS_SHOWN = 10;
const BYTES_PER_PUSH_MAX = 1024 * 1024;

const CUTTERS = { ndjson: ndjsonCutter, json: jsonCutter, msgpack: msgpackCutter };

/** `millrace import FILE…`: exit code 0, 1 after a failure (with --strict also a rejection), 2 for flags. */
export async function runImport(argv: string[]): Promise<number> {
  let options: ImportOptions | undefined;
  try {
    options = parseImportOptions(argv);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(`millrace import: ${error.message}`);
    return 2;
  }
  if (options === undefined) {
    console.log(importHelp);
    return 0;
  }
  return new Import(options, systemClock).run();
}

/** Failures that a person can do something about; anything else is a bug and keeps its stack. */
function isExpected(error: unknown): error is Error {
  return error instanceof MillraceError || (error instanceof Error && "code" in error);
}

class Import {
  private readonly options: ImportOptions;
  private readonly clock: Clock;
  /** Keys of one run share a prefix that no other run has. */
  private readonly runId = randomUUID();
  private readonly inFlight = new Set<Promise<void>>();
  private readonly reasons: { file: string; index: number; text: string }[] = [];
  private progress: Progress | undefined;
  private batches = 0;
  private bytesRead = 0;
  private accepted = 0;
  private duplicates = 0;
  private rejected = 0;
  private failure: Error | undefined;

  constructor(options: ImportOptions, clock: Clock) {
    this.options = options;
    this.clock = clock;
  }

  async run(): Promise<number> {
    const startMs = this.clock.monotonicMs();
    try {
      const sizes = await Promise.all(this.options.files.map((file) => sizeOf(file.path)));
      const known = sizes.every((size) => size > 0);
      const totalBytes = known ? sizes.reduce((sum, size) => sum + size, 0) : 0;
      this.progress = startProgress(process.stderr, totalBytes, this.clock);
      for (const file of this.options.files) {
        await this.importFile(file);
        if (this.failure !== undefined) break;
      }
    } catch (error) {
      if (!isExpected(error)) throw error;
      this.failure ??= error;
    } finally {
      await Promise.all(this.inFlight);
      this.progress?.stop();
    }
    // Where nothing was begun there is nothing to report but why.
    if (this.progress !== undefined) this.report((this.clock.monotonicMs() - startMs) / 1000);
    if (this.failure !== undefined) console.error(`millrace import: ${this.failure.message}`);
    return this.failure !== undefined || (this.options.strict && this.rejected > 0) ? 1 : 0;
  }

  /** Reads, cuts and sends one file; reading waits while all connections are busy. */
  private async importFile(file: ImportFile): Promise<void> {
    const cutter: BatchCutter = CUTTERS[file.format](this.options.limits);
    try {
      for await (const chunk of readSource(file.path, (bytes) => this.addRead(bytes))) {
        for (let at = 0; at < chunk.length; at += BYTES_PER_PUSH_MAX) {
          for (const batch of cutter.push(chunk.subarray(at, at + BYTES_PER_PUSH_MAX))) {
            await this.send(file, batch);
          }
        }
        if (this.failure !== undefined) return;
      }
      for (const batch of cutter.end()) await this.send(file, batch);
    } catch (error) {
      if (!isExpected(error)) throw error;
      const { message } = error;
      const text = message.includes(file.path) ? message : `${file.path}: ${message}`;
      throw new MillraceError("import_failed", text, {}, { cause: error });
    }
  }

  private async send(file: ImportFile, batch: EventBatch): Promise<void> {
    while (this.inFlight.size >= this.options.connections) await Promise.race(this.inFlight);
    if (this.failure !== undefined) return;
    const key = `import-${this.runId}-${this.batches++}`;
    const upload: Promise<void> = this.upload(file, batch, key).finally(() =>
      this.inFlight.delete(upload),
    );
    this.inFlight.add(upload);
  }

  private async upload(file: ImportFile, batch: EventBatch, key: string): Promise<void> {
    try {
      const receipt = await uploadBatch(
        batch.body,
        file.format,
        key,
        this.options.target,
        this.clock,
        (reason, seconds) =>
          this.progress?.note(`waiting ${seconds} s before another try: ${reason}`),
      );
      this.count(file, batch, receipt);
    } catch (error) {
      const last = batch.firstEvent + batch.events - 1;
      const where = `${file.path}: events ${batch.firstEvent} to ${last}`;
      this.failure ??= new MillraceError("import_failed", `${where}: ${(error as Error).message}`);
    }
  }

  private count(file: ImportFile, batch: EventBatch, receipt: BatchReceipt): void {
    this.accepted += receipt.accepted;
    this.duplicates += receipt.duplicates;
    this.rejected += receipt.rejected;
    for (const error of receipt.errors) {
      if (this.reasons.length >= REASONS_SHOWN) break;
      const index = batch.firstEvent + error.index;
      this.reasons.push({ file: file.path, index, text: `${error.code}: ${error.message}` });
    }
    this.showProgress();
  }

  private addRead(bytes: number): void {
    this.bytesRead += bytes;
    this.showProgress();
  }

  private showProgress(): void {
    this.progress?.update(this.bytesRead, this.accepted + this.duplicates + this.rejected);
  }

  private report(seconds: number): void {
    const events = this.accepted + this.duplicates + this.rejected;
    console.log(`accepted    ${count.format(this.accepted)}`);
    console.log(`duplicates  ${count.format(this.duplicates)}`);
    console.log(`rejected    ${count.format(this.rejected)}`);
    for (const reason of this.reasons.sort((a, b) => a.index - b.index)) {
      console.log(`  ${reason.file}: event ${reason.index}: ${reason.text}`);
    }
    if (this.rejected > this.reasons.length && this.reasons.length > 0) {
      console.log(`  and ${count.format(this.rejected - this.reasons.length)} more`);
    }
    const rate = Math.round(events / Math.max(seconds, 0.001));
    const what = events === 1 ? "event" : "events";
    console.log(
      `${count.format(events)} ${what} in ${seconds.toFixed(1)} s: ${count.format(rate)} events/s`,
    );
  }
}
