import type { WebSocket } from "ws";
import type { Front } from "../api/front.ts";
import type { IngestParameters } from "../api/ingest-parameters.ts";
import { isFault, problemFrom } from "../api/problem.ts";
import { receiptDocument, receiptText } from "../api/receipt.ts";
import type { EngineFailure } from "../engine/failure.ts";
import type { Receipt } from "../engine/ingest.ts";
import { messageFrame, problemDocument } from "./protocol.ts";
import type { Wires } from "./subscriber-socket.ts";

/** Frames of one socket that may wait for their receipts; beyond it the socket is not read. */
const framesInFlightMax = 64;
/** Receipts that a client does not read; beyond it the socket is not read either. */
const unsentBytesMax = 1024 * 1024;
const tryAgainLater = 1013;
/** Time for a client to see why it is cut off. */
const closeMs = 500;

/** `WS /events`: each frame is a batch, and each gets one receipt, in order. */
export class IngestSocket {
  readonly #front: Front;
  readonly #ws: WebSocket;
  readonly #parameters: IngestParameters;
  readonly #packed: boolean;
  /** Receipts in the order of their frames; null until they are there. */
  readonly #receipts: { frame: string | Uint8Array | null }[] = [];
  #closing: (() => void) | null = null;

  /** Bytes that came since the last whole frame; they count against the budget of all bodies. */
  #partialBytes = 0;

  constructor(front: Front, { ws, socket, packed }: Wires, parameters: IngestParameters) {
    this.#front = front;
    this.#ws = ws;
    this.#parameters = parameters;
    this.#packed = packed;
    front.counters.ingestSockets++;
    ws.on("close", () => {
      front.counters.ingestSockets--;
      this.#releasePartial();
      this.#closing?.();
    });
    ws.on("message", (frame: Buffer, isBinary: boolean) => this.#take(frame, isBinary));
    // Before the frames are cut out of it, so that a chunk that completes a frame is given back with it.
    socket.prependListener("data", (chunk: Buffer) => this.#receive(chunk.length));
  }

  /** Takes no more frames; `done` when every frame that was taken has its receipt. */
  finish(done: () => void): void {
    this.#closing = () => {
      this.#closing = null;
      done();
    };
    if (this.#receipts.length === 0 || this.#ws.readyState !== this.#ws.OPEN) this.#closing();
  }

  #receive(byteLength: number): void {
    if (this.#front.bodyBudget.take(byteLength)) {
      this.#partialBytes += byteLength;
    } else if (this.#ws.readyState === this.#ws.OPEN) {
      this.#ws.close(tryAgainLater, "too many bytes of bodies are being received");
      // The rest of its frame would be kept, uncounted, until the client answers: it is not read.
      this.#ws.pause();
      setTimeout(() => this.#ws.terminate(), closeMs).unref();
    }
  }

  #releasePartial(): void {
    this.#front.bodyBudget.give(this.#partialBytes);
    this.#partialBytes = 0;
  }

  #take(frame: Buffer, isBinary: boolean): void {
    this.#releasePartial();
    if (this.#front.stopping || this.#ws.readyState !== this.#ws.OPEN) return;
    this.#front.counters.frames.in++;
    const place: { frame: string | Uint8Array | null } = { frame: null };
    this.#receipts.push(place);
    const answer = (failure: EngineFailure | null, receipt: Receipt | null) => {
      place.frame = receipt === null ? this.#failure(failure) : this.#receipt(receipt);
      this.#send();
    };
    try {
      this.#front.engine.ingest(
        {
          body: [frame],
          byteLength: frame.length,
          format: isBinary ? "msgpack-batch" : "json-batch",
          durable: this.#parameters.durable,
          ...(this.#parameters.mapping && { mapping: this.#parameters.mapping }),
        },
        answer,
      );
    } catch (error) {
      place.frame = this.#failure(error);
      this.#send();
    }
    this.#balance();
  }

  #receipt(receipt: Receipt): string | Uint8Array {
    if (receipt.errors.length > 0) this.#front.counters.countEventErrors(receipt.errors);
    return this.#packed ? messageFrame(receiptDocument(receipt), true) : receiptText(receipt);
  }

  #failure(error: unknown): string | Uint8Array {
    const problem = problemFrom(error);
    this.#front.counters.countIngestError(problem.code);
    if (isFault(problem)) {
      this.#front.log.error({ code: problem.code, err: error }, "ingest over WebSocket failed");
    }
    return messageFrame({ error: problemDocument(problem) }, this.#packed);
  }

  /** Sends the receipts that are there, up to the first that is not. */
  #send(): void {
    while (this.#receipts[0]?.frame != null) {
      const { frame } = this.#receipts.shift() as { frame: string | Uint8Array };
      this.#front.counters.frames.out++;
      this.#ws.send(frame, () => this.#balance());
    }
    if (this.#receipts.length === 0) this.#closing?.();
    this.#balance();
  }

  #balance(): void {
    const full =
      this.#receipts.length >= framesInFlightMax || this.#ws.bufferedAmount > unsentBytesMax;
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (full && !this.#ws.isPaused) this.#ws.pause();
    else if (!full && this.#ws.isPaused) this.#ws.resume();
  }
}
