import type { MessagePort } from "node:worker_threads";
import type { StreamPosition } from "../core/stream-position.ts";
import type { EngineToStream, StreamToEngine, StreamWrite } from "../stream/messages.ts";

/** A checkpoint that waits for its commit. */
export interface Checkpoint {
  readonly id: number;
  /** Rows below it are in the state then. */
  readonly reflected: bigint;
  readonly writes: readonly StreamWrite[];
}

/** What the engine thread tells the stream thread, and what it is given to commit. */
export class StreamPort {
  readonly #port: MessagePort;
  readonly #position: StreamPosition;
  readonly #nextSequence: () => bigint;
  #idle = false;
  #reflected = 0n;
  readonly #closed: Promise<void>;
  /** Called with what is to be committed. */
  onCheckpoint: (checkpoint: Checkpoint) => void = () => {};

  /** `nextSequence`: the first sequence that is not published. */
  constructor(port: MessagePort, position: StreamPosition, nextSequence: () => bigint) {
    this.#port = port;
    this.#position = position;
    this.#nextSequence = nextSequence;
    this.#closed = new Promise((resolve) => {
      port.once("close", resolve);
    });
    port.on("message", (message: StreamToEngine) => {
      if (message.type === "commit") this.onCheckpoint(message);
      else this.#rest();
    });
  }

  /** Rows below it are in a checkpoint on disk; 0 until the first commit. */
  get reflected(): bigint {
    return this.#reflected;
  }

  /** Its position was up to date when it fell idle: rows that came between that and its message are told at once. */
  #rest(): void {
    this.#idle = true;
    if ((this.#position.next() ?? 0n) < this.#nextSequence()) this.published();
  }

  /** Rows can be read. Costs nothing while the stream thread is busy: it looks by itself before it rests. */
  published(): void {
    if (!this.#idle) return;
    this.#idle = false;
    this.#post({ type: "published" });
  }

  tick(sequence: bigint, receivedAtUs: bigint): void {
    this.#post({ type: "tick", sequence, receivedAtUs });
  }

  /** To be called before the rows of the record from `sequence` on are published. */
  duplicates(sequence: bigint, index: number, timestampsUs: BigInt64Array): void {
    this.#post({ type: "duplicates", sequence, index, timestampsUs });
  }

  segments(added: readonly Uint8Array[], dropped: readonly number[], end: bigint): void {
    this.#post({ type: "segments", added, dropped, end });
  }

  committed(checkpoints: readonly Checkpoint[]): void {
    for (const { id, reflected } of checkpoints) {
      if (reflected > this.#reflected) this.#reflected = reflected;
      this.#post({ type: "committed", id });
    }
  }

  /** Resolves when the last checkpoint is committed and the stream thread has closed its end. */
  close(): Promise<void> {
    this.#post({ type: "close" });
    return this.#closed;
  }

  #post(message: EngineToStream): void {
    this.#port.postMessage(message);
  }
}
