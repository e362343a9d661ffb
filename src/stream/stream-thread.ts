// The stream thread: it follows published rows. What it does with them is still to come; so far it says how far it is.

import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { attachCore } from "../core/core.ts";
import { SlotReader } from "../core/slots.ts";
import { StreamPosition } from "../core/stream-position.ts";
import { packFailure } from "../engine/failure.ts";
import { MillraceError } from "../errors.ts";
import type {
  EngineToStream,
  FromStream,
  StreamThreadData,
  StreamToEngine,
  ToStream,
} from "./messages.ts";

const { memory, config, reader, engine } = workerData as StreamThreadData;
const port = parentPort;
assert(port !== null, "the stream thread has a parent");
const tell = (message: FromStream): void => port.postMessage(message);
const send = (message: StreamToEngine): void => engine.postMessage(message);
const slots = new SlotReader(attachCore(memory), reader);
const position = new StreamPosition(memory);
let next = 1n;
let reflected = 0n;
let checkpoint = 0;
let ready = false;
let closing = false;

function follow(): void {
  const newest = slots.pinned((views) => views.at(-1));
  if (newest) next = newest.firstSequence + BigInt(newest.rows);
  position.advance(next);
}

function commit(): void {
  reflected = next;
  send({ type: "commit", id: ++checkpoint, reflected, writes: [] });
}

const timer = setInterval(() => {
  follow();
  if (reflected < next) commit();
}, config.checkpointIntervalMs);

engine.on("message", (message: EngineToStream) => {
  if (message.type === "segments" && !ready) {
    ready = true;
    follow();
    tell({ type: "ready", rules: [], asOf: next });
  }
  if (message.type === "published" || message.type === "segments") {
    follow();
    setTimeout(send, 20, { type: "idle" });
  }
  if (message.type === "close") {
    clearInterval(timer);
    follow();
    closing = true;
    commit();
  }
  if (message.type === "committed" && closing && message.id === checkpoint) engine.close();
});

port.on("message", (message: ToStream) => {
  if (message.type === "close") return port.close();
  const { id, request } = message;
  const failure = new MillraceError("not_ready", `${request.type}: rules are still to come`);
  tell({ type: "failed", id, failure: packFailure(failure) });
});
