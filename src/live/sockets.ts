import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { refuseWhenBusy } from "../api/admission.ts";
import type { Front } from "../api/front.ts";
import { type IngestParameters, ingestParameters } from "../api/ingest-parameters.ts";
import { notFound, problemFrom, problemResponse } from "../api/problem.ts";
import { requestIdFrom } from "../api/request-id.ts";
import { eventPath, metricsStreamPath, streamPath } from "../api/routes.ts";
import { InputError } from "../errors.ts";
import type { EventStreams } from "./event-streams.ts";
import { Feed } from "./feed.ts";
import { Heartbeat } from "./heartbeat.ts";
import { IngestSocket } from "./ingest-socket.ts";
import type { MetricsHub } from "./metrics-hub.ts";
import { openMetricsSocket } from "./metrics-socket.ts";
import { refuseForeignOrigin } from "./origin.ts";
import { msgpackProtocol } from "./protocol.ts";
import { StreamSocket } from "./stream-socket.ts";
import type { Wires } from "./subscriber-socket.ts";

/** All WebSockets of a server. */
export interface Sockets {
  readonly heartbeat: Heartbeat;
  /** Takes over a connection that asks to be upgraded. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Takes no more frames, sends the receipts that are due, closes with 1001; resolves when all are closed. */
  close(): Promise<void>;
  /** Cuts off what is left. */
  terminate(): void;
}

/** Bytes of a message that a subscriber sends. */
const messageBytesMax = 256 * 1024;
/** Time for a client to answer a closing handshake. */
const closeMs = 1000;
const goingAway = 1001;

export function openSockets(front: Front, hub: MetricsHub, streams: EventStreams): Sockets {
  const ingestServer = openServer(front.config.bodyBytesMax, true);
  const streamServer = openServer(messageBytesMax, false);
  const feed = new Feed(front.engine);
  const ingestSockets = new Map<WebSocket, IngestSocket>();
  const subscribers = new Set<WebSocket>();
  const streamSockets = new Map<WebSocket, StreamSocket>();
  const heartbeat = new Heartbeat(front.clock, front.config.heartbeatMs);
  const beats = setInterval(() => {
    heartbeat.beat();
    streams.beat();
  }, front.config.heartbeatMs);
  beats.unref();
  const stopListening = front.engine.onPublish(() => {
    for (const session of streamSockets.values()) session.advance();
  });

  const opened = (target: Target, wires: Wires) => {
    const { ws, socket } = wires;
    if (target.path === eventPath) {
      ingestSockets.set(ws, new IngestSocket(front, wires, target.parameters));
    } else {
      subscribers.add(ws);
      if (target.path === streamPath) streamSockets.set(ws, new StreamSocket(front, feed, wires));
      else openMetricsSocket(front, hub, wires);
    }
    heartbeat.add(ws, socket);
    ws.on("close", () => {
      for (const open of [ingestSockets, subscribers, streamSockets]) open.delete(ws);
    });
    // A frame that breaks the protocol closes the socket with its code; there is nothing else to do.
    ws.on("error", (error) => front.log.debug({ err: error }, "WebSocket failed"));
  };

  const upgrade = (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    const requestId = requestIdFrom(req.headers["x-request-id"]);
    try {
      const target = targetOf(front, req);
      const server = target.path === eventPath ? ingestServer : streamServer;
      server.handleUpgrade(req, socket, head, (ws) => {
        const packed = ws.protocol === msgpackProtocol;
        opened(target, { ws, socket: socket as Socket, packed });
      });
    } catch (error) {
      socket.on("error", () => socket.destroy());
      socket.end(problemResponse(problemFrom(error), requestId));
    }
  };

  return {
    heartbeat,
    upgrade,
    async close() {
      clearInterval(beats);
      stopListening();
      streams.close();
      await Promise.all([
        ...[...ingestSockets].map(async ([ws, session]) => {
          await new Promise<void>((resolve) => session.finish(resolve));
          await closed(ws);
        }),
        ...[...subscribers].map(closed),
      ]);
      hub.close();
    },
    terminate() {
      for (const ws of [...ingestSockets.keys(), ...subscribers]) ws.terminate();
    },
  };
}

function openServer(maxPayload: number, skipUTF8Validation: boolean): WebSocketServer {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload,
    // The core validates the bytes of events itself, and answers for a frame instead of closing its socket.
    skipUTF8Validation,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(msgpackProtocol) ? msgpackProtocol : false),
  });
  server.on("wsClientError", (error, socket) => {
    const refusal = new InputError(
      "invalid_upgrade",
      `got a bad WebSocket request: ${error.message}`,
    );
    socket.end(problemResponse(problemFrom(refusal)));
  });
  return server;
}

type Target =
  | { path: typeof streamPath | typeof metricsStreamPath }
  | { path: typeof eventPath; parameters: IngestParameters };

/** What the connection is for; throws the error to answer when it can't be had. */
function targetOf(front: Front, req: IncomingMessage): Target {
  const [path = "", search = ""] = (req.url ?? "").split("?", 2);
  if (path !== streamPath && path !== metricsStreamPath && path !== eventPath) {
    throw notFound(path);
  }
  refuseWhenBusy(front);
  refuseForeignOrigin(front, req);
  if (path !== eventPath) return { path };
  return { path, parameters: ingestParameters(search) };
}

function closed(ws: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    if (ws.readyState === ws.CLOSED) return resolve();
    const timer = setTimeout(() => ws.terminate(), closeMs);
    ws.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    ws.resume();
    ws.close(goingAway, "the server is stopping");
  });
}
